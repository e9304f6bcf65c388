package check

import (
	"slices"
	"strconv"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
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
		tell := func(field string, gateways []string) {
			for k, g := range gateways {
				name := gatewayName(g, v.Ref.Namespace)
				if slices.Contains(bound, name) || strings.Contains(g, ".") || g == mesh {
					continue
				}
				message := name + " is not among the VirtualService's gateways, which are " + strings.Join(bound, ", ") + "; the condition never holds"
				if ns, local, _ := strings.Cut(name, "/"); !p.hasGateway(ns, local) {
					message = "there is no Gateway " + name + "; the condition never holds"
				}
				p.report(fieldOf(v, field+".gateways["+strconv.Itoa(k)+"]"), message, "name one of spec.gateways, in the form NAMESPACE/NAME: "+strings.Join(bound, ", "))
			}
		}
		for i, r := range spec.Http {
			for j, m := range r.Match {
				tell(conditionField("http", i, j), m.GetGateways())
			}
		}
		for i, r := range spec.Tcp {
			for j, m := range r.Match {
				tell(conditionField("tcp", i, j), m.GetGateways())
			}
		}
		for i, r := range spec.Tls {
			for j, m := range r.Match {
				tell(conditionField("tls", i, j), m.GetGateways())
			}
		}
	}
}

// conditionField is "spec.http[0].match[0]".
func conditionField(kind string, rule, match int) string {
	return "spec." + kind + "[" + strconv.Itoa(rule) + "].match[" + strconv.Itoa(match) + "]"
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
