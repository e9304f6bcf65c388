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
	case len(out.Hops()) == 1 && last.Host == nil && status == 503:
		return x.connectionFixes(last)
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

// connectionFixes are for a connection that the first listener does not take.
func (x *asking) connectionFixes(h *plan.Hop) []Fix {
	l := h.Listener
	takes, ask := "plain HTTP", "http://"
	switch {
	case h.Secure && l.TLS():
		for _, c := range l.Chains {
			if all := x.problemFixes(c.Origin); c.Closed && len(all) > 0 {
				return all
			}
		}
		return []Fix{{What: "no server of the port is for the name " + x.sni}}
	case !h.Secure && l.TLS():
		takes, ask = "TLS", "https://"
	}
	what := "the port takes " + takes + " alone: ask for " + ask + x.req.Host + x.req.Target
	service, _, _ := strings.Cut(l.Key, ":")
	for _, other := range x.ground.Plan.Listeners() {
		if strings.HasPrefix(other.Key, service+":") && other.TLS() == h.Secure {
			what += ", or --via " + other.Key
		}
	}
	return []Fix{{What: what}}
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
