package compile

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
)

// The labels and the annotation that decide about injection.
const (
	injectionLabel  = "istio-injection"           // of Namespaces: enabled or disabled
	revisionLabel   = "istio.io/rev"              // of Namespaces and Pods
	injectLabel     = "sidecar.istio.io/inject"   // of Pods; as an annotation it is deprecated
	templatesTag    = "inject.istio.io/templates" // annotation: what is injected instead of a sidecar
	gatewayTemplate = "gateway"
)

// pod is what is known of the Pod behind an endpoint.
type pod struct {
	labels, annotations map[string]string
	hostNetwork         bool
	account             string
}

func podOf(w *object.Workload) *pod {
	return &pod{labels: w.PodLabels(), annotations: w.PodAnnotations(), hostNetwork: w.Template.Spec.HostNetwork, account: w.ServiceAccount()}
}

func podObject(o *corev1.Pod) *pod {
	return podOf(&object.Workload{Template: corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}})
}

// podAt is the Pod that an endpoint names, and its labels; nil where it is not known.
func (c *compiler) podAt(ref *corev1.ObjectReference, namespace string) (*pod, map[string]string) {
	if ref == nil || ref.Kind != "Pod" {
		return nil, nil
	}
	if ref.Namespace != "" {
		namespace = ref.Namespace
	}
	item, ok := c.set.Pods.Get(namespace, ref.Name)
	if !ok {
		return nil, nil
	}
	return podObject(item.Object), item.Object.Labels
}

// podBehind is what an endpoint of a Service is taken for whose Pod is not known:
// a local process, or an address of an EndpointSlice alone. It has the labels
// given for it, and is otherwise as the first workload that the Service selects
// and that those labels fit; else it has the Service's selector. Nil where the
// Service selects nothing: what is behind it is no Pod.
func (c *compiler) podBehind(s *service, given map[string]string) *pod {
	selector := s.item.Object.Spec.Selector
	if len(selector) == 0 {
		return nil
	}
	p := &pod{labels: selector}
	if w := c.workloadBehind(s, given); w != nil {
		p = podOf(w)
	}
	if len(given) > 0 {
		p.labels = maps.Clone(p.labels)
		if p.labels == nil {
			p.labels = map[string]string{}
		}
		maps.Copy(p.labels, given)
	}
	return p
}

// workloadBehind is the first workload that a Service selects: one that has the
// given labels before one that has not.
func (c *compiler) workloadBehind(s *service, given map[string]string) *object.Workload {
	behind := c.workloadsBehind(s)
	for _, w := range behind {
		if object.Match(given, w.Object.PodLabels()) {
			return w.Object
		}
	}
	if len(behind) > 0 {
		return behind[0].Object
	}
	return nil
}

// workloadsBehind are the workloads that a Service selects.
func (c *compiler) workloadsBehind(s *service) []object.Item[*object.Workload] {
	if s.behind == nil {
		s.behind = []object.Item[*object.Workload]{}
		for _, w := range c.workloadsWith(s.item.Ref.Namespace, s.item.Object.Spec.Selector) {
			if w.Object.Selects(s.item.Object.Spec.Selector) {
				s.behind = append(s.behind, w)
			}
		}
	}
	return s.behind
}

// workloadsWith returns the workloads of a namespace whose Pods may have the
// selector's labels.
func (c *compiler) workloadsWith(namespace string, selector map[string]string) []object.Item[*object.Workload] {
	if c.templates == nil {
		c.templates = labelled[object.Item[*object.Workload]]{}
		for _, w := range c.set.Workloads.All() {
			c.templates.add(w.Ref.Namespace, w.Object.PodLabels(), w)
		}
	}
	return c.templates.with(namespace, selector)
}

// injected tells whether a Pod of a namespace has a sidecar, as Istio decides:
// first the selectors of its webhooks (chart istio-discovery, mutatingwebhook),
// where any revision counts; then the injector itself (inject.go, injectRequired).
func (c *compiler) injected(namespace string, p *pod) bool {
	switch namespace {
	case "kube-system", "kube-public", "kube-node-lease", "local-path-storage":
		return false
	}
	if p == nil || p.hostNetwork || gatewayPod(p) {
		return false
	}
	own, labelled := p.labels[injectLabel]
	switch c.injects(namespace) {
	case injectNever:
		return false
	case injectAsked:
		_, revision := p.labels[revisionLabel]
		if own != "true" && !revision {
			return false
		}
	}
	if !labelled {
		own = p.annotations[injectLabel]
	}
	switch strings.ToLower(own) {
	case "", "y", "yes", "true", "on":
		return true
	}
	return false
}

// gatewayPod tells a Pod whose proxy is injected as a gateway.
func gatewayPod(p *pod) bool {
	return slices.Contains(strings.Split(p.annotations[templatesTag], ","), gatewayTemplate)
}

// injection is what a namespace says about its Pods.
type injection uint8

const (
	injectAsked  injection = iota // the Pod's label must ask for it
	injectAlways                  // unless the Pod says no
	injectNever
)

// injects reads the labels of a Namespace. istio-injection is read before
// istio.io/rev, and a value of it that is not "enabled" injects nothing, whatever
// the Pods say.
func (c *compiler) injects(namespace string) injection {
	labels := c.namespaceLabels(namespace)
	if v, ok := labels[injectionLabel]; ok {
		if v == "enabled" {
			return injectAlways
		}
		return injectNever
	}
	if v, ok := labels[revisionLabel]; ok {
		if v == "" {
			return injectNever
		}
		return injectAlways
	}
	return injectAsked
}

func (c *compiler) namespaceLabels(namespace string) map[string]string {
	item, ok := c.set.Namespaces.Get("", namespace)
	if !ok {
		return nil
	}
	return item.Object.Labels
}

// Injected tells whether the Pods of a workload have a sidecar.
func Injected(set *object.Set, w object.Item[*object.Workload]) bool {
	c := &compiler{set: set}
	return c.injected(w.Ref.Namespace, podOf(w.Object))
}
