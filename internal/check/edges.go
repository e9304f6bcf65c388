package check

import (
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// A handover is a rule of the edge that hands requests to a gateway.
type handover struct {
	host  *plan.Host
	route *plan.Route
	*plan.Forward
	to *plan.Listener
}

// handovers are those of the edge by the gateway's Service.
func handovers(p *plan.Plan) map[object.Ref][]handover {
	all := map[object.Ref][]handover{}
	edge := p.Listener(plan.Edge)
	if edge == nil {
		return all
	}
	for _, c := range edge.Chains {
		for _, h := range c.Hosts {
			for _, r := range h.Routes {
				f, ok := r.Action.(*plan.Forward)
				if !ok {
					continue
				}
				for i := range f.To {
					if next := f.To[i].Backend.Next; next != nil && next.Dialect == plan.Envoy {
						all[serviceOf(next)] = append(all[serviceOf(next)], handover{h, r, f, next})
					}
				}
			}
		}
	}
	return all
}

// overlap tells whether some name is one of both a and b, each exact, *.suffix or *.
func overlap(a, b string) bool {
	if !strings.HasPrefix(a, "*") {
		a, b = b, a
	}
	if !strings.HasPrefix(a, "*") {
		return a == b
	}
	return strings.HasSuffix(strings.TrimPrefix(b, "*"), a[1:]) || strings.HasPrefix(b, "*") && strings.HasSuffix(a[1:], b[1:])
}

// behindEdge calls yield for each host of a gateway that the edge hands requests to,
// with the handovers of the gateway's Service.
func (p *Pass) behindEdge(yield func(*plan.Listener, *plan.Host, []handover)) {
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		if ways := p.handed[serviceOf(l)]; len(ways) > 0 {
			yield(l, h, ways)
		}
	})
}

// forHost are the handovers that bring requests for a host.
func forHost(ways []handover, host string) []handover {
	var some []handover
	for _, w := range ways {
		if overlap(w.host.Name, host) {
			some = append(some, w)
		}
	}
	return some
}

// hostNotAtEdge: a gateway stands behind an Ingress, and no rule of it is for a host.
func hostNotAtEdge(p *Pass) {
	p.behindEdge(func(l *plan.Listener, h *plan.Host, ways []handover) {
		if h.Name == "*" || strings.HasSuffix(h.Name, ".local") || len(forHost(ways, h.Name)) > 0 {
			return
		}
		var have []string
		for _, w := range ways {
			if !slices.Contains(have, w.host.Name) && len(have) < 5 {
				have = append(have, w.host.Name)
			}
		}
		c, _ := problem.Lookup(p.code)
		severity := c.Severity
		if s, ok := p.Set.Services.Get(serviceOf(l).Namespace, serviceOf(l).Name); ok && s.Object.Spec.Type == corev1.ServiceTypeLoadBalancer {
			severity = problem.Info // it may be reached without the edge
		}
		for _, r := range h.Routes {
			if !p.isRoot(r.Origin.Ref) {
				continue
			}
			o := r.Origin
			o.Field = "spec.hosts"
			path, _ := witness.Sample(r)
			on := address{listener: p.Plan.Listener(plan.Edge), secure: true, host: sampleHost(h.Name), path: path}
			p.show(severity, o, on, "no Ingress hands requests for "+h.Name+" to the gateway "+l.Key+", so the edge answers 404 for them; it is handed those for "+strings.Join(have, ", "),
				"add a rule for host "+h.Name+" to "+ways[0].route.Origin.Ref.String())
		}
	})
}

// pathNotForwarded: the edge hands a gateway other paths than those of a rule.
func pathNotForwarded(p *Pass) {
	p.behindEdge(func(l *plan.Listener, h *plan.Host, ways []handover) {
		ways = forHost(ways, h.Name)
		if len(ways) == 0 || slices.ContainsFunc(ways, func(w handover) bool { return w.Rewrite != nil || w.route.Rule.Path.Value == "/" }) {
			return
		}
		for _, r := range h.Routes {
			lead, _ := r.Rule.Path.Lead()
			if r.Origin.Ref.Kind != "VirtualService" || lead == "" || slices.ContainsFunc(ways, func(w handover) bool { return pathsMeet(&w.route.Rule.Path, &r.Rule.Path) }) {
				continue
			}
			var have []string
			for _, w := range ways {
				if v := w.route.Rule.Path.Value; !slices.Contains(have, v) && len(have) < 5 {
					have = append(have, v)
				}
			}
			on := address{listener: p.Plan.Listener(plan.Edge), secure: true, host: witness.Concrete(h.Name, ways[0].host.Name), path: lead}
			p.show(problem.Warning, field(r, ".uri"), on, "no Ingress hands the path "+lead+" to the gateway "+l.Key+", so the edge answers 404 for it; it hands over "+strings.Join(have, ", "),
				"add path "+lead+" to "+ways[0].route.Origin.Ref.String())
		}
	})
}

// pathsMeet tells whether some path may fulfil both conditions.
func pathsMeet(edge, t *match.Text) bool {
	lead, _ := t.Lead()
	switch {
	case edge.Op == match.Exact && t.Op == match.Exact:
		return edge.Value == t.Value
	case edge.Op == match.Exact:
		return strings.HasPrefix(edge.Value, lead)
	case t.Op == match.Exact:
		return strings.HasPrefix(lead, edge.Value)
	}
	return strings.HasPrefix(lead, edge.Value) || strings.HasPrefix(edge.Value, lead)
}

// timeoutOrder: the edge gives up before a route's own timeout.
func timeoutOrder(p *Pass) {
	p.behindEdge(func(_ *plan.Listener, h *plan.Host, ways []handover) {
		ways = forHost(ways, h.Name)
		var longest time.Duration
		for _, w := range ways {
			longest = max(longest, w.Limits.Read)
		}
		for _, r := range h.Routes {
			f, ok := r.Action.(*plan.Forward)
			if !ok || longest == 0 || f.Limits.Total <= longest || r.Origin.Ref.Kind != "VirtualService" {
				continue
			}
			o := rule(r)
			o.Field += ".timeout"
			p.report(o, "the timeout of "+f.Limits.Total.String()+" is longer than the edge waits ("+longest.String()+"), which answers 504 first",
				"nginx.ingress.kubernetes.io/proxy-read-timeout: \""+strconv.Itoa(int(f.Limits.Total.Seconds()))+"\" on "+ways[0].route.Origin.Ref.String())
		}
	})
}

// redirectLoopTLS: the edge has ended TLS, the gateway sees plain text and
// redirects to https, and so on.
func redirectLoopTLS(p *Pass) {
	p.behindEdge(func(l *plan.Listener, h *plan.Host, ways []handover) {
		if len(h.Routes) == 0 || l.TrustedHops > 0 || p.Set.Others["ProxyConfig.networking.istio.io"] > 0 {
			return
		}
		r := h.Routes[0]
		if d, ok := r.Action.(*plan.Redirect); !ok || d.Scheme != "https" || r.Origin.Ref.Kind != "Gateway" {
			return
		}
		for _, w := range forHost(ways, h.Name) {
			if w.to != l || w.To[0].Backend.TLS != nil {
				continue
			}
			o := r.Origin
			o.Field += ".tls.httpsRedirect"
			name := w.host.Name
			if strings.HasPrefix(name, "*") {
				name = sampleHost(h.Name)
			}
			on := address{listener: p.Plan.Listener(plan.Edge), secure: true, host: name, path: "/"}
			p.show(problem.Error, o, on, on.String()+" redirects to itself for ever: "+w.route.Origin.Ref.String()+
				" ends TLS and hands plain text to this server, which trusts no proxy (numTrustedProxies is 0) and redirects to https",
				"remove httpsRedirect, as the edge redirects already; or set gatewayTopology: {numTrustedProxies: 1} in MeshConfig.defaultConfig")
			return
		}
	})
}
