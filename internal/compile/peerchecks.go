package compile

import (
	"maps"
	"slices"
	"strconv"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	securityv1beta1 "istio.io/api/security/v1beta1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// facing are the sidecars before a backend, nil for endpoints without one.
func facing(b *plan.Backend) []*plan.Door {
	parts := b.Split
	if len(parts) == 0 {
		parts = []*plan.Backend{b}
	}
	all := make([]*plan.Door, len(parts))
	for i, part := range parts {
		if part.Sidecar != nil {
			all[i] = part.Sidecar.Door
		}
	}
	return all
}

// lintCaller reports an Ingress that leads straight to a sidecar which refuses it.
func (c *compiler) lintCaller(l *location, b *plan.Backend, s *service) {
	for _, d := range facing(b) {
		if d != nil && d.Peers == plan.Strict {
			c.problem(problem.StrictMTLSPlaintextCaller, l.ingress.item.Ref, l.ingress.item.Origin, l.backendField,
				"the Pods of "+s.item.Ref.String()+" take mutual TLS only ("+d.By.Ref.String()+"), and the edge speaks plain text: the path answers 502",
				"lead the path through the gateway, or make the PeerAuthentication PERMISSIVE on that port")
			return
		}
	}
}

// lintMutual reports a DestinationRule's tls that the sidecars behind it, or
// their absence, make fail.
func (c *compiler) lintMutual(s policySettings, b *plan.Backend, h *hostService) {
	if s.tls == nil || h.service == nil || h.service.gateway || b.DNS || b.Next != nil {
		return
	}
	at := s.tlsAt
	mode := s.tls.GetMode()
	for _, d := range facing(b) {
		var code, message, remedy string
		switch mutual := mode == networkingv1alpha3.ClientTLSSettings_ISTIO_MUTUAL; {
		case mutual && d == nil && !c.declared(h.namespace):
			c.unknownMutual = append(c.unknownMutual, at)
			return
		case mutual && d == nil:
			code, message = problem.DRMTLSNoSidecar, h.String()+" leads to Pods without a sidecar, which speak no mutual TLS of the mesh: requests get 503"
			remedy = "leave tls out, or give the Pods a sidecar"
		case mutual && d.Peers == plan.PlainOnly:
			code, message = problem.DRMTLSNoSidecar, "the Pods of "+h.String()+" take plain text only ("+d.By.Ref.String()+"): requests get 503"
			remedy = "leave tls out"
		case !mutual && d != nil && d.Peers == plan.Strict:
			code, message = problem.DRTLSConflict, "mode "+mode.String()+", and the Pods of "+h.String()+" take the mesh's mutual TLS only ("+d.By.Ref.String()+"): requests get 503"
			remedy = "write mode ISTIO_MUTUAL, or leave tls out"
		default:
			continue
		}
		c.problem(code, at.Ref, at.Origin, at.Field+".mode", message, remedy)
		return
	}
}

// lintPeerAuthentications reports what of PeerAuthentications has no effect.
func (c *compiler) lintPeerAuthentications() {
	for _, item := range c.set.PeerAuthentications.All() {
		spec := &item.Object.Spec
		selector := spec.GetSelector().GetMatchLabels()
		if len(selector) == 0 && len(spec.PortLevelMtls) > 0 {
			c.problem(problem.PeerauthnPortWithoutSelector, item.Ref, item.Origin, "spec.portLevelMtls",
				"portLevelMtls has no effect without a selector", "add selector.matchLabels with the labels of the workload")
		}
		if item.Ref.Namespace == c.mesh.rootNamespace {
			if len(selector) > 0 {
				c.problemAs(problem.Warning, problem.Schema, item.Ref, item.Origin, "spec.selector",
					"a PeerAuthentication with a selector has no effect in the root namespace", "move it to the namespace of the workload")
			}
			continue
		}
		c.lintPorts(item, selector)
		c.lintStrict(item, selector)
	}
}

// lintPorts reports ports that are the Service's where the workload's count.
func (c *compiler) lintPorts(item peerAuthentication, selector map[string]string) {
	if len(selector) == 0 || len(item.Object.Spec.PortLevelMtls) == 0 {
		return
	}
	targets, meant := map[int]bool{}, map[int]int{}
	for _, svc := range c.set.Services.In(item.Ref.Namespace) {
		s := c.service(svc.Ref.Namespace, svc.Ref.Name)
		if p := c.podBehind(s, nil); p == nil || !object.Match(selector, p.labels) {
			continue
		}
		for i := range svc.Object.Spec.Ports {
			p := &svc.Object.Spec.Ports[i]
			target := c.targetOf(s, p)
			targets[target], meant[int(p.Port)] = true, target
		}
	}
	for _, w := range c.set.Workloads.In(item.Ref.Namespace) {
		if object.Match(selector, w.Object.PodLabels()) {
			for p := range w.Object.Ports() {
				targets[int(p.ContainerPort)] = true
			}
		}
	}
	for _, port := range slices.Sorted(maps.Keys(item.Object.Spec.PortLevelMtls)) {
		if target, ok := meant[int(port)]; ok && !targets[int(port)] {
			text := strconv.Itoa(int(port))
			c.problem(problem.PeerauthnPortUnknown, item.Ref, item.Origin, "spec.portLevelMtls["+text+"]",
				text+" is the Service's port; the workload's is "+strconv.Itoa(target)+", and only that counts", "write "+strconv.Itoa(target))
		}
	}
}

// lintStrict reports STRICT where nobody can carry it out.
func (c *compiler) lintStrict(item peerAuthentication, selector map[string]string) {
	spec := &item.Object.Spec
	strict := spec.GetMtls().GetMode() == securityv1beta1.PeerAuthentication_MutualTLS_STRICT
	for _, m := range spec.PortLevelMtls {
		strict = strict || m.GetMode() == securityv1beta1.PeerAuthentication_MutualTLS_STRICT
	}
	if !strict || !c.declared(item.Ref.Namespace) {
		return
	}
	bare := ""
	for _, w := range c.set.Workloads.In(item.Ref.Namespace) {
		p := podOf(w.Object)
		if !object.Match(selector, p.labels) {
			continue
		}
		if c.injected(item.Ref.Namespace, p) || gatewayPod(p) || c.isGateway(w.Object) {
			return
		}
		bare = w.Ref.String()
	}
	if bare != "" {
		c.problem(problem.StrictMTLSNoSidecar, item.Ref, item.Origin, "spec.mtls.mode",
			"STRICT has no effect: none of the workloads that it is for, such as "+bare+", has a sidecar", "let sidecars be injected, or delete it")
	}
}

// isGateway tells whether some Gateway selects a workload.
func (c *compiler) isGateway(w *object.Workload) bool {
	for _, g := range c.workloads {
		if g.pods == w {
			return true
		}
	}
	return false
}
