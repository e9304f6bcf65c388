package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/doorward/doorward/internal/diff"
	"github.com/doorward/doorward/internal/explain"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// comparison is what diff tells. Its JSON is part of the interface.
type comparison struct {
	Changes []change `json:"changes"`
	// Open says that something became reachable without login.
	Open     bool `json:"open"`
	Examples int  `json:"examples"` // that were walked through both
}

// change is a class of requests for which something changes.
type change struct {
	Class string `json:"class"`
	Title string `json:"title"`
	Open  bool   `json:"open"` // it became reachable without login
	Count int    `json:"count"`
	// Request is an example.
	Request struct {
		Method  string          `json:"method"`
		URL     string          `json:"url"`
		Headers []explain.Field `json:"headers,omitempty"`
		From    string          `json:"from,omitempty"`
		Via     string          `json:"via"`
		Caller  string          `json:"caller"`
	} `json:"request"`
	Before  became   `json:"before"`
	After   became   `json:"after"`
	Edits   []string `json:"edits,omitempty"`
	Because []caused `json:"because,omitempty"`
	text    string   // of the request
}

// became is an outcome.
type became struct {
	Verdict  string `json:"verdict"`
	Status   int    `json:"status,omitempty"` // of Doorward's own answer
	Location string `json:"location,omitempty"`
	Backend  string `json:"backend,omitempty"`
	Target   string `json:"target,omitempty"`
	Host     string `json:"host,omitempty"`
	Reason   string `json:"reason"`
	By       string `json:"by"`
	text     string
}

// caused is a rule that causes a change.
type caused struct {
	Object string `json:"object"`
	Field  string `json:"field,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Gone   bool   `json:"gone,omitempty"`
}

// show finds the lines of what a report tells of.
func show(r *diff.Report, before, after source.Options) *comparison {
	c := &comparison{Changes: []change{}, Open: r.Open(), Examples: r.Examples}
	for i := range r.Changes {
		d := &r.Changes[i]
		x := change{Class: string(d.Class), Title: d.Class.Title(), Open: d.Class.Open(), Count: d.Count, Edits: d.Edits,
			Before: outcome(&d.Before, before), After: outcome(&d.After, after), text: d.Example.String()}
		x.Request.Method, x.Request.URL, x.Request.Via, x.Request.Caller = d.Example.Method, d.Example.URL(), d.Example.Via, d.Example.Caller.Name
		if x.Request.Method == "" {
			x.Request.Method = "GET"
		}
		x.Request.Headers = explain.Fields(d.Example.Header)
		if d.Example.From.IsValid() {
			x.Request.From = d.Example.From.String()
		}
		for _, o := range d.Because {
			from := after
			if o.Gone {
				from = before
			}
			o.Origin = placed(o.Origin, from)
			x.Because = append(x.Because, caused{o.Ref.String(), o.Field, o.Origin.Origin.File, o.Origin.Origin.Line, o.Gone})
		}
		c.Changes = append(c.Changes, x)
	}
	return c
}

func outcome(o *diff.Outcome, src source.Options) became {
	b := became{string(o.Verdict), o.Status, o.Location, o.Backend, o.Target, o.Host, o.Reason, "", o.String()}
	if !o.By.Ref.IsZero() {
		b.By = placed(o.By, src).String()
	}
	return b
}

// placed is an origin with the line of its field.
func placed(o plan.Origin, src source.Options) plan.Origin {
	if line, ok := src.Locate(o.Origin, o.Field); ok && o.Field != "" {
		o.Origin.Line = line
	}
	return o
}

// write prints the comparison for people.
func (c *comparison) write(w io.Writer) error {
	var b strings.Builder
	open := 0
	for i := range c.Changes {
		x := &c.Changes[i]
		mark := ""
		if x.Open {
			open++
			mark = "! "
		}
		fmt.Fprintf(&b, "%s%s: %s\n", mark, x.Class, x.Title)
		fmt.Fprintf(&b, "    %s, %s%s\n", x.text, x.Request.Caller, others(x.Count))
		fmt.Fprintf(&b, "    before: %s\n", x.Before.line())
		fmt.Fprintf(&b, "    after:  %s\n", x.After.line())
		for _, e := range x.Edits {
			fmt.Fprintf(&b, "            %s\n", e)
		}
		for _, o := range x.Because {
			fmt.Fprintf(&b, "    cause:  %s\n", o.line())
		}
		b.WriteByte('\n')
	}
	switch n := len(c.Changes); {
	case n == 0:
		fmt.Fprintf(&b, "nothing changes for %s\n", count(c.Examples, "example request"))
	case open > 0:
		fmt.Fprintf(&b, "%s among %s; %d of them: reachable without login\n", count(n, "change"), count(c.Examples, "example request"), open)
	default:
		fmt.Fprintf(&b, "%s among %s; nothing became reachable without login\n", count(n, "change"), count(c.Examples, "example request"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func others(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n-1)
}

func (b *became) line() string {
	if b.By == "" {
		return b.text
	}
	return b.text + ", by " + b.By
}

func (c *caused) line() string {
	s := strings.TrimSpace(c.Object + " " + c.Field)
	if c.Gone {
		s += ", which is gone"
	}
	if c.File != "" {
		s += fmt.Sprintf(" (%s:%d)", c.File, c.Line)
	}
	return s
}

// problems are the changes as findings, for forms that show those.
func (c *comparison) problems() problem.List {
	var l problem.List
	for i := range c.Changes {
		x := &c.Changes[i]
		p := problem.Problem{Code: x.Class, Severity: problem.Info, URL: x.Request.URL,
			Message: x.Title + ": " + x.text + ", " + x.Request.Caller + others(x.Count) + "\nbefore: " + x.Before.text + "\nafter: " + x.After.text}
		if x.Open {
			p.Severity = problem.Error
		}
		if len(x.Because) > 0 {
			o := x.Because[0]
			p.Object = o.Object
			if p.Field = o.Field; !o.Gone { // GitHub shows lines of files as they are now
				p.File, p.Line = o.File, o.Line
			}
		}
		l = append(l, p)
	}
	return l
}
