package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/doorward/doorward/internal/http1"
)

// story is an explanation as text.
type story struct {
	strings.Builder
	all, colour bool
}

// Write prints the explanation as a story: the hops with what was looked at, the
// outcome, the rule that decided, and what would change it. all tells of every rule
// that was looked at, also where there are many; colour is for a terminal.
func (e *Explanation) Write(w io.Writer, all, colour bool) error {
	s := &story{all: all, colour: colour}
	s.tell(e)
	for _, next := range e.Followed {
		s.WriteString("\nwhere a browser goes on to\n\n")
		s.tell(next)
	}
	if e.Loop != "" {
		fmt.Fprintf(s, "\nloop: %s\n", e.Loop)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (s *story) tell(e *Explanation) {
	as := ""
	if e.Request.As != "anonymous" {
		as = ", as " + e.Request.As
	}
	fmt.Fprintf(s, "%s %s, from %s%s\n", e.Request.Method, e.Request.URL, e.Request.From, as)
	for _, note := range e.Assumed {
		s.line("assumed", note)
	}
	for i := range e.Hops {
		s.WriteByte('\n')
		s.hop(i, &e.Hops[i], e.Steps)
	}
	s.WriteByte('\n')
	s.outcome(e)
}

// hop tells of one hop, the ith.
func (s *story) hop(i int, h *Hop, steps []Step) {
	scheme := "plain HTTP"
	if h.TLS {
		scheme = "TLS"
	}
	fmt.Fprintf(s, "%d. %s, over %s\n", i+1, h.Title, scheme)
	s.certificate(h.Certificate)
	var missed []Step
	for _, step := range steps {
		if step.Hop != i || step.Kind == "hop" || step.Kind == "answer" {
			continue
		}
		rule := step.Kind == "route" || step.Kind == "policy"
		if len(missed) > 0 && (!rule || step.OK || step.Kind != missed[0].Kind) {
			s.missed(missed)
			missed = nil
		}
		if rule && !step.OK {
			missed = append(missed, step)
			continue
		}
		s.step(step, h)
	}
	s.missed(missed)
}

func (s *story) certificate(c *Certificate) {
	switch {
	case c == nil:
	case c.Refused:
		s.line("TLS", "the handshake fails: no certificate is for this name")
	case c.From == "":
		s.line("TLS", "the default certificate, which browsers do not trust")
	default:
		text := strings.Join(c.Names, ", ") + ", until " + c.Expires
		if c.Mistrusted {
			text += ", which is not for this host"
		}
		s.line("TLS", "the certificate of "+text)
		s.line("", c.From)
	}
}

// step tells of one thing that the walk looked at or did.
func (s *story) step(step Step, h *Hop) {
	text := step.Subject
	switch {
	case step.Kind == "guard" && step.OK:
		text += ": passes"
	case step.Kind == "guard":
		text += ": stops here"
	case step.Kind == "backend":
		text = h.To
	}
	if step.Why != "" {
		text += ": " + step.Why
	}
	s.line(step.Kind, text)
	switch step.Kind {
	case "token", "policy":
		s.line("", step.Origin)
	case "route":
		if h.Name != "" {
			s.line("", "called "+h.Name)
		}
		s.line("", step.Origin)
		s.line("", h.Order)
	case "backend":
		if len(h.Weights) > 0 {
			s.line("", "by weight: "+strings.Join(h.Weights, ", "))
		}
	}
}

// missed tells of rules that did not match: of those that came near, where there are
// many.
func (s *story) missed(rules []Step) {
	shown := rules
	if !s.all && len(rules) > mostNear {
		shown = nearest(rules)
	}
	for i := range shown {
		switch rule := &shown[i]; {
		case rule.Kind == "route":
			s.line("not", rule.Why)
		case strings.HasPrefix(rule.Subject, "ALLOW "):
			s.line("not", rule.Subject+": "+rule.Why)
		default:
			s.line("policy", rule.Subject+": is not about it: "+rule.Why)
		}
		s.line("", shown[i].Origin)
	}
	if left := len(rules) - len(shown); left > 0 {
		s.line("not", count(left, "other rule")+" (--all shows them)")
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// outcome tells what became of the request, and why.
func (s *story) outcome(e *Explanation) {
	if e.Delay != "" {
		fmt.Fprintf(s, "held back for %s by an injected fault\n", e.Delay)
	}
	for _, m := range e.Mirrors {
		fmt.Fprintf(s, "a copy goes to %s\n", m)
	}
	if f := e.Forward; f != nil {
		fmt.Fprintf(s, "%s: %s at %s gets, over %s\n", s.verdict("served"), f.Backend, strings.Join(f.Endpoints, ", "), f.Protocol)
		fmt.Fprintf(s, "   %s %s\n   host: %s\n", f.Method, f.Target, f.Host)
		s.fields(f.Headers)
		s.limits(e)
	} else if e.Answer.Closed {
		fmt.Fprintf(s, "%s: no answer, %s\n", s.verdict("refused"), e.Reason)
	} else {
		fmt.Fprintf(s, "%s: %d %s, %s\n", s.verdict(e.Outcome), e.Answer.Status, http1.Reason(e.Answer.Status), e.Reason)
		s.fields(e.Answer.Headers)
		if b := e.Answer.Body; b != "" && !strings.HasPrefix(b, "<") {
			fmt.Fprintf(s, "\n   %s\n", strings.ReplaceAll(strings.TrimSuffix(b, "\n"), "\n", "\n   "))
		}
	}
	fmt.Fprintf(s, "decided by %s\n", e.By)
	for i := range e.Fixes {
		word := "or"
		switch {
		case i == 0:
			word = "to let it in"
		case e.Fixes[i].And:
			word = "and"
		}
		s.fix(word, &e.Fixes[i])
	}
}

// verdict is the outcome in words: green where it is good, red where it is not.
func (s *story) verdict(outcome string) string {
	words, code := outcome, "31"
	switch outcome {
	case "served", "redirected":
		code = "32"
	case "login":
		words, code = "refused, log in first", "33"
	}
	if !s.colour {
		return words
	}
	return "\x1b[1;" + code + "m" + words + "\x1b[0m"
}

func (s *story) fields(fields []Field) {
	for _, f := range fields {
		fmt.Fprintf(s, "   %s: %s\n", f.Name, f.Value)
	}
}

func (s *story) limits(e *Explanation) {
	if len(e.Limits) == 0 {
		return
	}
	s.WriteString("within\n")
	for _, l := range e.Limits {
		by := l.By
		if by == "" {
			by = "default of the " + e.Hops[l.Hop].Dialect
		}
		fmt.Fprintf(s, "   %s: %s (%s)\n", l.What, l.Value, by)
	}
}

func (s *story) fix(word string, f *Fix) {
	fmt.Fprintf(s, "\n%s: %s\n", word, f.What)
	if f.Place != nil {
		at := strings.TrimSpace(f.Place.Object + " " + f.Place.Field)
		if f.Place.File != "" {
			at += fmt.Sprintf(" (%s:%d)", f.Place.File, f.Place.Line)
		}
		fmt.Fprintf(s, "   in %s\n", at)
	}
	if f.YAML != "" {
		fmt.Fprintf(s, "      %s\n", strings.ReplaceAll(strings.TrimRight(f.YAML, "\n"), "\n", "\n      "))
	}
	if f.Proven {
		s.WriteString("   (tried: the rule then decides otherwise)\n")
	}
}

// line prints a word in the margin and what belongs to it; nothing for "".
func (s *story) line(word, text string) {
	if text != "" {
		fmt.Fprintf(s, "   %-8s %s\n", word, text)
	}
}
