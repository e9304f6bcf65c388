package check

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// guarding is what judges the requests to a workload.
type guarding struct {
	asked    [][]*plan.PolicyRule // by whoever CUSTOM policies ask
	logins   []*plan.PolicyRule   // asked, in one list
	header   []string             // identity headers that are set for members
	tokens   []*plan.TokenRule
	keys     bool
	session  bool // a login of our own
	policies *plan.Policies
	required bool // something refuses requests without login or token
}

// guardsOf reads the guards of a listener.
func (p *Pass) guardsOf(l *plan.Listener) guarding {
	if g, ok := p.guards[l]; ok {
		return *g
	}
	g := readGuards(l)
	p.guards[l] = &g
	return g
}

func readGuards(l *plan.Listener) guarding {
	var g guarding
	for _, guard := range l.Guards {
		switch x := guard.(type) {
		case *plan.External:
			g.asked = append(g.asked, x.When.Rules())
			if x.Provider != nil {
				for _, t := range x.Provider.UpstreamOnAllow {
					g.sets(t.Value)
				}
			}
		case *plan.Login:
			g.asked, g.session = append(g.asked, x.When.Rules()), true
		case *plan.Tokens:
			g.tokens = x.Rules
			for _, r := range x.Rules {
				g.sets(r.PayloadTo)
				for i := range r.ClaimsTo {
					g.sets(r.ClaimsTo[i].Name)
				}
			}
		case *plan.APIKeys:
			g.keys = true
		case *plan.Policies:
			g.policies = x
		}
	}
	g.logins = slices.Concat(g.asked...)
	if g.policies == nil {
		g.policies = &plan.Policies{}
	}
	g.required = len(g.asked) > 0 || len(g.tokenRules()) > 0 || g.onlyPrincipals()
	return g
}

// sets notes an identity header. Those that carry a login or a request's own
// parts are none.
func (g *guarding) sets(name string) {
	name = strings.ToLower(name)
	if name != "" && name != "authorization" && name != "cookie" && name != "path" && !strings.HasPrefix(name, ":") && !slices.Contains(g.header, name) {
		g.header = append(g.header, name)
	}
}

// tokenRules are the DENY rules that refuse whoever has no request principal.
func (g *guarding) tokenRules() []*plan.PolicyRule {
	var all []*plan.PolicyRule
	for _, r := range g.policies.Deny.Rules() {
		if !r.Never && r.Broken == "" && refusesNobody(r) {
			all = append(all, r)
		}
	}
	return all
}

func refusesNobody(r *plan.PolicyRule) bool {
	for _, conditions := range append(slices.Clone(r.From), r.When) {
		for i := range conditions {
			if c := &conditions[i]; c.Fact == match.FactRequestPrincipal && len(c.Values) == 0 && anyValue(c.NotValues) {
				return true
			}
		}
	}
	return false
}

func anyValue(values []match.PolicyValue) bool {
	return slices.ContainsFunc(values, func(v match.PolicyValue) bool { return v.Written == "*" })
}

// onlyPrincipals tells whether ALLOW policies let in nobody without a request
// principal, but for some paths.
func (g *guarding) onlyPrincipals() bool {
	some := false
	for _, r := range g.policies.Allow.Rules() {
		switch {
		case r.Never:
		case asksToken(r, false):
			some = true
		case !slices.ContainsFunc(r.To, func(to match.Conditions) bool {
			return slices.ContainsFunc(to, func(c match.PolicyCondition) bool { return c.Fact == match.FactPath })
		}):
			return false
		}
	}
	return some
}

// asksToken tells whether a rule looks at tokens; with either, also where it asks
// that they be absent.
func asksToken(r *plan.PolicyRule, either bool) bool {
	for _, conditions := range append(slices.Clone(r.From), r.When) {
		for i := range conditions {
			c := &conditions[i]
			if (c.Fact == match.FactRequestPrincipal || c.Fact == match.FactClaim) && (either || len(c.Values) > 0) {
				return true
			}
		}
	}
	return false
}

// rules are all rules in force but those of authorizers.
func (g *guarding) rules() []*plan.PolicyRule {
	return slices.Concat(g.policies.Deny.Rules(), g.policies.Allow.Rules())
}

// workloads calls yield for each gateway's listener and each sidecar.
func (p *Pass) workloads(yield func(*plan.Listener, guarding)) {
	for _, l := range p.Plan.Listeners() {
		if l.Dialect == plan.Envoy || l.Dialect == plan.Sidecar {
			yield(l, p.guardsOf(l))
		}
	}
}

// front calls yield for each gateway's listener.
func (p *Pass) front(yield func(*plan.Listener, guarding)) {
	p.workloads(func(l *plan.Listener, g guarding) {
		if l.Dialect == plan.Envoy {
			yield(l, g)
		}
	})
}
