package explain

import (
	"strings"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Fix is an edit that would let a refused request in.
type Fix struct {
	What  string `json:"what"`
	Place *Place `json:"place,omitempty"`
	// YAML is what stands there then, or is added.
	YAML string `json:"yaml,omitempty"`
	// And says that the edit is needed beside the one before it; otherwise it is another
	// way.
	And bool `json:"and,omitempty"`
	// Proven says that the edit was tried on the rule, and the rule decides otherwise.
	Proven bool `json:"proven,omitempty"`
}

// fixes are the smallest edits first. They are for whoever may make them: explain says
// what is in the way, not what is right.
func (x *asking) fixes() []Fix {
	out := &x.out
	last := &out.Hops()[len(out.Hops())-1]
	for _, s := range x.trace.Steps {
		if s.Hop == len(out.Hops())-1 && s.Kind == "guard" && !s.OK {
			return x.guardFixes(last, s.Subject)
		}
	}
	switch status := out.Reply.Status; {
	case last.To != nil:
		return x.backendFixes(last)
	case status == 404:
		return x.routeFixes(last)
	}
	return x.problemFixes(out.By)
}

// guardFixes are for the guard called subject, which has stopped the request.
func (x *asking) guardFixes(h *plan.Hop, subject string) []Fix {
	for _, g := range h.Listener.Guards {
		if g.String() != subject {
			continue
		}
		switch g := g.(type) {
		case *plan.Policies:
			return x.policyFixes(g)
		case *plan.Login:
			return x.loginFixes(g.Broken, &g.When)
		case *plan.External:
			return x.loginFixes(g.Broken, &g.When)
		case *plan.Tokens:
			return x.tokenFixes(g)
		}
	}
	return x.problemFixes(x.out.By)
}

// problemFixes are what check knows of the object that decided.
func (x *asking) problemFixes(by plan.Origin) (all []Fix) {
	object := by.Ref.String()
	field, _, _ := strings.Cut(by.Field, ".match")
	for _, p := range x.ground.Problems {
		if p.Object == object && p.Severity != problem.Info && p.Remedy != "" && field != "" && strings.HasPrefix(p.Field, field) {
			all = append(all, Fix{What: p.Remedy, Place: x.at(by, p.Field)})
		}
	}
	return all
}

// at is the place of a field of the origin's object.
func (x *asking) at(o plan.Origin, field string) *Place {
	o.Field = field
	return x.ground.lines([]plan.Origin{o}).place(o)
}
