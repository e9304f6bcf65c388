package compile

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// lintInjection reports labels that decide about sidecars and do not do what they
// seem to.
func (c *compiler) lintInjection() {
	for _, item := range c.set.Namespaces.All() {
		c.lintNamespace(item.Ref, item.Origin, item.Object.Labels)
	}
	for _, item := range c.set.Services.All() {
		c.namespaceLabelOn(item.Ref, item.Origin, "metadata.labels", item.Object.Labels)
	}
	for _, w := range c.set.Workloads.All() {
		c.lintWorkload(w)
	}
}

func (c *compiler) lintNamespace(ref object.Ref, origin object.Origin, labels map[string]string) {
	value, has := labels[injectionLabel]
	var both []string
	if value == "enabled" {
		both = append(both, injectionLabel+"=enabled")
	}
	for _, k := range []string{revisionLabel, "istio.io/dataplane-mode"} {
		if v, ok := labels[k]; ok && v != "none" {
			both = append(both, k+"="+v)
		}
	}
	if len(both) > 1 {
		c.problem(problem.InjectionLabelConflict, ref, origin, "metadata.labels",
			"the labels "+strings.Join(both, " and ")+" decide about one thing; here "+both[0]+" holds", "keep one of them")
	}
	if has && value != "enabled" && value != "disabled" {
		c.problem(problem.InjectionLabelValue, ref, origin, "metadata.labels."+injectionLabel,
			strconv.Quote(value)+" is neither enabled nor disabled: no Pod of the namespace gets a sidecar, whatever its own labels say", `write "enabled"`)
	}
	if _, ok := labels[injectLabel]; ok {
		c.problem(problem.InjectLabelMisplaced, ref, origin, "metadata.labels."+injectLabel,
			"the label is for Pods and has no effect on a Namespace", "write "+injectionLabel+": enabled")
	}
}

// namespaceLabelOn reports the label of Namespaces on something else.
func (c *compiler) namespaceLabelOn(ref object.Ref, origin object.Origin, field string, labels map[string]string) {
	if v, ok := labels[injectionLabel]; ok {
		c.problem(problem.InjectLabelMisplaced, ref, origin, field+"."+injectionLabel,
			"the label "+injectionLabel+": "+v+" has an effect on Namespaces only", "label the Namespace, or the Pods with "+injectLabel)
	}
}

func (c *compiler) lintWorkload(w object.Item[*object.Workload]) {
	const template = "spec.template.metadata.labels"
	own, labels, field := w.Object.Labels, w.Object.PodLabels(), template
	if w.Ref.Kind == "Pod" {
		own, field = nil, "metadata.labels"
	}
	c.namespaceLabelOn(w.Ref, w.Origin, "metadata.labels", own)
	c.namespaceLabelOn(w.Ref, w.Origin, field, labels)
	value, asked := labels[injectLabel]
	if v, ok := own[injectLabel]; ok && !asked {
		c.problem(problem.InjectLabelMisplaced, w.Ref, w.Origin, "metadata.labels."+injectLabel,
			"the label "+injectLabel+": "+v+" has no effect on the "+w.Ref.Kind+" itself", "move it to "+template)
	}
	if !asked || gatewayPod(podOf(w.Object)) {
		return
	}
	yes := c.injected(w.Ref.Namespace, podOf(w.Object))
	switch c.injects(w.Ref.Namespace) {
	case injectAlways:
		if !yes {
			c.problem(problem.InjectionOverridden, w.Ref, w.Origin, field+"."+injectLabel,
				value+": its Pods have no sidecar in an injected namespace, so no policy is enforced there", "nothing is to be done if that is meant")
		}
	case injectNever:
		if value == "true" {
			c.problem(problem.InjectionOverridden, w.Ref, w.Origin, field+"."+injectLabel,
				"its Pods get no sidecar: the namespace's label "+injectionLabel+" is not enabled, and that counts", "remove the namespace's label")
		}
	}
}
