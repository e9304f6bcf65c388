package check

import (
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// shadowed calls yield for each route all of whose requests an earlier rule of the
// same VirtualService takes, unless the two conditions are the same, of which
// compile tells.
func shadowed(p *Pass, yield func(route, by *plan.Route)) {
	p.rules(func(h *plan.Host) {
		seen := map[object.Ref]*paths{}
		for i, r := range h.Routes {
			if r.Origin.Ref.Kind != "VirtualService" {
				continue
			}
			x := seen[r.Origin.Ref]
			if x == nil {
				x = &paths{}
				seen[r.Origin.Ref] = x
			}
			x.before(&r.Rule, func(a *placed) bool {
				if !covers(&a.Rule, &r.Rule) || rule(a.Route).Field == rule(r).Field && !byPrefix(&a.Rule, &r.Rule) {
					return true
				}
				if !same(&a.Rule, &r.Rule) {
					yield(r, a.Route)
				}
				return false
			})
			x.add(&placed{r, i})
		}
	})
}

func same(a, b *match.Rule) bool { return a.String() == b.String() }

// byPrefix tells a case that Istio's analysis sees as well: one prefix behind
// another, with the same further conditions, where no method is any.
func byPrefix(a, b *match.Rule) bool {
	split := func(u *match.Rule) (method, rest string) {
		other := match.Rule{}
		for i := range u.All {
			if c := u.All[i]; c.Attr == match.Method {
				method += c.String()
			} else {
				other.All = append(other.All, c)
			}
		}
		return method, other.String()
	}
	method, rest := split(a)
	theirs, other := split(b)
	return a.Path.Op == match.Prefix && b.Path.Op == match.Prefix && rest == other && (method == "" || method == theirs)
}

// ruleShadowed: no request reaches a condition, since earlier rules take them all.
func ruleShadowed(p *Pass) {
	shadowed(p, func(r, by *plan.Route) {
		if !byPrefix(&by.Rule, &r.Rule) {
			p.report(r.Origin, "no request reaches it: "+by.Origin.Field+" stands before it and takes all of them ("+by.Rule.String()+")",
				"move the rule before "+rule(by).Field+", or delete it")
		}
	})
}

// matchCovered: the same, where Istio's analysis calls it a duplicate.
func matchCovered(p *Pass) {
	p.streamRepeated()
	shadowed(p, func(r, by *plan.Route) {
		if byPrefix(&by.Rule, &r.Rule) {
			p.report(r.Origin, "no request reaches it: "+by.Origin.Field+" stands before it and takes all of them ("+by.Rule.String()+")",
				"move the rule before "+rule(by).Field+", or delete it")
		}
	})
}

// ruleRepeated: all conditions of a rule are those of earlier rules. Compile tells of
// rules behind one that takes every request, and of each repetition.
func ruleRepeated(p *Pass) {
	p.streamUnreachable()
	p.rules(func(h *plan.Host) {
		type key struct {
			ref   object.Ref
			field string
		}
		first := map[key]string{} // the rule that has a condition
		fresh := map[key]bool{}   // rules with a condition of their own
		for _, r := range h.Routes {
			own := rule(r)
			condition := key{own.Ref, r.Rule.String()}
			if by, ok := first[condition]; !ok || by == own.Field {
				first[condition] = own.Field
				fresh[key{own.Ref, own.Field}] = true
			}
		}
		for _, r := range h.Routes {
			if own := rule(r); own.Ref.Kind == "VirtualService" && !fresh[key{own.Ref, own.Field}] {
				p.report(own, "no request reaches the rule: earlier rules have all its conditions ("+r.Rule.String()+")", "delete it, or change its conditions")
			}
		}
	})
}

// routeConflict: two VirtualServices want the same requests of a host, and which
// gets them depends on which was made first.
func routeConflict(p *Pass) {
	told := map[object.Ref]bool{}
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		all, x := make([]*placed, 0, len(h.Routes)), &paths{}
		for i, r := range h.Routes {
			if p.isRoot(r.Origin.Ref) {
				all = append(all, &placed{r, i})
				x.add(all[len(all)-1])
			}
		}
		for _, b := range all {
			x.before(&b.Rule, func(a *placed) bool {
				if a.Origin.Ref == b.Origin.Ref || told[a.Origin.Ref] && told[b.Origin.Ref] || !conflict(a.Route, b.Route) {
					return true
				}
				var on address // at which one of them takes what the other wants
				if path, ok := witness.Sample(b.Route); ok {
					on = p.first(l, h.Name, path)
				}
				for _, pair := range [][2]*placed{{a, b}, {b, a}} {
					if mine, other := pair[0], pair[1]; !told[mine.Origin.Ref] {
						told[mine.Origin.Ref] = true
						p.show(problem.Warning, mine.Origin, on, "it and "+other.Origin.Ref.String()+" "+other.Origin.Field+" want the same requests of host "+h.Name+
							" ("+mine.Rule.String()+" and "+other.Rule.String()+"); the VirtualService that was made first gets them",
							"give each application a prefix of its own, or put both rules into one VirtualService, the narrower first")
					}
				}
				return false
			})
		}
	})
}

// isRoot tells a VirtualService with hosts from a delegate, whose rules stand in
// the order of its root.
func (p *Pass) isRoot(ref object.Ref) bool {
	v, ok := p.Set.VirtualServices.Get(ref.Namespace, ref.Name)
	return ok && ref.Kind == "VirtualService" && len(v.Object.Spec.Hosts) > 0
}

// conflict tells whether it matters which of two routes stands first. The path of
// a may cover that of b.
func conflict(a, b *plan.Route) bool {
	if disjoint(&a.Rule, &b.Rule) || destination(a) == destination(b) {
		return false
	}
	if plain(a.Rule.Path).Equal(plain(b.Rule.Path)) {
		return takesAll(&a.Rule) == takesAll(&b.Rule)
	}
	return covers(&a.Rule, &b.Rule) && !takesAll(&a.Rule)
}

// destination is what becomes of a route's requests, in words that are equal for
// equal routes.
func destination(r *plan.Route) string {
	parts := []string{plan.Describe(r.Action)}
	if f, ok := r.Action.(*plan.Forward); ok {
		for i := range f.To {
			parts = append(parts, f.To[i].Backend.Key)
		}
	}
	for _, f := range r.Filters {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, "\n")
}

// hostHidesWildcard: a host that is named exactly is a virtual host of its own, and
// its requests never reach the rules of those who name a wildcard.
func hostHidesWildcard(p *Pass) {
	for _, l := range p.Plan.Listeners() {
		if l.Dialect != plan.Envoy {
			continue
		}
		for _, c := range l.Chains {
			var wild []*plan.Host
			owners := map[*plan.Host]map[object.Ref]bool{} // of their routes
			for _, h := range c.Hosts {
				if !strings.HasPrefix(h.Name, "*") {
					continue
				}
				wild, owners[h] = append(wild, h), map[object.Ref]bool{}
				for _, r := range h.Routes {
					owners[h][r.Origin.Ref] = true
				}
			}
			for _, h := range c.Hosts {
				for _, wider := range wild {
					if wider != h && len(wider.Name) <= len(h.Name) && strings.HasSuffix(h.Name, wider.Name[1:]) {
						hides(p, l, h, wider, owners[wider])
					}
				}
			}
		}
	}
}

// hides reports the VirtualServices of a host that keep its requests from those of
// a wider one, whose routes are theirs.
func hides(p *Pass, l *plan.Listener, h, wider *plan.Host, theirs map[object.Ref]bool) {
	x, mine := &paths{}, map[object.Ref]*plan.Route{}
	for i, r := range h.Routes {
		x.add(&placed{r, i})
		if mine[r.Origin.Ref] == nil && p.isRoot(r.Origin.Ref) {
			mine[r.Origin.Ref] = r
		}
	}
	var hidden []string
	var on address // at which a hidden one is missed
	seen := map[object.Ref]bool{}
	for _, r := range wider.Routes {
		ref := r.Origin.Ref
		if seen[ref] || mine[ref] != nil || !p.isRoot(ref) || x.covered(&r.Rule) {
			continue
		}
		seen[ref] = true
		if path, ok := witness.Sample(r); ok && on.listener == nil {
			on = p.first(l, h.Name, path)
		}
		if hidden = append(hidden, ref.Namespace+"/"+ref.Name); len(hidden) == 4 {
			hidden[3] = "others"
			break
		}
	}
	if len(hidden) == 0 {
		return
	}
	for ref, r := range mine {
		if theirs[ref] {
			continue
		}
		o := r.Origin
		o.Field = "spec.hosts"
		p.show(problem.Error, o, on, "it names host "+h.Name+", so no request for "+h.Name+" reaches the VirtualServices that name "+wider.Name+": "+strings.Join(hidden, ", ")+
			" answer 404 there", "name the host in the same way in all VirtualServices that it has: hosts: [\""+wider.Name+"\"]")
	}
}

// prefixCatchesSiblings: /app takes /apple as well.
func prefixCatchesSiblings(p *Pass) {
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		s := newSiblings(h)
		for i, r := range h.Routes {
			prefix := r.Rule.Path.Value
			if r.Origin.Ref.Kind != "VirtualService" || r.Rule.Path.Op != match.Prefix || strings.HasSuffix(prefix, "/") || prefix == "" {
				continue
			}
			message := "prefix " + prefix + " also takes what only begins so, such as " + prefix + "x"
			severity := problem.Info
			if other := s.of(r, i); other != nil {
				severity = problem.Warning
				message = "prefix " + prefix + " also takes requests of " + other.Origin.Ref.String() + " " + other.Origin.Field + " (" + other.Rule.String() + ")"
			}
			p.onRoute(l, h, r, severity, field(r, ".uri.prefix"), message, "write prefix: "+prefix+"/ and an exact redirect from "+prefix+" to "+prefix+"/")
		}
	})
}
