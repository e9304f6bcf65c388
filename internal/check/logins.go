package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// loginBypassByHeader: a login that is only for requests without Authorization
// needs something behind it that judges those with one.
func loginBypassByHeader(p *Pass) {
	p.front(func(l *plan.Listener, g guarding) {
		if len(g.tokenRules()) > 0 || g.onlyPrincipals() {
			return
		}
		for _, login := range g.logins {
			if !withoutHeader(login, "authorization") {
				continue
			}
			p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
				a, ok := p.way(l, h, r)
				if !ok || p.visit(a, visitor{}).took(r) || !p.visit(a.with("authorization", "x"), visitor{}).took(r) {
					return
				}
				p.show(problem.Error, login.Origin, a,
					"whoever sends any Authorization header is not asked to log in, and nothing else asks for a token: "+a.String()+" answers everybody with Authorization: x",
					"add a DENY policy for the same workload with from: [{source: {notRequestPrincipals: [\"*\"]}}]")
			})
		}
	})
}

// withoutHeader tells whether a rule is only for requests that lack a header.
func withoutHeader(r *plan.PolicyRule, name string) bool {
	for i := range r.When {
		c := &r.When[i]
		if c.Fact == match.FactHeader && c.Name[0] == name && anyValue(c.NotValues) {
			return true
		}
	}
	return false
}

// jwtNotRequired: a RequestAuthentication refuses bad tokens, and lets in who has none.
func jwtNotRequired(p *Pass) {
	required := map[string]bool{} // by the RequestAuthentication's name
	p.workloads(func(_ *plan.Listener, g guarding) {
		needed := len(g.logins) > 0
		for _, r := range g.rules() {
			needed = needed || asksToken(r, true)
		}
		for _, r := range g.tokens {
			if needed {
				required[r.Origin.Ref.String()] = true
			}
		}
	})
	claims := false
	p.claimRoutes(func(string, plan.Origin) { claims = true })
	p.workloads(func(l *plan.Listener, g guarding) {
		for _, r := range g.tokens {
			if required[r.Origin.Ref.String()] || claims && l.Dialect == plan.Envoy {
				continue
			}
			on, url := p.open(l)
			if url != "" {
				url = ": " + url + " answers everybody"
			}
			p.show(problem.Warning, at(r.Origin.Ref, r.Origin.Origin, "spec"), on,
				"a request without a token passes, as no policy of "+l.Title()+" asks for one"+url,
				"add an AuthorizationPolicy with from: [{source: {requestPrincipals: [\"*\"]}}]")
		}
	})
}

// open finds an address of a gateway that anybody can come to.
func (p *Pass) open(l *plan.Listener) (on address, url string) {
	if l.Dialect == plan.Sidecar {
		return address{}, ""
	}
	p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
		if on.listener != nil {
			return
		}
		if a, ok := p.way(l, h, r); ok && p.visit(a, visitor{}).took(r) {
			on, url = a, a.String()
		}
	})
	return on, url
}

// jwtClaimRoute: a route on a claim is never taken where nobody reads tokens.
func jwtClaimRoute(p *Pass) {
	p.claimRoutes(func(gateway string, rule plan.Origin) {
		namespace, name, _ := strings.Cut(gateway, "/")
		item, found := p.Set.Gateways.Get(namespace, name)
		if !found {
			return
		}
		read := false
		p.front(func(l *plan.Listener, g guarding) {
			s, ok := p.Set.Services.Get(serviceOf(l).Namespace, serviceOf(l).Name)
			read = read || ok && len(g.tokens) > 0 && object.Match(item.Object.Spec.Selector, s.Object.Spec.Selector)
		})
		if !read {
			p.reportAs(p.among(p.Set.RequestAuthentications.Len()), rule, "the rule is for a claim of a token, and no RequestAuthentication is for Gateway "+gateway+": no request takes it",
				"add a RequestAuthentication that selects the gateway's labels")
		}
	})
}

// claimRoutes calls yield for each gateway and rule of VirtualServices on claims.
func (p *Pass) claimRoutes(yield func(gateway string, rule plan.Origin)) {
	for _, vs := range p.Set.VirtualServices.All() {
		for i, http := range vs.Object.Spec.Http {
			for _, m := range http.Match {
				for name := range m.Headers {
					if !strings.HasPrefix(name, "@request.auth.claims") {
						continue
					}
					for _, gateway := range vs.Object.Spec.Gateways {
						if !strings.Contains(gateway, "/") {
							gateway = vs.Ref.Namespace + "/" + gateway
						}
						yield(gateway, at(vs.Ref, vs.Origin, "spec.http["+strconv.Itoa(i)+"]"))
					}
				}
			}
		}
	}
}

// among is the severity of a thing that is not found: an error where there are
// others of its kind, and otherwise the files are only a part.
func (p *Pass) among(n int) problem.Severity {
	if n == 0 {
		return problem.Info
	}
	c, _ := problem.Lookup(p.code)
	return c.Severity
}

// jwtPrincipalNeverSet: a rule on a token's contents where nobody reads tokens.
func jwtPrincipalNeverSet(p *Pass) {
	somewhere := map[*plan.PolicyRule]bool{}
	p.workloads(func(_ *plan.Listener, g guarding) {
		if len(g.tokens) > 0 || g.keys {
			for _, r := range g.rules() {
				somewhere[r] = true
			}
		}
	})
	p.workloads(func(l *plan.Listener, g guarding) {
		if len(g.tokens) > 0 || g.keys {
			return
		}
		severity := p.among(p.Set.RequestAuthentications.Len())
		for _, r := range g.policies.Allow.Rules() {
			if !r.Never && !somewhere[r] && asksToken(r, false) {
				p.reportAs(severity, r.Origin, "the rule allows by a token's contents, and no RequestAuthentication is for "+l.Title()+": it never allows anything (403)",
					"add a RequestAuthentication for the workload, or authorize at the gateway")
			}
		}
		for _, r := range g.tokenRules() {
			p.reportAs(severity, r.Origin, "the rule refuses whoever has no verified token, and no RequestAuthentication is for "+l.Title()+": it refuses everybody (403)",
				"add a RequestAuthentication for the workload, or authorize at the gateway")
		}
	})
}

// jwtIssuerUnknown: a principal of an issuer whose tokens are not taken.
func jwtIssuerUnknown(p *Pass) {
	p.workloads(func(l *plan.Listener, g guarding) {
		if len(g.tokens) == 0 {
			return
		}
		var issuers []string
		for _, r := range g.tokens {
			issuers = append(issuers, r.Issuer)
		}
		if g.keys {
			issuers = append(issuers, plan.KeyIssuer)
		}
		for _, r := range g.policies.Allow.Rules() {
			for n, all := range r.From {
				for i := range all {
					if c := &all[i]; c.Fact == match.FactRequestPrincipal && !r.Never {
						p.unknownIssuers(l, inside(r.Origin, ".from["+strconv.Itoa(n)+"].source.requestPrincipals"), c.Values, issuers)
					}
				}
			}
		}
	})
}

func (p *Pass) unknownIssuers(l *plan.Listener, field plan.Origin, values []match.PolicyValue, issuers []string) {
	for i := range values {
		v := &values[i]
		known := false
		for _, iss := range issuers {
			known = known || v.OfIssuer(iss)
		}
		if known {
			continue
		}
		near := ""
		issuer := v.Written
		if cut := strings.LastIndexByte(issuer, '/'); cut > 0 {
			issuer = issuer[:cut]
		}
		if name, ok := problem.Nearest(issuer, issuers); ok {
			near = "; did you mean " + name + "?"
		}
		p.report(inside(field, "["+strconv.Itoa(i)+"]"), "no RequestAuthentication of "+l.Title()+" takes tokens of the issuer of "+v.Written+"; there is "+strings.Join(issuers, ", ")+near,
			"write ISSUER/SUBJECT with the issuer as the RequestAuthentication has it")
	}
}

// jwtTokenStripped: the gateway takes the token away from the workload that asks
// for it.
func jwtTokenStripped(p *Pass) {
	p.front(func(l *plan.Listener, g guarding) {
		for _, t := range g.tokens {
			if t.Forward {
				continue
			}
			p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
				for _, door := range doors(r) {
					behind := p.guardsOf(door)
					if !takes(behind.tokens, t.Issuer) || len(behind.tokenRules()) == 0 && !behind.onlyPrincipals() {
						continue
					}
					a, _ := p.way(l, h, r)
					p.show(problem.Warning, at(t.Origin.Ref, t.Origin.Origin, t.Origin.Field), a,
						"the gateway takes the token of "+t.Issuer+" out of the request, and "+door.Title()+" asks for one too: "+r.Origin.Ref.String()+" answers 403",
						"write forwardOriginalToken: true")
				}
			})
		}
	})
}

func takes(rules []*plan.TokenRule, issuer string) bool {
	for _, r := range rules {
		if r.Issuer == issuer {
			return true
		}
	}
	return false
}

// doors are the sidecars that a route leads to.
func doors(r *plan.Route) []*plan.Listener {
	f, ok := r.Action.(*plan.Forward)
	if !ok {
		return nil
	}
	var all []*plan.Listener
	for i := range f.To {
		b := f.To[i].Backend
		for _, part := range append([]*plan.Backend{b}, b.Split...) {
			if part.Sidecar != nil {
				all = append(all, part.Sidecar)
			}
		}
	}
	return all
}
