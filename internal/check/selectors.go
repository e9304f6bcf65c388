package check

import (
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// authnSelectsNothing: an object for workloads that nobody has. What keys select
// tells compile.
func authnSelectsNothing(p *Pass) {
	for _, item := range p.Set.RequestAuthentications.All() {
		p.selecting(at(item.Ref, item.Origin, "spec.selector.matchLabels"), item.Object.Spec.GetSelector().GetMatchLabels(), compile.RootNamespace(p.Set))
	}
	for _, item := range p.Set.PeerAuthentications.All() {
		p.selecting(at(item.Ref, item.Origin, "spec.selector.matchLabels"), item.Object.Spec.GetSelector().GetMatchLabels(), "")
	}
}

// selecting reports a selector whose labels no workload of its scope has: its own
// namespace, and all where that is root.
func (p *Pass) selecting(at plan.Origin, selector map[string]string, root string) {
	if len(selector) == 0 {
		return
	}
	gateways := at.Ref.Namespace != root || p.Set.Gateways.Len() > 0 // whose policies are in the root namespace
	within := func(namespace string) bool { return namespace == at.Ref.Namespace || at.Ref.Namespace == root }
	severity := problem.Info // their workloads are not among the files
	for _, w := range p.Set.Workloads.All() {
		if within(w.Ref.Namespace) {
			if object.Match(selector, w.Object.PodLabels()) {
				return
			}
			if w.Ref.Namespace == at.Ref.Namespace && gateways {
				severity = problem.Warning
			}
		}
	}
	for _, s := range p.Set.Services.All() {
		if within(s.Ref.Namespace) {
			if object.Match(selector, s.Object.Spec.Selector) {
				return
			}
			if s.Ref.Namespace == at.Ref.Namespace && gateways {
				severity = problem.Warning
			}
		}
	}
	p.reportAs(severity, at, "no workload has the labels that it selects; it has no effect", "use the labels of the Pods, as their Service selects them")
}
