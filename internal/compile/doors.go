package compile

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// A door is the sidecar before the endpoints of a Service port whose Pods look
// the same to all security objects.

// doorKey names a door: mark are the labels that set its Pods apart from others
// behind the Service.
type doorKey struct {
	service *service
	port    int32
	mark    string
}

// withoutSidecar marks the endpoints of a Service that have none where others have.
const withoutSidecar = "without sidecar"

// settle gives a backend its endpoints, with the sidecars before them.
func (c *compiler) settle(b *plan.Backend, s *service, p *corev1.ServicePort, labels map[string]string) {
	eps, dns := c.reachable(s, p, labels)
	b.Endpoints, b.DNS = plainEndpoints(eps), dns
	if dns || s.gateway {
		return
	}
	if of := c.podBehind(s, nil); len(eps) == 0 && c.injected(s.item.Ref.Namespace, of) {
		b.Sidecar = c.door(s, p, c.mark(s, of, netip.Addr{}), of, netip.Addr{}) // for when there are some
	}
	parts := map[string][]endpoint{}
	for _, e := range eps {
		e.pod = c.podFor(s, &e)
		mark := withoutSidecar
		if c.injected(s.item.Ref.Namespace, e.pod) {
			mark = c.mark(s, e.pod, e.ip())
		}
		parts[mark] = append(parts[mark], e)
	}
	for _, mark := range sortedKeys(parts) {
		part := *b
		part.Sidecar, part.Split = nil, nil
		if mark != withoutSidecar {
			part.Sidecar = c.door(s, p, mark, parts[mark][0].pod, oneAddress(parts[mark]))
		}
		if len(parts) == 1 {
			b.Sidecar = part.Sidecar
			return
		}
		part.Endpoints = plainEndpoints(parts[mark])
		part.Key += "|" + or(mark, "with sidecar")
		b.Split = append(b.Split, &part)
	}
}

// inherit gives the parts of a backend the settings that it has got meanwhile.
func inherit(b *plan.Backend) {
	for i, old := range b.Split {
		part := *b
		part.Key, part.Endpoints, part.Sidecar, part.Split = old.Key, old.Endpoints, old.Sidecar, nil
		b.Split[i] = &part
	}
}

func (c *compiler) podFor(s *service, e *endpoint) *pod {
	if e.pod != nil {
		return e.pod
	}
	return c.podBehind(s, e.given)
}

// mark tells the labels of a Pod that some security object selects by and that
// not every Pod behind the Service has: "version=v1"; "" for none. Where policies
// ask for it the Pod's address is among them.
func (c *compiler) mark(s *service, p *pod, address netip.Addr) string {
	if c.selecting == nil {
		c.selecting = c.selectingLabels()
	}
	var parts []string
	for k, v := range p.labels {
		if _, all := s.item.Object.Spec.Selector[k]; !all && c.selecting[k] {
			parts = append(parts, k+"="+v)
		}
	}
	slices.Sort(parts)
	if c.byAddress && address.IsValid() {
		parts = append(parts, "ip="+address.String())
	}
	return strings.Join(parts, ",")
}

// selectingLabels are the names of the labels that security objects select by.
func (c *compiler) selectingLabels() map[string]bool {
	names := map[string]bool{}
	add := func(labels map[string]string) {
		for k := range labels {
			names[k] = true
		}
	}
	for _, item := range c.set.AuthorizationPolicies.All() {
		add(item.Object.Spec.GetSelector().GetMatchLabels())
	}
	for _, item := range c.set.RequestAuthentications.All() {
		add(item.Object.Spec.GetSelector().GetMatchLabels())
	}
	for _, item := range c.set.APIKeySets.All() {
		add(item.Object.Spec.Selector.GetMatchLabels())
	}
	for _, item := range c.set.PeerAuthentications.All() {
		add(item.Object.Spec.GetSelector().GetMatchLabels())
	}
	return names
}

// door finds or makes the listener of the sidecars before Pods.
func (c *compiler) door(s *service, p *corev1.ServicePort, mark string, of *pod, address netip.Addr) *plan.Listener {
	k := doorKey{s, p.Port, mark}
	if l := c.doors[k]; l != nil {
		return l
	}
	ref := s.item.Ref
	w := &secured{namespace: ref.Namespace, labels: of.labels, services: []string{ref.Name}, account: of.account, address: address}
	l := &plan.Listener{
		Key: workloadKey(ref.Namespace, ref.Name, p.Port, mark), Dialect: plan.Sidecar, Form: c.mesh.form, Port: int(p.Port),
		Address: address, TargetPort: c.targetOf(s, p), Guards: c.guards(w), Identity: c.identity(w),
	}
	l.Door = c.peers(w, l.TargetPort)
	c.doors[k], c.listeners[l.Key] = l, l
	return l
}

// workloadKey is the key of a sidecar: "workload shop/app:80 version=v1".
func workloadKey(namespace, svc string, port int32, mark string) string {
	return strings.TrimSuffix("workload "+listenerKey(namespace, svc, port)+" "+mark, " ")
}

// targetOf is the port of the workload behind a Service port, by which policies
// know it; 0 where only its name is known.
func (c *compiler) targetOf(s *service, p *corev1.ServicePort) int {
	target := object.TargetPort(*p)
	if n := target.IntValue(); n > 0 {
		return n
	}
	if w := c.workloadBehind(s, nil); w != nil {
		if n, ok := w.Port(target.StrVal); ok {
			return int(n)
		}
	}
	for _, slice := range s.slices {
		if n := slicePort(slice.Object.Ports, p); n > 0 {
			return int(n)
		}
	}
	return 0
}

// openDoors adds a listener for each port of a Service before Pods with sidecars:
// the workload as callers without one reach it, in plain text and nameless.
func (c *compiler) openDoors() {
	for _, item := range c.set.Services.All() {
		s := c.service(item.Ref.Namespace, item.Ref.Name)
		if s.gateway || object.IsExternalName(item.Object) || !c.meshed(s) {
			continue
		}
		for i := range item.Object.Spec.Ports {
			p := &item.Object.Spec.Ports[i]
			if object.PortProtocol(*p) != corev1.ProtocolTCP {
				continue
			}
			c.openDoor(s, p)
		}
	}
}

// meshed tells whether some Pod behind a Service has a sidecar.
func (c *compiler) meshed(s *service) bool {
	if c.injected(s.item.Ref.Namespace, c.podBehind(s, nil)) {
		return true
	}
	for i := range s.item.Object.Spec.Ports {
		eps, _ := c.reachable(s, &s.item.Object.Spec.Ports[i], nil)
		for _, e := range eps {
			if c.injected(s.item.Ref.Namespace, c.podFor(s, &e)) {
				return true
			}
		}
	}
	return false
}

func (c *compiler) openDoor(s *service, p *corev1.ServicePort) {
	ref := s.item.Ref
	key := listenerKey(ref.Namespace, ref.Name, p.Port)
	if c.listeners[key] != nil {
		return
	}
	origin := plan.Origin{Ref: ref, Origin: s.item.Origin, Field: "spec.ports"}
	b := &plan.Backend{Key: "inbound|" + clusterPort(p) + "||" + s.host, Origin: origin, Service: ref, Port: int(p.Port),
		Protocol: servicePortProtocol(p).spoken(), Balance: plan.Random, Mutual: plan.MutualNever}
	c.settle(b, s, p, nil)
	r := &plan.Route{Origin: origin, Action: &plan.Forward{To: []plan.Destination{{Backend: b, Weight: 1, Origin: origin}}}}
	c.listeners[key] = &plan.Listener{
		Key: key, Dialect: plan.Service, Port: int(p.Port), TargetPort: c.targetOf(s, p),
		Chains: []*plan.Chain{{Origin: origin, Hosts: []*plan.Host{{Name: "*", Routes: []*plan.Route{r}}}}},
	}
}

func clusterPort(p *corev1.ServicePort) string { return strconv.Itoa(int(p.Port)) }

// mutual reads how a gateway speaks to sidecars: by itself in mutual TLS, or as
// the DestinationRules say. ISTIO_MUTUAL towards what is known to have no sidecar
// fails; where its Namespace is not among the files nothing is known.
func (c *compiler) mutual(h *hostService, s policySettings, b *plan.Backend) plan.Mutual {
	switch {
	case s.tls == nil && (c.mesh.config.EnableAutoMtls == nil || c.mesh.config.EnableAutoMtls.Value):
		return plan.MutualAuto
	case s.tls.GetMode() != networkingv1alpha3.ClientTLSSettings_ISTIO_MUTUAL:
		return plan.MutualNever
	case h.service == nil || h.service.gateway || b.DNS || b.Sidecar == nil && len(b.Split) == 0 && !c.declared(h.namespace):
		return plan.MutualAuto
	}
	return plan.MutualAlways
}

func (c *compiler) declared(namespace string) bool {
	_, ok := c.set.Namespaces.Get("", namespace)
	return ok
}
