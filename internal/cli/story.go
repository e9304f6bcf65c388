package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
)

// mostNear is how many rules that did not match a story tells of for each hop.
const mostNear = 3

// story is an explanation for people.
type story struct {
	strings.Builder
	all  bool
	path string // that the last hop has read
}

// write prints the explanation as a story: the hops with what was looked at,
// the outcome, and the rule that decided.
func (e *explanation) write(w io.Writer, all bool) error {
	s := &story{all: all, path: e.path}
	fmt.Fprintf(s, "%s %s, from %s\n", e.Request.Method, e.Request.URL, e.Request.From)
	for i := range e.walked {
		s.WriteByte('\n')
		s.hop(i, &e.walked[i], e.Steps)
	}
	s.WriteByte('\n')
	s.outcome(e)
	_, err := io.WriteString(w, s.String())
	return err
}

// hop tells of one hop, the ith.
func (s *story) hop(i int, h *plan.Hop, steps []plan.Step) {
	scheme := "plain HTTP"
	if h.Secure {
		scheme = "TLS"
	}
	fmt.Fprintf(s, "%d. %s, over %s\n", i+1, h.Listener.Title(), scheme)
	var missed []miss
	for _, step := range steps {
		if step.Hop != i || step.Kind == "hop" || step.Kind == "answer" {
			continue
		}
		if step.Kind == "route" && !step.OK {
			missed = append(missed, miss{step, h.Host.Routes[len(missed)]})
			continue
		}
		s.missed(missed)
		missed = nil
		s.step(step, h)
	}
	s.missed(missed)
}

// step tells of one thing that the walk looked at or did.
func (s *story) step(step plan.Step, h *plan.Hop) {
	text := step.Subject
	switch {
	case step.Kind == "guard" && step.OK:
		text += ": passes"
	case step.Kind == "guard":
		text += ": stops here"
	case step.Kind == "backend":
		text = destination(h.To)
	}
	if step.Why != "" {
		text += ": " + step.Why
	}
	s.line(step.Kind, text)
	if step.Kind == "token" {
		s.line("", step.Origin)
	}
	if step.Kind == "route" {
		if h.Route.Name != "" {
			s.line("", "called "+h.Route.Name)
		}
		s.line("", step.Origin)
		if h.Route.Place != "" {
			s.line("", h.Route.Place)
		}
	}
	if step.Kind == "backend" {
		s.weights(h)
	}
}

// miss is a rule that did not match.
type miss struct {
	plan.Step
	route *plan.Route
}

// near tells how near the rule came: the length of what its path has in common
// with the request's, and more than any where only another condition failed.
func (m *miss) near(path string) int {
	if !strings.HasPrefix(m.Why, "path is ") {
		return 1 << 20
	}
	n := 0
	for rule := m.route.Rule.Path.Value; n < len(rule) && n < len(path) && rule[n] == path[n]; n++ {
	}
	return n
}

// missed tells of the rules that did not match: of those that came near, where
// there are many.
func (s *story) missed(rules []miss) {
	shown := rules
	if !s.all && len(rules) > mostNear {
		shown = slices.DeleteFunc(slices.Clone(rules), func(m miss) bool { return m.near(s.path) < 2 }) // all have the "/"
		slices.SortStableFunc(shown, func(a, b miss) int { return b.near(s.path) - a.near(s.path) })
		shown = shown[:min(len(shown), mostNear)]
	}
	for i := range shown {
		s.line("not", shown[i].Why)
		s.line("", shown[i].Origin)
	}
	if left := len(rules) - len(shown); left > 0 {
		s.line("not", count(left, "other rule")+" (--all shows them)")
	}
}

// destination names where a hop sends the request.
func destination(to *plan.Destination) string {
	b := to.Backend
	if b.Next != nil {
		return "the gateway " + b.Next.Key
	}
	if b.Missing != "" {
		return b.Key
	}
	return scenario.BackendName(b)
}

// weights tells of the other destinations of a weighted route.
func (s *story) weights(h *plan.Hop) {
	f, ok := h.Route.Action.(*plan.Forward)
	if !ok || len(f.To) < 2 {
		return
	}
	var parts []string
	for i := range f.To {
		parts = append(parts, fmt.Sprintf("%d to %s", f.To[i].Weight, destination(&f.To[i])))
	}
	s.line("", "by weight: "+strings.Join(parts, ", "))
}

// outcome tells what became of the request, and why.
func (s *story) outcome(e *explanation) {
	if e.Delay != "" {
		fmt.Fprintf(s, "held back for %s by an injected fault\n", e.Delay)
	}
	for _, m := range e.Mirrors {
		fmt.Fprintf(s, "a copy goes to %s\n", m)
	}
	if f := e.Forward; f != nil {
		fmt.Fprintf(s, "served: %s at %s gets, over %s\n", f.Backend, strings.Join(f.Endpoints, ", "), f.Protocol)
		fmt.Fprintf(s, "   %s %s\n   host: %s\n", f.Method, f.Target, f.Host)
		s.fields(f.Headers)
	} else if e.Answer.Closed {
		fmt.Fprintf(s, "refused: no answer, %s\n", e.Reason)
	} else {
		verdict := "served"
		if !e.Served {
			verdict = "refused"
		}
		fmt.Fprintf(s, "%s: %d %s, %s\n", verdict, e.Answer.Status, http1.Reason(e.Answer.Status), e.Reason)
		s.fields(e.Answer.Headers)
		if b := e.Answer.Body; b != "" && !strings.HasPrefix(b, "<") {
			fmt.Fprintf(s, "\n   %s\n", strings.ReplaceAll(strings.TrimSuffix(b, "\n"), "\n", "\n   "))
		}
	}
	fmt.Fprintf(s, "decided by %s\n", e.By)
}

func (s *story) fields(fields []field) {
	for _, f := range fields {
		fmt.Fprintf(s, "   %s: %s\n", f.Name, f.Value)
	}
}

// line prints a word in the margin and what belongs to it; nothing for "".
func (s *story) line(word, text string) {
	if text != "" {
		fmt.Fprintf(s, "   %-8s %s\n", word, text)
	}
}
