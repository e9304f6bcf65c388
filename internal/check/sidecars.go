package check

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// namespaceNotInjected: a namespace with policies of the mesh whose Pods are not
// in it, and which says nothing about it.
func namespaceNotInjected(p *Pass) {
	for _, ns := range p.Set.Namespaces.All() {
		_, injection := ns.Object.Labels["istio-injection"]
		_, revision := ns.Object.Labels["istio.io/rev"]
		_, mode := ns.Object.Labels["istio.io/dataplane-mode"]
		var meant string
		for _, item := range p.Set.AuthorizationPolicies.In(ns.Ref.Name) {
			meant = item.Ref.String()
		}
		for _, item := range p.Set.PeerAuthentications.In(ns.Ref.Name) {
			meant = item.Ref.String()
		}
		workloads := p.Set.Workloads.In(ns.Ref.Name)
		if injection || revision || mode || meant == "" || len(workloads) == 0 {
			continue
		}
		bare := true
		for _, w := range workloads {
			bare = bare && !compile.Injected(p.Set, w) && !p.fronted(w.Ref.Namespace, w.Object.PodLabels())
		}
		if bare {
			p.report(at(ns.Ref, ns.Origin, "metadata.labels"), "no Pod of the namespace has a sidecar, so "+meant+" has no effect there", "label it istio-injection: enabled")
		}
	}
}

// fronted tells whether a gateway's Service selects labels.
func (p *Pass) fronted(namespace string, labels map[string]string) bool {
	for ref := range p.gateways {
		s, ok := p.Set.Services.Get(ref.Namespace, ref.Name)
		if ok && ref.Namespace == namespace && len(s.Object.Spec.Selector) > 0 && object.Match(s.Object.Spec.Selector, labels) {
			return true
		}
	}
	return false
}

// jobWithSidecar: the sidecar goes on when the Job is done.
func jobWithSidecar(p *Pass) {
	for _, w := range p.Set.Workloads.All() {
		if (w.Ref.Kind == "Job" || w.Ref.Kind == "CronJob") && compile.Injected(p.Set, w) {
			p.report(at(w.Ref, w.Origin, ""), "its Pods have a sidecar, which does not end with them: without native sidecars it never completes",
				"label its pod template sidecar.istio.io/inject: \"false\"")
		}
	}
}

// sidecarEgressHidesService: a Sidecar leaves out what its workloads need.
func sidecarEgressHidesService(p *Pass) {
	for _, item := range p.Set.Sidecars.All() {
		spec := &item.Object.Spec
		if spec.WorkloadSelector != nil || len(spec.Egress) == 0 {
			continue
		}
		var sees []string
		for _, e := range spec.Egress {
			for _, host := range e.Hosts {
				namespace, _, _ := strings.Cut(host, "/")
				if namespace == "." {
					namespace = item.Ref.Namespace
				}
				sees = append(sees, namespace)
			}
		}
		if slices.Contains(sees, "*") {
			continue
		}
		for _, v := range p.Set.VirtualServices.In(item.Ref.Namespace) {
			if !inMesh(v.Object) {
				continue
			}
			for _, r := range v.Object.Spec.Http {
				for _, d := range r.Route {
					host := d.GetDestination().GetHost()
					to, local := strings.CutSuffix(host, ".svc.cluster.local")
					_, namespace, _ := strings.Cut(to, ".")
					if local && !slices.Contains(sees, namespace) {
						p.report(at(item.Ref, item.Origin, "spec.egress"), v.Ref.String()+" routes requests of this namespace to "+host+", and egress leaves its namespace out: they fail",
							"add "+namespace+"/* to egress.hosts")
					}
				}
			}
		}
		p.workloads(func(l *plan.Listener, _ guarding) {
			namespace, _, _ := strings.Cut(strings.TrimPrefix(l.Key, "workload "), "/")
			if l.Dialect != plan.Sidecar || namespace != item.Ref.Namespace {
				return
			}
			for _, g := range l.Guards {
				x, ok := g.(*plan.External)
				if !ok || x.Provider == nil || x.Provider.Backend == nil {
					continue
				}
				if to := x.Provider.Backend.Service; to.Namespace != "" && !slices.Contains(sees, to.Namespace) {
					p.report(at(item.Ref, item.Origin, "spec.egress"), l.Title()+" asks "+x.Provider.Name+" at "+to.String()+" who may come in, and egress leaves its namespace out: every request that it asks about fails",
						"add "+to.Namespace+"/* to egress.hosts")
				}
			}
		})
	}
}
