package check

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"istio.io/api/annotation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// noted calls yield for each of Istio's annotations of all objects and pod
// templates; kind is what bears it.
func (p *Pass) noted(yield func(o plan.Origin, kind, name, value string)) {
	every := func(item object.Item[metav1.Object], kind, field string, annotations map[string]string) {
		for name, value := range annotations {
			domain, _, ok := strings.Cut(name, "/")
			if ok && (domain == "istio.io" || strings.HasSuffix(domain, ".istio.io")) || name == annotation.IoKubernetesIngressClass.Name {
				yield(fieldOf(item, field+".annotations["+name+"]"), kind, name, value)
			}
		}
	}
	everything(p.Set, func(x object.Item[metav1.Object]) { every(x, x.Ref.Kind, "metadata", x.Object.GetAnnotations()) })
	for _, w := range p.Set.Workloads.All() {
		field := "spec.template.metadata"
		switch w.Ref.Kind {
		case "Pod":
			continue
		case "CronJob":
			field = "spec.jobTemplate.spec.template.metadata"
		}
		every(object.Item[metav1.Object]{Ref: w.Ref, Origin: w.Origin, Object: w.Object}, "Pod", field, w.Object.Template.Annotations)
	}
}

// knownAnnotations are those of Istio's API, by name.
func knownAnnotations() map[string]*annotation.Instance {
	all := map[string]*annotation.Instance{}
	for _, a := range annotation.AllResourceAnnotations() {
		all[a.Name] = a
	}
	return all
}

func annotationDeprecated(p *Pass) {
	all := knownAnnotations()
	p.noted(func(o plan.Origin, _, name, _ string) {
		remedy := "remove it"
		if name == annotation.SidecarInject.Name {
			remedy = "write it as a label of the Pods"
		}
		if a := all[name]; a != nil && a.Deprecated {
			p.report(o, "the annotation "+name+" is deprecated", remedy)
		}
	})
}

func annotationMisplaced(p *Pass) {
	all := knownAnnotations()
	p.noted(func(o plan.Origin, kind, name, _ string) {
		a := all[name]
		if a == nil || slices.Contains(a.Resources, annotation.Any) {
			return
		}
		var on []string
		for _, r := range a.Resources {
			if r.String() == kind {
				return
			}
			on = append(on, r.String())
		}
		remedy := "move it to a " + strings.Join(on, " or a ")
		if slices.Contains(on, "Pod") {
			remedy = "move it to spec.template.metadata.annotations"
		}
		p.report(o, "the annotation "+name+" does nothing on a "+kind+"; it is for a "+strings.Join(on, " or a "), remedy)
	})
}

func annotationUnknown(p *Pass) {
	all := knownAnnotations()
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	p.noted(func(o plan.Origin, _, name, _ string) {
		if all[name] != nil || name == suppressAnnotation {
			return
		}
		remedy := "remove it"
		if near, ok := problem.Nearest(name, names); ok {
			remedy = "write " + near
		}
		p.report(o, "Istio has no annotation "+name, remedy)
	})
}

// annotationInvalid: the values whose form is known. Compile reads istio.io/dry-run.
func annotationInvalid(p *Pass) {
	p.noted(func(o plan.Origin, _, name, value string) {
		wants := ""
		switch name {
		case annotation.SidecarInject.Name, annotation.SidecarRewriteAppHTTPProbers.Name:
			if _, err := strconv.ParseBool(value); err != nil {
				wants = `"true" or "false"`
			}
		case annotation.SidecarStatusPort.Name, annotation.SidecarStatusReadinessInitialDelaySeconds.Name, annotation.SidecarStatusReadinessPeriodSeconds.Name,
			annotation.SidecarStatusReadinessFailureThreshold.Name:
			if _, err := strconv.ParseUint(value, 10, 31); err != nil {
				wants = "a whole number"
			}
		case annotation.SidecarTrafficIncludeInboundPorts.Name, annotation.SidecarTrafficExcludeInboundPorts.Name, annotation.SidecarTrafficExcludeOutboundPorts.Name:
			if value != "*" && !all(value, func(s string) bool { n, err := strconv.ParseUint(s, 10, 16); return err == nil && n > 0 }) {
				wants = `port numbers joined by commas, or "*"`
			}
		case annotation.SidecarTrafficIncludeOutboundIPRanges.Name, annotation.SidecarTrafficExcludeOutboundIPRanges.Name:
			if value != "*" && !all(value, func(s string) bool { _, err := netip.ParsePrefix(s); return err == nil }) {
				wants = `ranges such as 10.0.0.0/8 joined by commas, or "*"`
			}
		}
		if wants != "" {
			p.report(o, strconv.Quote(value)+" is no value of the annotation "+name+"; it is "+wants, "write "+wants)
		}
	})
}

// all tells whether each part of a list joined by commas is good; an empty list is.
func all(list string, good func(string) bool) bool {
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" && !good(s) {
			return false
		}
	}
	return true
}
