package compile

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// A gatewayWorkload is the Pods that some Gateway selects, as far as manifests
// tell: the pod template of a Deployment and its like, or, where there is none,
// the selector of a Service. The Services in front of them lead to its ports.
type gatewayWorkload struct {
	namespace string
	labels    map[string]string
	pods      *object.Workload // nil where only the Service is known
	written   plan.Origin      // of pods
	services  []*service       // in front of these Pods, the oldest first
	gateways  []*gateway       // that select them, the oldest first
	groups    []*serverGroup
}

// gatewayWorkloads finds the Pods that the Gateways select. A Gateway without
// selector is for all that another one selects, and for istio: ingressgateway.
func (c *compiler) gatewayWorkloads(gateways []*gateway) []*gatewayWorkload {
	selectors := selectorIndex{}
	selectors.add(map[string]string{"istio": "ingressgateway"})
	for _, g := range gateways {
		selectors.add(g.item.Object.Spec.Selector)
	}
	var all []*gatewayWorkload
	for _, w := range c.set.Workloads.All() {
		if labels := w.Object.PodLabels(); selectors.match(labels) {
			all = append(all, &gatewayWorkload{namespace: w.Ref.Namespace, labels: labels, pods: w.Object, written: plan.Origin{Ref: w.Ref, Origin: w.Origin}})
		}
	}
	backed := map[*service]bool{}
	for _, w := range all {
		for _, item := range c.set.Services.In(w.namespace) {
			if w.pods.Selects(item.Object.Spec.Selector) {
				s := c.service(item.Ref.Namespace, item.Ref.Name)
				w.services, backed[s] = append(w.services, s), true
			}
		}
	}
	for _, item := range c.set.Services.All() {
		labels := item.Object.Spec.Selector
		if s := c.service(item.Ref.Namespace, item.Ref.Name); !backed[s] && selectors.match(labels) {
			w := &gatewayWorkload{namespace: item.Ref.Namespace, labels: labels, services: c.servicesBefore(item.Ref.Namespace, labels)}
			for _, same := range w.services {
				if maps.Equal(same.item.Object.Spec.Selector, labels) {
					backed[same] = true
				}
			}
			all = append(all, w)
		}
	}
	for _, w := range all {
		slices.SortStableFunc(w.services, func(a, b *service) int { return older(a.item.Object, b.item.Object) })
		for _, g := range gateways {
			if object.Match(g.item.Object.Spec.Selector, w.labels) {
				w.gateways = append(w.gateways, g)
			}
		}
	}
	return all
}

// proxyConfig is the annotation of Pods that says more of their proxy than MeshConfig
// defaultConfig does (Istio, "Configuring gateway network topology").
const proxyConfig = "proxy.istio.io/config"

// trustedHops is how many proxies before a gateway are believed: its Pods' annotation
// over MeshConfig.
func (c *compiler) trustedHops(w *gatewayWorkload) int {
	if w.pods == nil || w.pods.PodAnnotations()[proxyConfig] == "" {
		return c.mesh.trustedHops
	}
	var own struct {
		GatewayTopology struct {
			NumTrustedProxies *uint32 `json:"numTrustedProxies"`
		} `json:"gatewayTopology"`
	}
	if err := yaml.Unmarshal([]byte(w.pods.PodAnnotations()[proxyConfig]), &own); err != nil {
		c.problem(problem.AnnotationInvalid, w.written.Ref, w.written.Origin, "spec.template.metadata.annotations["+proxyConfig+"]",
			"it is no YAML of a ProxyConfig; MeshConfig defaultConfig counts: "+err.Error(), `write gatewayTopology: {numTrustedProxies: 1}`)
		return c.mesh.trustedHops
	}
	if n := own.GatewayTopology.NumTrustedProxies; n != nil {
		return int(*n)
	}
	return c.mesh.trustedHops
}

// gatewayAddress is the address of a gateway's Pod, where EndpointSlices or Pods tell
// of one.
func (c *compiler) gatewayAddress(w *gatewayWorkload) netip.Addr {
	var all []endpoint
	for _, s := range w.services {
		for i := range s.item.Object.Spec.Ports {
			p := &s.item.Object.Spec.Ports[i]
			all = slices.Concat(all, c.fromSlices(s, p), c.fromPods(s, p))
		}
	}
	return oneAddress(all)
}

// servicesBefore are the Services of a namespace that lead to Pods with labels.
func (c *compiler) servicesBefore(namespace string, labels map[string]string) []*service {
	var all []*service
	for _, item := range c.set.Services.In(namespace) {
		if sel := item.Object.Spec.Selector; len(sel) > 0 && object.Match(sel, labels) {
			all = append(all, c.service(namespace, item.Ref.Name))
		}
	}
	return all
}

// noTranslation is the label of a Service whose port numbers mean nothing to
// Gateways: only its target ports count (Istio, for Knative).
const noTranslation = "experimental.istio.io/disable-gateway-port-translation"

// resolve finds the port of the Pods that a Gateway's server port means: the
// target of the Service port with that number, else the number itself (Istio,
// resolvePorts). known says that some Service leads there.
func (w *gatewayWorkload) resolve(number uint32) (target intstr.IntOrString, known bool) {
	for _, s := range w.services {
		if _, off := s.item.Object.Labels[noTranslation]; off {
			continue
		}
		if p := s.port(int32(number)); p != nil {
			return w.target(p), true
		}
	}
	target = intstr.FromInt32(int32(number))
	for _, s := range w.services {
		for i := range s.item.Object.Spec.Ports {
			if w.target(&s.item.Object.Spec.Ports[i]) == target {
				return target, true
			}
		}
	}
	return target, false
}

// target is the target of a Service port: a number, or a name that no container
// port explains.
func (w *gatewayWorkload) target(p *corev1.ServicePort) intstr.IntOrString {
	t := object.TargetPort(*p)
	if t.Type == intstr.String && w.pods != nil {
		if number, ok := w.pods.Port(t.StrVal); ok {
			return intstr.FromInt32(number)
		}
	}
	return t
}

// portsText tells which ports the workload can be reached at, for messages.
func (w *gatewayWorkload) portsText() string {
	var parts []string
	for _, s := range w.services {
		parts = append(parts, "Service "+s.item.Ref.Namespace+"/"+s.item.Ref.Name+" with "+s.portsText())
	}
	return some(parts, "no Service")
}

// selectorIndex finds whether one of many selectors matches a set of labels. A
// selector is filed under one of its labels.
type selectorIndex map[[2]string][]map[string]string

func (x selectorIndex) add(selector map[string]string) {
	if len(selector) == 0 {
		return
	}
	k := slices.Min(slices.Collect(maps.Keys(selector)))
	key := [2]string{k, selector[k]}
	for _, s := range x[key] {
		if maps.Equal(s, selector) {
			return
		}
	}
	x[key] = append(x[key], selector)
}

func (x selectorIndex) match(labels map[string]string) bool {
	for k, v := range labels {
		for _, selector := range x[[2]string{k, v}] {
			if object.Match(selector, labels) {
				return true
			}
		}
	}
	return false
}

// older orders objects as Istio does where several make up one thing: by
// creationTimestamp, then name, then namespace. Files have no timestamps, as a rule.
func older[T metav1.Object](a, b T) int {
	return cmp.Or(
		a.GetCreationTimestamp().Time.Compare(b.GetCreationTimestamp().Time),
		cmp.Compare(a.GetName(), b.GetName()),
		cmp.Compare(a.GetNamespace(), b.GetNamespace()))
}
