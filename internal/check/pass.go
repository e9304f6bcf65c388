package check

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Pass is what the checks of one run share.
type Pass struct {
	Set  *object.Set
	Plan *plan.Plan

	code     string // of the check that runs
	problems problem.List
	told     map[place]bool
	gateways map[object.Ref]bool // Services in front of gateway workloads
	pods     map[label][]object.Item[*object.Workload]
	ways     map[*plan.Listener][]edgeWay
	came     []*entry // nil: not looked for
	guards   map[*plan.Listener]*guarding
	arrived  map[*plan.Listener][]arrival // nil: not looked for
	known    map[*plan.Route]address      // at which members come to a route; zero: none is found
	handed   map[object.Ref][]handover    // of the edge, by the gateway's Service
}

// place is where something was reported: one mistake is one finding, in however
// many hosts and listeners its route may be.
type place struct {
	code  string
	ref   object.Ref
	field string
}

type label struct{ namespace, key, value string }

func newPass(set *object.Set, p *plan.Plan) *Pass {
	pass := &Pass{Set: set, Plan: p, told: map[place]bool{}, gateways: map[object.Ref]bool{}, pods: map[label][]object.Item[*object.Workload]{}, known: map[*plan.Route]address{}, guards: map[*plan.Listener]*guarding{}, handed: handovers(p)}
	for _, l := range p.Listeners() {
		if l.Dialect == plan.Envoy {
			pass.gateways[serviceOf(l)] = true
		}
	}
	for _, w := range set.Workloads.All() {
		for k, v := range w.Object.PodLabels() {
			at := label{w.Ref.Namespace, k, v}
			pass.pods[at] = append(pass.pods[at], w)
		}
	}
	return pass
}

// serviceOf is the Service whose port a gateway's listener is.
func serviceOf(l *plan.Listener) object.Ref {
	namespace, rest, _ := strings.Cut(l.Key, "/")
	name, _, _ := strings.Cut(rest, ":")
	return object.Ref{Kind: "Service", Namespace: namespace, Name: name}
}

// report tells a finding of the running check, in the severity of its code.
func (p *Pass) report(at plan.Origin, message, remedy string) {
	c, _ := problem.Lookup(p.code)
	p.reportAs(c.Severity, at, message, remedy)
}

// reportAs is report in a severity that the circumstances ask for.
func (p *Pass) reportAs(severity problem.Severity, at plan.Origin, message, remedy string) {
	c, _ := problem.Lookup(p.code)
	p.reportIstio(c.Istio, severity, at, message, remedy)
}

// reportIstio is reportAs with another of Istio's codes than that of the table.
func (p *Pass) reportIstio(istio string, severity problem.Severity, at plan.Origin, message, remedy string) {
	key := place{p.code, at.Ref, at.Field}
	if p.told[key] || at.Ref.IsZero() {
		return
	}
	p.told[key] = true
	p.problems = append(p.problems, problem.Problem{
		Code: p.code, Istio: istio, Severity: severity, Object: at.Ref.String(), Field: at.Field,
		File: at.Origin.File, Line: at.Origin.Line, Message: message, Remedy: remedy,
	})
}

// onRoute is show of what shows on the requests of a route.
func (p *Pass) onRoute(l *plan.Listener, h *plan.Host, r *plan.Route, severity problem.Severity, at plan.Origin, message, remedy string) {
	if !p.told[place{p.code, at.Ref, at.Field}] {
		on, _ := p.way(l, h, r)
		p.show(severity, at, on, message, remedy)
	}
}

// fieldOf is a field of an object of a Set.
func fieldOf[T metav1.Object](item object.Item[T], field string) plan.Origin {
	return plan.Origin{Ref: item.Ref, Origin: item.Origin, Field: field}
}

// show is reportAs of what shows on an address; the zero one is none.
func (p *Pass) show(severity problem.Severity, at plan.Origin, on address, message, remedy string) {
	before := len(p.problems)
	p.reportAs(severity, at, message, remedy)
	if len(p.problems) > before && on.listener != nil {
		p.problems[before].URL = on.String()
	}
}

// at is a field of an object.
func at(ref object.Ref, origin object.Origin, field string) plan.Origin {
	return plan.Origin{Ref: ref, Origin: origin, Field: field}
}

// IsGateway tells whether a Service leads to a gateway workload.
func (p *Pass) IsGateway(service object.Ref) bool { return p.gateways[service] }

// Behind returns the workloads whose Pods a Service selects.
func (p *Pass) Behind(s object.Item[*corev1.Service]) []object.Item[*object.Workload] {
	selector := s.Object.Spec.Selector
	var few []object.Item[*object.Workload]
	first := true
	for k, v := range selector { // the shortest list of candidates
		if list := p.pods[label{s.Ref.Namespace, k, v}]; first || len(list) < len(few) {
			few, first = list, false
		}
	}
	var all []object.Item[*object.Workload]
	for _, w := range few {
		if w.Object.Selects(selector) {
			all = append(all, w)
		}
	}
	return all
}

// hosts calls yield for every host of the gateways' listeners.
func (p *Pass) hosts(yield func(*plan.Listener, *plan.Host)) {
	for _, l := range p.Plan.Listeners() {
		if l.Dialect != plan.Envoy {
			continue
		}
		for _, c := range l.Chains {
			for _, h := range c.Hosts {
				yield(l, h)
			}
		}
	}
}

// rules calls yield for every host of the gateways' listeners, and for the rules that
// sidecars alone read.
func (p *Pass) rules(yield func(*plan.Host)) {
	p.hosts(func(_ *plan.Listener, h *plan.Host) { yield(h) })
	for _, h := range p.Plan.Unserved() {
		yield(h)
	}
}

// routes calls yield for every route of the gateways' listeners that some
// VirtualService has.
func (p *Pass) routes(yield func(*plan.Listener, *plan.Host, *plan.Route)) {
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		for _, r := range h.Routes {
			if r.Origin.Ref.Kind == "VirtualService" {
				yield(l, h, r)
			}
		}
	})
}
