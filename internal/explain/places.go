package explain

import (
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Place is where something is written.
type Place struct {
	Object string `json:"object"` // "Kind namespace/name"
	Field  string `json:"field,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

// places are origins with the lines of their fields, by their texts. A plan knows the
// first line of each object.
type places map[string]plan.Origin

// find finds the lines of the rules that are told of: of those that do not match only
// of the nearest, as finding a line means reading its file.
func (x *asking) find(steps []Step) places {
	wanted := map[string]bool{x.out.By.String(): true}
	for hop := range x.out.Hops() {
		for _, kind := range []string{"route", "policy"} {
			var missed []Step
			for _, s := range steps {
				switch {
				case s.Hop != hop:
				case s.OK:
					wanted[s.Origin] = true
				case s.Kind == kind:
					missed = append(missed, s)
				case s.Kind != "route" && s.Kind != "policy":
					wanted[s.Origin] = true
				}
			}
			if len(missed) > mostNear {
				missed = nearest(missed)
			}
			for _, s := range missed {
				wanted[s.Origin] = true
			}
		}
	}
	var found []plan.Origin
	add := func(o plan.Origin) {
		if text := o.String(); wanted[text] {
			wanted[text] = false
			found = append(found, o)
		}
	}
	add(x.out.By)
	for _, h := range x.out.Hops() {
		for _, g := range h.Listener.Guards {
			for _, rule := range rulesOf(g) {
				add(rule.Origin)
			}
			if t, ok := g.(*plan.Tokens); ok {
				for _, r := range t.Rules {
					add(r.Origin)
				}
			}
		}
		if h.Host != nil {
			for _, r := range h.Host.Routes {
				add(r.Origin)
			}
		}
	}
	return x.ground.lines(found)
}

// lines finds the lines of fields.
func (g *Ground) lines(origins []plan.Origin) places {
	lines := make(problem.List, len(origins))
	for i, o := range origins {
		lines[i] = problem.Problem{File: o.Origin.File, Line: o.Origin.Line, Field: o.Field}
	}
	g.Source.Point(lines)
	found := make(places, len(origins))
	for i, o := range origins {
		was := o.String()
		o.Origin.Line = lines[i].Line
		found[was] = o
	}
	return found
}

// text is an origin's text with the line of its field, where it is known.
func (p places) text(origin string) string {
	if o, ok := p[origin]; ok {
		return o.String()
	}
	return origin
}

// place is the place of an origin.
func (p places) place(o plan.Origin) *Place {
	if found, ok := p[o.String()]; ok {
		o = found
	}
	return &Place{Object: o.Ref.String(), Field: o.Field, File: o.Origin.File, Line: o.Origin.Line}
}
