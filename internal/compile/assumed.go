package compile

import (
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// assumed are the Pods behind a Service port that questions about files are answered
// with. A repository has no Pods: those that its workloads would make stand for them.
// Where the namespace has no workload at all, the files are a part of the platform,
// and what the Service selects is taken to be elsewhere. Endpoints and Pods that are
// there, ready or not, say themselves what is true.
func (c *compiler) assumed(s *service, p *corev1.ServicePort, labels map[string]string) []endpoint {
	ref, selector := s.item.Ref, s.item.Object.Spec.Selector
	if _, known := c.set.Endpoints.Get(ref.Namespace, ref.Name); known || len(s.slices) > 0 || len(selector) == 0 || c.runs(s) {
		return nil
	}
	target := object.TargetPort(*p)
	if len(c.set.Workloads.In(ref.Namespace)) == 0 {
		with := maps.Clone(selector)
		maps.Copy(with, labels) // which Pods have them nobody knows
		words := "pods with " + equations(with) + " (not in these files), port " + target.String()
		return []endpoint{{Endpoint: plan.Endpoint{Address: words, Origin: plan.Origin{Ref: ref, Origin: s.item.Origin, Field: "spec.selector"}}, labels: with}}
	}
	var all []endpoint
	for _, w := range c.workloadsBehind(s) {
		port := templatePort(w.Object, target)
		if port == 0 || w.Object.Replicas != nil && *w.Object.Replicas == 0 {
			continue
		}
		words := "pods of " + w.Ref.String()
		if w.Ref.Kind == "Pod" {
			words = w.Ref.String()
		}
		all = append(all, endpoint{
			Endpoint: plan.Endpoint{Address: words + ", port " + strconv.Itoa(int(port)), Origin: plan.Origin{Ref: w.Ref, Origin: w.Origin}},
			labels:   w.Object.PodLabels(), pod: podOf(w.Object),
		})
	}
	return all
}

// runs tells whether the set has the state of some Pod that the Service selects: it
// is of a cluster then.
func (c *compiler) runs(s *service) bool {
	for _, pod := range c.podsWith(s.item.Ref.Namespace, s.item.Object.Spec.Selector) {
		if object.Match(s.item.Object.Spec.Selector, pod.Object.Labels) && pod.Object.Status.Phase != "" {
			return true
		}
	}
	return false
}

// templatePort is the number of a targetPort in a template; 0 if no container port
// has its name.
func templatePort(w *object.Workload, target intstr.IntOrString) int32 {
	if target.Type == intstr.Int {
		return target.IntVal
	}
	number, _ := w.Port(target.StrVal)
	return number
}

// equations is "a=b,c=d", as kubectl writes selectors.
func equations(labels map[string]string) string {
	var parts []string
	for _, k := range sortedKeys(labels) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}
