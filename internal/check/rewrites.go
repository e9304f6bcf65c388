package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// arrival is how requests of a route come to a workload: with which paths and host
// they were sent, and with which they arrive. A path is exact or a prefix.
type arrival struct {
	listener         *plan.Listener
	hosted           *plan.Host
	route            *plan.Route
	sent, arrives    match.Text
	host, hostBehind string // "": as sent
}

// arrivals are those of every sidecar, from gateways and from the edge.
func (p *Pass) arrivals() map[*plan.Listener][]arrival {
	if p.arrived != nil {
		return p.arrived
	}
	all := map[*plan.Listener][]arrival{}
	p.arrived = all
	for _, l := range p.Plan.Listeners() {
		if l.Dialect != plan.Envoy && l.Dialect != plan.NGINX {
			continue
		}
		p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
			f, ok := r.Action.(*plan.Forward)
			if !ok {
				return
			}
			a := arrival{listener: l, hosted: h, route: r, sent: r.Rule.Path, arrives: rewrittenPath(r.Rule.Path, f.Rewrite), host: h.Name, hostBehind: f.Host}
			for _, door := range doors(r) {
				all[door] = append(all[door], a)
			}
		})
	}
	return all
}

// rewrittenPath is the paths that a route makes of those that it takes. What is
// not known is Any.
func rewrittenPath(t match.Text, w *plan.Rewrite) match.Text {
	switch {
	case t.Op != match.Exact && t.Op != match.Prefix || w != nil && w.Regex != nil:
		return match.Text{}
	case w == nil:
		return t
	case w.Whole, t.Op == match.Exact:
		if strings.HasPrefix(t.Value, w.Prefix) && !w.Whole {
			return match.Text{Op: match.Exact, Value: w.With + t.Value[len(w.Prefix):]}
		}
		return match.Text{Op: match.Exact, Value: w.With}
	}
	return match.Text{Op: match.Prefix, Value: w.With}
}

// authzPathAfterRewrite: a policy of a workload names paths as clients ask for
// them, and the workload gets others.
func authzPathAfterRewrite(p *Pass) {
	p.afterRewrite(match.FactPath, ".paths", func(a *arrival, value string) (sent, arrives bool) {
		if stripped(a, lead(value)) {
			return true, false
		}
		return meets(value, a.sent), meets(value, a.arrives)
	}, "rewrite.uri", "name the paths as the workload gets them")
}

// stripped tells whether a path begins with the prefix that the route takes away.
// That it may be asked for twice, /app/app/, is not what its author meant.
func stripped(a *arrival, path string) bool {
	prefix := strings.TrimSuffix(a.sent.Value, "/")
	return a.sent.Op == match.Prefix && a.arrives.Op == match.Prefix && prefix != "" &&
		strings.HasPrefix(path+"/", prefix+"/") && !strings.HasPrefix(a.arrives.Value, prefix)
}

// authzHostAfterRewrite: the same for hosts.
func authzHostAfterRewrite(p *Pass) {
	p.afterRewrite(match.FactHost, ".hosts", func(a *arrival, value string) (sent, arrives bool) {
		name := witness.Concrete(a.host, value)
		sent = fitsPattern(value, name)
		if a.hostBehind == "" {
			return sent, sent
		}
		return sent, fitsPattern(value, a.hostBehind)
	}, "rewrite.authority", "name the host as the workload gets it")
}

// afterRewrite reports operations none of whose values any arriving request has,
// although requests are sent that do.
func (p *Pass) afterRewrite(fact match.Fact, field string, meets func(*arrival, string) (sent, arrives bool), by, remedy string) {
	arrivals := p.arrivals()
	p.workloads(func(l *plan.Listener, g guarding) {
		if len(arrivals[l]) == 0 {
			return
		}
		for _, r := range append(g.rules(), g.logins...) {
			for n, to := range r.To {
				for i := range to {
					if c := &to[i]; c.Fact == fact && len(c.Values) > 0 && !r.Never {
						p.neverArrives(arrivals[l], inside(r.Origin, ".to["+strconv.Itoa(n)+"].operation"+field), c.Values, meets, by, remedy)
					}
				}
			}
		}
	})
}

func (p *Pass) neverArrives(arrivals []arrival, at plan.Origin, values []match.PolicyValue, meets func(*arrival, string) (sent, arrives bool), by, remedy string) {
	var shows *arrival
	for i := range arrivals {
		for _, v := range values {
			sent, arrives := meets(&arrivals[i], v.Written)
			if arrives {
				return
			}
			if sent && shows == nil {
				shows = &arrivals[i]
			}
		}
	}
	if shows == nil {
		return
	}
	a, _ := p.way(shows.listener, shows.hosted, shows.route)
	p.show(problem.Warning, at, a, "the rule is about "+values[0].Written+", which the workload never gets: "+by+" of "+shows.route.Origin.String()+" changes it first",
		remedy+", or authorize at the gateway")
}

// meets tells whether some path that t takes may fulfil a pattern of policies.
func meets(pattern string, t match.Text) bool {
	if t.Op != match.Exact && t.Op != match.Prefix {
		return true
	}
	stem := lead(pattern)
	switch open := stem != pattern; {
	case strings.HasPrefix(pattern, "*"):
		return t.Op == match.Prefix || strings.HasSuffix(t.Value, pattern[1:])
	case t.Op == match.Exact && !open:
		return t.Value == pattern
	case t.Op == match.Exact:
		return strings.HasPrefix(t.Value, stem)
	case open:
		return strings.HasPrefix(stem, t.Value) || strings.HasPrefix(t.Value, stem)
	}
	return strings.HasPrefix(pattern, t.Value)
}

// fitsPattern tells whether a host fulfils a pattern of policies.
func fitsPattern(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(host)
	name, _ := match.SplitPort(pattern)
	switch {
	case pattern == "*":
		return true
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(host, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(host, strings.TrimSuffix(strings.TrimSuffix(pattern, "*"), ":"))
	}
	return pattern == host || name == host
}
