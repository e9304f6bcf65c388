package compile

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// endpoint is an address with the labels that subsets select it by.
type endpoint struct {
	plan.Endpoint
	labels map[string]string
	pod    *pod              // nil where it is not known
	given  map[string]string // labels of a local process
}

// endpoints is reachable without what is known of the Pods.
func (c *compiler) endpoints(s *service, p *corev1.ServicePort, labels map[string]string) ([]plan.Endpoint, bool) {
	eps, dns := c.reachable(s, p, labels)
	return plainEndpoints(eps), dns
}

func plainEndpoints(eps []endpoint) []plan.Endpoint {
	var all []plan.Endpoint
	for i := range eps {
		all = append(all, eps[i].Endpoint)
	}
	return all
}

// reachable returns the ready endpoints of a Service port whose Pods carry all
// labels (nil: all of them), sorted by address. They come from EndpointSlices;
// where there is none from an Endpoints object; else from the Pods that the
// selector matches. Local processes attached on the command line are added; where
// there is nothing at all Pods may be assumed (Options.AssumePods). dns says that
// the addresses are names (ExternalName).
func (c *compiler) reachable(s *service, p *corev1.ServicePort, labels map[string]string) (eps []endpoint, dns bool) {
	if object.IsExternalName(s.item.Object) && len(s.attached[p.Port]) == 0 {
		if len(labels) > 0 || s.item.Object.Spec.ExternalName == "" {
			return nil, true
		}
		return []endpoint{{Endpoint: c.external(s, p.Port)}}, true
	}
	var all []endpoint
	if e, ok := c.set.Endpoints.Get(s.item.Ref.Namespace, s.item.Ref.Name); len(s.slices) > 0 {
		all = c.fromSlices(s, p)
	} else if ok {
		all = c.fromEndpoints(e, p)
	} else {
		all = c.fromPods(s, p)
	}
	all = append(all, s.attached[p.Port]...)
	if c.opts.AssumePods && len(all) == 0 {
		all = c.assumed(s, p, labels)
	}
	for _, e := range all {
		if object.Match(labels, e.labels) {
			eps = append(eps, e)
		}
	}
	slices.SortStableFunc(eps, func(a, b endpoint) int { return cmp.Compare(a.Address, b.Address) })
	return slices.CompactFunc(eps, func(a, b endpoint) bool { return a.Address == b.Address }), false
}

// external is the one endpoint of an ExternalName Service.
func (c *compiler) external(s *service, port int32) plan.Endpoint {
	return plan.Endpoint{
		Address: hostPort(s.item.Object.Spec.ExternalName, port),
		Origin:  plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin, Field: "spec.externalName"},
	}
}

// ip is the endpoint's address without port; invalid for a name.
func (e *endpoint) ip() netip.Addr {
	a, _ := netip.ParseAddrPort(e.Address)
	return a.Addr()
}

// oneAddress is the IP address that all endpoints have; invalid where they have none,
// or several.
func oneAddress(eps []endpoint) netip.Addr {
	for i := range eps {
		if eps[i].ip() != eps[0].ip() {
			return netip.Addr{}
		}
	}
	if len(eps) == 0 {
		return netip.Addr{}
	}
	return eps[0].ip()
}

func hostPort(host string, port int32) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

func (c *compiler) fromSlices(s *service, p *corev1.ServicePort) []endpoint {
	var all []endpoint
	for _, slice := range s.slices {
		origin := plan.Origin{Ref: slice.Ref, Origin: slice.Origin}
		port := slicePort(slice.Object.Ports, p)
		if port == 0 {
			continue
		}
		for _, e := range slice.Object.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			pod, labels := c.podAt(e.TargetRef, slice.Ref.Namespace)
			for _, a := range e.Addresses {
				all = append(all, endpoint{Endpoint: plan.Endpoint{Address: hostPort(a, port), Origin: origin}, labels: labels, pod: pod})
			}
		}
	}
	return all
}

// slicePort is the number behind a Service port: the slice's port of the same
// name. A Service port without name is the only one, so any port is its.
func slicePort(ports []discoveryv1.EndpointPort, p *corev1.ServicePort) int32 {
	for _, q := range ports {
		if q.Port == nil || q.Protocol != nil && *q.Protocol != object.PortProtocol(*p) {
			continue
		}
		if p.Name == "" || q.Name != nil && *q.Name == p.Name {
			return *q.Port
		}
	}
	return 0
}

func (c *compiler) fromEndpoints(item object.Item[*corev1.Endpoints], p *corev1.ServicePort) []endpoint {
	var all []endpoint
	origin := plan.Origin{Ref: item.Ref, Origin: item.Origin}
	for _, subset := range item.Object.Subsets {
		var port int32
		for _, q := range subset.Ports {
			if p.Name == "" || q.Name == p.Name {
				port = q.Port
				break
			}
		}
		if port == 0 {
			continue
		}
		for _, a := range subset.Addresses {
			pod, labels := c.podAt(a.TargetRef, item.Ref.Namespace)
			all = append(all, endpoint{Endpoint: plan.Endpoint{Address: hostPort(a.IP, port), Origin: origin}, labels: labels, pod: pod})
		}
	}
	return all
}

func (c *compiler) fromPods(s *service, p *corev1.ServicePort) []endpoint {
	selector := s.item.Object.Spec.Selector
	if len(selector) == 0 {
		return nil
	}
	var all []endpoint
	for _, pod := range c.podsWith(s.item.Ref.Namespace, selector) {
		o := pod.Object
		if !object.Match(selector, o.Labels) || o.Status.PodIP == "" || o.DeletionTimestamp != nil ||
			!s.item.Object.Spec.PublishNotReadyAddresses && !podReady(o) {
			continue
		}
		port := podPort(o, object.TargetPort(*p))
		if port == 0 {
			continue
		}
		origin := plan.Origin{Ref: pod.Ref, Origin: pod.Origin}
		all = append(all, endpoint{Endpoint: plan.Endpoint{Address: hostPort(o.Status.PodIP, port), Origin: origin}, labels: o.Labels, pod: podObject(o)})
	}
	return all
}

// podsWith returns the Pods of a namespace that may have the selector's labels.
func (c *compiler) podsWith(namespace string, selector map[string]string) []object.Item[*corev1.Pod] {
	if c.pods == nil {
		c.pods = labelled[object.Item[*corev1.Pod]]{}
		for _, pod := range c.set.Pods.All() {
			c.pods.add(pod.Ref.Namespace, pod.Object.Labels, pod)
		}
	}
	return c.pods.with(namespace, selector)
}

// labelled finds things by a label and namespace.
type labelled[T any] map[podLabel][]T

// podLabel is a label of the Pods of a namespace.
type podLabel struct{ namespace, key, value string }

func (x labelled[T]) add(namespace string, labels map[string]string, thing T) {
	for k, v := range labels {
		l := podLabel{namespace, k, v}
		x[l] = append(x[l], thing)
	}
}

// with returns what has one of the selector's labels: the rarest, so that many
// Services over many Pods stay cheap.
func (x labelled[T]) with(namespace string, selector map[string]string) []T {
	var best []T
	first := true
	for k, v := range selector {
		if some := x[podLabel{namespace, k, v}]; first || len(some) < len(best) {
			best, first = some, false
		}
	}
	return best
}

// podReady tells whether a Pod takes requests: its Ready condition says so, or
// it has none and runs.
func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return p.Status.Phase == corev1.PodRunning
}

// podPort is the number of a targetPort in a Pod; 0 if no container port has
// its name.
func podPort(p *corev1.Pod, target intstr.IntOrString) int32 {
	return templatePort(&object.Workload{Template: corev1.PodTemplateSpec{Spec: p.Spec}}, target)
}

// attach adds a local process to the Service port that it was given for.
func (c *compiler) attach(a Attached) {
	ref := object.Ref{Kind: "Service", Namespace: a.Namespace, Name: a.Service}
	s := c.service(a.Namespace, a.Service)
	if s == nil {
		names := c.serviceNames(a.Namespace)
		c.problem(problem.EndpointNotAttached, ref, object.Origin{}, "",
			"the endpoint "+a.Address+" is for a Service that does not exist; namespace "+a.Namespace+" has "+
				some(names, "no Service")+nearest(a.Service, names),
			"name a Service of the manifests as NAMESPACE/SERVICE:PORT")
		return
	}
	want := intstr.Parse(a.Port)
	p := s.portRef(want)
	if p == nil {
		c.problem(problem.EndpointNotAttached, ref, s.item.Origin, "spec.ports",
			"the endpoint "+a.Address+" is for port "+strconv.Quote(a.Port)+"; the Service has "+s.portsText(),
			"name one of the Service's ports, by number or name")
		return
	}
	labels := map[string]string{}
	for k, v := range s.item.Object.Spec.Selector {
		labels[k] = v
	}
	for k, v := range a.Labels {
		labels[k] = v
	}
	if s.attached == nil {
		s.attached = map[int32][]endpoint{}
	}
	s.attached[p.Port] = append(s.attached[p.Port], endpoint{
		Endpoint: plan.Endpoint{Address: a.Address, Origin: plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin, Field: "attached " + a.Address}},
		labels:   labels, given: a.Labels})
}
