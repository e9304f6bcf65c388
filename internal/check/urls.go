package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// routed is a route and where it stands.
type routed struct {
	listener *plan.Listener
	host     *plan.Host
	route    *plan.Route
}

// Locate gives each finding about a rule of a VirtualService, an Ingress or a Gateway, and
// about a Service that routes lead to, an address at which it shows, unless it has one.
func Locate(l problem.List, set *object.Set, pl *plan.Plan) {
	var p *Pass
	var routes map[string][]routed
	for i := range l {
		kind, _, _ := strings.Cut(l[i].Object, " ")
		if strings.HasPrefix(l[i].Field, "spec.tcp") || kind == "VirtualService" && strings.HasPrefix(l[i].Field, "spec.tls") {
			continue // it is about connections
		}
		if l[i].URL != "" || kind != "VirtualService" && kind != "Ingress" && kind != "Gateway" && kind != "Service" {
			continue
		}
		if p == nil {
			p = newPass(set, pl)
			routes = p.byObject()
		}
		if port, ok := portOf(&l[i], set); ok {
			l[i].URL = p.locate(&l[i], routes[l[i].Object+":"+port])
		} else {
			l[i].URL = p.locate(&l[i], routes[l[i].Object])
		}
	}
}

// portOf is the number of the port that a finding about a Service is about.
func portOf(f *problem.Problem, set *object.Set) (string, bool) {
	name, isService := strings.CutPrefix(f.Object, "Service ")
	number, ofPort := strings.CutPrefix(f.Field, "spec.ports[")
	if !isService || !ofPort {
		return "", false
	}
	number, _, _ = strings.Cut(number, "]")
	namespace, name, _ := strings.Cut(name, "/")
	s, ok := set.Services.Get(namespace, name)
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i >= len(s.Object.Spec.Ports) {
		return "", false
	}
	return strconv.Itoa(int(s.Object.Spec.Ports[i].Port)), true
}

// byObject are the routes of the edge and the gateways by the object that has them, by
// the Services that they lead to, and by those with the port.
func (p *Pass) byObject() map[string][]routed {
	all := map[string][]routed{}
	for _, l := range p.Plan.Listeners() {
		if l.Dialect != plan.Envoy && l.Dialect != plan.NGINX {
			continue
		}
		p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
			name := r.Origin.Ref.String()
			all[name] = append(all[name], routed{l, h, r})
			if f, ok := r.Action.(*plan.Forward); ok {
				for i := range f.To {
					if b := f.To[i].Backend; b != nil && b.Service.Name != "" {
						name := b.Service.String()
						port := name + ":" + strconv.Itoa(b.Port)
						all[name], all[port] = append(all[name], routed{l, h, r}), append(all[port], routed{l, h, r})
					}
				}
			}
		})
	}
	return all
}

// locate is an address of the rule that a finding is about, or of the object's first.
// A rule that others keep all requests from shows where they take them.
func (p *Pass) locate(f *problem.Problem, routes []routed) string {
	var best *routed
	for i := range routes {
		r := &routes[i]
		if best == nil || about(f.Field, r.route.Origin.Field) && !about(f.Field, best.route.Origin.Field) {
			best = r
		}
	}
	if best == nil {
		return ""
	}
	a, ok := p.way(best.listener, best.host, best.route)
	if path, simple := witness.Sample(best.route); !ok && simple {
		a = p.first(best.listener, best.host.Name, path)
		ok = a.listener != nil
	}
	if !ok {
		return ""
	}
	a.secure = a.secure || strings.HasPrefix(f.Code, "ingress-tls")
	return a.String()
}

// about tells whether a field is in the rule of a route.
func about(field, route string) bool {
	rule, _, _ := strings.Cut(route, ".match[")
	return field == rule || strings.HasPrefix(field, rule+".")
}
