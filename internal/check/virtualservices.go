package check

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

const mesh = "mesh"

// inMesh tells a VirtualService that sidecars read.
func inMesh(v *networkingv1.VirtualService) bool {
	return len(v.Spec.Gateways) == 0 || slices.Contains(v.Spec.Gateways, mesh)
}

// gatewayName is a Gateway as a VirtualService of a namespace names it, NAMESPACE/NAME.
func gatewayName(s, namespace string) string {
	ns, name, ok := strings.Cut(s, "/")
	switch {
	case s == mesh:
		return s
	case !ok:
		return namespace + "/" + s
	case ns == ".":
		return namespace + "/" + name
	}
	return s
}

// matchGatewayNotFound: a condition on a Gateway that the VirtualService is not bound to.
func matchGatewayNotFound(p *Pass) {
	for _, v := range p.Set.VirtualServices.All() {
		spec := &v.Object.Spec
		if len(spec.Hosts) == 0 {
			continue // a delegate is bound to what its root is
		}
		var bound []string
		for _, g := range spec.Gateways {
			bound = append(bound, gatewayName(g, v.Ref.Namespace))
		}
		if len(bound) == 0 {
			bound = []string{mesh}
		}
		for i, r := range spec.Http {
			for j, m := range r.Match {
				for k, g := range m.GetGateways() {
					name := gatewayName(g, v.Ref.Namespace)
					if slices.Contains(bound, name) || strings.Contains(g, ".") || g == mesh {
						continue
					}
					message := name + " is not among the VirtualService's gateways, which are " + strings.Join(bound, ", ") + "; the condition never holds"
					if ns, local, _ := strings.Cut(name, "/"); !p.hasGateway(ns, local) {
						message = "there is no Gateway " + name + "; the condition never holds"
					}
					p.report(fieldOf(v, "spec.http["+strconv.Itoa(i)+"].match["+strconv.Itoa(j)+"].gateways["+strconv.Itoa(k)+"]"), message,
						"name one of spec.gateways, in the form NAMESPACE/NAME: "+strings.Join(bound, ", "))
				}
			}
		}
	}
}

func (p *Pass) hasGateway(namespace, name string) bool {
	_, ok := p.Set.Gateways.Get(namespace, name)
	return ok
}

// deadVirtualService: nothing reads its rules.
func deadVirtualService(p *Pass) {
	delegates := map[object.Ref]bool{}
	for _, v := range p.Set.VirtualServices.All() {
		for _, r := range v.Object.Spec.Http {
			if d := r.Delegate; d != nil {
				namespace := d.Namespace
				if namespace == "" {
					namespace = v.Ref.Namespace
				}
				delegates[object.Ref{Kind: v.Ref.Kind, Namespace: namespace, Name: d.Name}] = true
			}
		}
	}
	for _, v := range p.Set.VirtualServices.All() {
		spec := &v.Object.Spec
		switch {
		case len(spec.Hosts) == 0 && !delegates[v.Ref]:
			p.report(fieldOf(v, "spec.hosts"), "it has no hosts and no VirtualService delegates to it, so nothing reads its rules", "add hosts, or delete it")
		case len(spec.Hosts) > 0 && !inMesh(v.Object) && meshOnly(v.Object):
			p.report(fieldOf(v, "spec.http"), "all its conditions are for gateways: [mesh], and it is not bound to mesh, so no request fulfils them", "add mesh to spec.gateways, or delete it")
		}
	}
}

// meshOnly tells whether each condition of each rule is for sidecars only.
func meshOnly(v *networkingv1.VirtualService) bool {
	for _, r := range v.Spec.Http {
		if len(r.Match) == 0 {
			return false
		}
		for _, m := range r.Match {
			if len(m.GetGateways()) == 0 || slices.ContainsFunc(m.GetGateways(), func(g string) bool { return g != mesh }) {
				return false
			}
		}
	}
	return len(v.Spec.Http) > 0
}

// meshHostConflict: of two VirtualServices that sidecars read for one host, one counts.
func meshHostConflict(p *Pass) {
	byHost := map[string][]object.Item[*networkingv1.VirtualService]{}
	for _, v := range p.Set.VirtualServices.All() {
		if !inMesh(v.Object) {
			continue
		}
		for _, h := range v.Object.Spec.Hosts {
			if !strings.ContainsAny(h, ".*") {
				h += "." + v.Ref.Namespace + ".svc.cluster.local"
			}
			byHost[strings.ToLower(h)] = append(byHost[strings.ToLower(h)], v)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(byHost)) {
		vs := byHost[host]
		for i, v := range vs {
			other := vs[0]
			if i == 0 {
				if len(vs) == 1 {
					break
				}
				other = vs[1]
			}
			if other.Ref == v.Ref || private(v) && private(other) && v.Ref.Namespace != other.Ref.Namespace {
				continue
			}
			p.report(plan.Origin{Ref: v.Ref, Origin: v.Origin, Field: "spec.hosts"}, other.Ref.String()+" is for host "+host+" in the mesh as well; sidecars read only one of the two",
				"put the rules of both into one VirtualService")
		}
	}
}

// private tells a VirtualService that only its own namespace sees.
func private(v object.Item[*networkingv1.VirtualService]) bool {
	to := v.Object.Spec.ExportTo
	return len(to) == 1 && (to[0] == "." || to[0] == v.Ref.Namespace)
}

// gatewayDuplicateCert: browsers use one connection for all hosts of a
// certificate, and a gateway answers 404 for those of another server.
func gatewayDuplicateCert(p *Pass) {
	type key struct{ selector, credential string }
	first := map[key]plan.Origin{}
	for _, g := range p.Set.Gateways.All() {
		for i, s := range g.Object.Spec.Servers {
			name := s.GetTls().GetCredentialName()
			if name == "" {
				continue
			}
			k := key{labels(g.Object.Spec.Selector), name}
			here := fieldOf(g, "spec.servers["+strconv.Itoa(i)+"].tls.credentialName")
			before, ok := first[k]
			if !ok {
				first[k] = here
				continue
			}
			if before.Ref == g.Ref {
				continue
			}
			for _, pair := range [][2]plan.Origin{{before, here}, {here, before}} {
				p.report(pair[0], "certificate "+name+" is also that of "+pair[1].Ref.String()+" on the same workload: browsers use one connection for the hosts of both, and get 404 for those of the other",
					"put the hosts of both into one Gateway")
			}
		}
	}
}
