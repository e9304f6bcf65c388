package check

import (
	"strings"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// refusesAll names the policies for which a workload refuses every request: the
// ALLOW policies, none of which has a rule, or a DENY rule for everything.
func refusesAll(g guarding) (by []plan.Origin, why string) {
	for _, r := range g.policies.Deny.Rules() {
		if !r.Never && r.Broken == "" && len(r.To)+len(r.From)+len(r.When) == 0 {
			return []plan.Origin{r.Origin}, "denies every request"
		}
	}
	for _, r := range g.policies.Allow.Rules() {
		if !r.Never {
			return nil, ""
		}
		by = append(by, r.Origin)
	}
	return by, "has no rule, so it allows nothing, and no other policy allows anything"
}

// workloadDeniedByDefault: a workload with a sidecar that answers 403 to everybody. It
// is an error where something leads there.
func workloadDeniedByDefault(p *Pass) {
	p.workloads(func(l *plan.Listener, g guarding) {
		by, why := refusesAll(g)
		if l.Dialect != plan.Sidecar || len(by) == 0 {
			return
		}
		namespace, rest, _ := strings.Cut(strings.TrimPrefix(l.Key, "workload "), "/")
		name, _, _ := strings.Cut(rest, ":")
		service, ok := p.Set.Services.Get(namespace, name)
		if !ok {
			return
		}
		way := p.leading(l)
		severity, message := problem.Info, "it refuses every request with 403, and nothing of these files leads to it"
		if way.caller != nil {
			severity, message = problem.Error, "it refuses every request with 403"
		}
		if way.on.listener != nil {
			message += ", also " + way.on.String()
		}
		message += ": " + by[0].Ref.String() + " " + why
		remedy := "add an AuthorizationPolicy in namespace " + namespace + ": {action: ALLOW, rules: [{from: [{source: {" + p.gatewaySource(way.caller) + "}}]}]}"
		for _, w := range p.Behind(service) {
			if object.Match(marked(l), w.Object.PodLabels()) {
				p.show(severity, at(w.Ref, w.Origin, ""), way.on, message, remedy)
			}
		}
	})
}

// marked are the labels that set the Pods of a sidecar's listener apart from others
// of its Service.
func marked(l *plan.Listener) map[string]string {
	labels := map[string]string{}
	_, mark, _ := strings.Cut(strings.TrimPrefix(l.Key, "workload "), " ")
	for pair := range strings.SplitSeq(mark, ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			labels[k] = v
		}
	}
	return labels
}

// approach is how requests come to a workload.
type approach struct {
	caller *plan.Listener // nil: no route leads there
	on     address        // zero: none is found
}

// leading finds a route to a sidecar, best one with an address.
func (p *Pass) leading(door *plan.Listener) (best approach) {
	for _, a := range p.arrivals()[door] {
		best.caller = a.listener
		if on, ok := p.way(a.listener, a.hosted, a.route); ok {
			best.on = on
			break
		}
	}
	return best
}

// gatewaySource is who a gateway is to a policy: l, or any. Without a workload of it
// nothing tells its account, and what is known is where it runs.
func (p *Pass) gatewaySource(l *plan.Listener) string {
	if l == nil || l.Identity == "" {
		l = nil
		for _, g := range p.Plan.Listeners() {
			if g.Dialect == plan.Envoy && (l == nil || len(p.edgeWays()[l]) == 0) {
				l = g
			}
		}
	}
	if l == nil {
		return "principals: [cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account]"
	}
	ref := serviceOf(l)
	if s, ok := p.Set.Services.Get(ref.Namespace, ref.Name); ok && len(p.Behind(s)) == 0 && p.Set.Pods.Len() == 0 {
		return "namespaces: [" + ref.Namespace + "]"
	}
	return "principals: [" + l.Identity + "]"
}

// gatewayDeniedByDefault: compile tells of gateways without a rule that allows;
// here are those with one that denies everything.
func gatewayDeniedByDefault(p *Pass) {
	p.front(func(l *plan.Listener, g guarding) {
		if by, why := refusesAll(g); len(by) == 1 && len(g.policies.Deny.Rules()) > 0 && why == "denies every request" {
			c, _ := problem.Lookup(p.code)
			p.show(c.Severity, by[0], p.first(l, "*", "/"), l.Title()+" refuses every request with 403: the rule "+why, "write what is to be denied into the rule")
		}
	})
}

// allowAllInNamespace: a policy that switches deny-all off for its namespace.
func allowAllInNamespace(p *Pass) {
	for _, item := range p.Set.AuthorizationPolicies.All() {
		spec := &item.Object.Spec
		if spec.Action != 0 || spec.Selector != nil || len(spec.TargetRefs) > 0 || spec.TargetRef != nil {
			continue
		}
		for _, r := range spec.Rules {
			if r != nil && len(r.From)+len(r.To)+len(r.When) == 0 {
				p.report(at(item.Ref, item.Origin, "spec.rules"), "every request to every workload of namespace "+item.Ref.Namespace+" is allowed, whoever it is from",
					"narrow it to the gateway: from: [{source: {"+p.gatewaySource(nil)+"}}]")
			}
		}
	}
}
