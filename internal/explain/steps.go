package explain

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/plan"
)

// Step is one thing that the walk looked at.
type Step struct {
	Hop     int    `json:"hop"` // from 0
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Origin  string `json:"origin,omitempty"`
	OK      bool   `json:"ok"` // it matched, passed or was done
	Why     string `json:"why,omitempty"`
	// Near tells of a route or policy rule that does not match how near it came: the
	// length of what its path has in common with the request's, parts that are one
	// mistyped included, and Close where only another condition failed.
	Near int `json:"near,omitempty"`
}

// Close is the nearness of what fits the path.
const Close = 1 << 20

// steps are the steps of the trace, with how near rules came.
func (x *asking) steps() []Step {
	steps := make([]Step, len(x.trace.Steps))
	hops := x.out.Hops()
	seen := make([]int, len(hops)) // routes of each hop
	policies := x.policies()
	for i, s := range x.trace.Steps {
		steps[i] = Step{Hop: s.Hop, Kind: s.Kind, Subject: s.Subject, Origin: s.Origin, OK: s.OK, Why: s.Why}
		switch {
		case s.OK:
		case s.Kind == "policy":
			if rule := policies[s.Origin]; rule != nil {
				steps[i].Near = x.policyNear(rule)
			}
		case s.Kind == "route" && hops[s.Hop].Host != nil:
			if routes := hops[s.Hop].Host.Routes; seen[s.Hop] < len(routes) {
				steps[i].Near = x.routeNear(routes[seen[s.Hop]], s.Why)
			}
			seen[s.Hop]++
		}
	}
	return steps
}

// policies are the rules of the walk's guards, by their origins.
func (x *asking) policies() map[string]*plan.PolicyRule {
	all := map[string]*plan.PolicyRule{}
	for _, h := range x.out.Hops() {
		for _, g := range h.Listener.Guards {
			for _, rule := range rulesOf(g) {
				all[rule.Origin.String()] = rule
			}
		}
	}
	return all
}

func rulesOf(g plan.Guard) []*plan.PolicyRule {
	switch g := g.(type) {
	case *plan.Policies:
		return slices.Concat(g.Audit.Rules(), g.Deny.Rules(), g.Allow.Rules())
	case *plan.External:
		return g.When.Rules()
	case *plan.Login:
		return g.When.Rules()
	}
	return nil
}

func (x *asking) routeNear(r *plan.Route, why string) int {
	if !strings.HasPrefix(why, "path is ") {
		return Close
	}
	return pathNear(r.Rule.Path.Value, x.req.Path)
}

func (x *asking) policyNear(r *plan.PolicyRule) int {
	if r.Never || !r.Concerns(x.req) {
		best := 0
		for _, p := range r.Places() {
			best = max(best, pathNear(p.Lead, x.req.Path))
		}
		return best
	}
	return Close
}

// mostNear is how many rules that did not match are told of, of each kind and hop.
const mostNear = 3

// nearest are the rules that came near, in order of their nearness.
func nearest(missed []Step) []Step {
	near := slices.DeleteFunc(slices.Clone(missed), func(s Step) bool { return s.Near < 2 }) // all have the "/"
	slices.SortStableFunc(near, func(a, b Step) int { return b.Near - a.Near })
	return near[:min(len(near), mostNear)]
}
