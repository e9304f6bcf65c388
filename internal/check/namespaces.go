package check

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// namespaceMissing: an object lands in whichever namespace kubectl points at.
func namespaceMissing(p *Pass) {
	meant := p.meant()
	everything(p.Set, func(x object.Item[metav1.Object]) {
		if !x.NoNamespace {
			return
		}
		severity, remedy := problem.Info, "add metadata.namespace, or namespace: to kustomization.yaml"
		message := "it has no metadata.namespace, so it is made in the one that kubectl points at; it is taken to be in " + object.DefaultNamespace
		if namespace := meant[x.Ref]; namespace != "" {
			severity, remedy = problem.Warning, "metadata: {namespace: "+namespace+"}"
			message += ", but the Service that it names is in " + namespace
		}
		p.reportAs(severity, fieldOf(x, "metadata.namespace"), message, remedy)
	})
}

// meant finds, for objects without a namespace, the one namespace in which there is
// the Service that they name.
func (p *Pass) meant() map[object.Ref]string {
	spaces := map[string][]string{}
	for _, s := range p.Set.Services.All() {
		spaces[s.Ref.Name] = append(spaces[s.Ref.Name], s.Ref.Namespace)
	}
	found := map[object.Ref]string{}
	names := func(ref object.Ref, service string) {
		if _, here := p.Set.Services.Get(object.DefaultNamespace, service); !here && len(spaces[service]) == 1 {
			found[ref] = spaces[service][0]
		}
	}
	for _, v := range p.Set.VirtualServices.In(object.DefaultNamespace) {
		for _, h := range v.Object.Spec.Http {
			for _, r := range h.Route {
				if host := r.GetDestination().GetHost(); v.NoNamespace && !strings.Contains(host, ".") {
					names(v.Ref, host)
				}
			}
		}
	}
	for _, i := range p.Set.Ingresses.In(object.DefaultNamespace) {
		for _, r := range i.Object.Spec.Rules {
			if r.HTTP == nil || !i.NoNamespace {
				continue
			}
			for _, path := range r.HTTP.Paths {
				if s := path.Backend.Service; s != nil {
					names(i.Ref, s.Name)
				}
			}
		}
	}
	return found
}

// namespaceNotDeclared: objects are in a namespace that nothing here makes, while
// other namespaces are made here.
func namespaceNotDeclared(p *Pass) {
	if p.Set.Namespaces.Len() == 0 {
		return
	}
	told := map[string]bool{object.DefaultNamespace: true, "istio-system": true, "": true}
	everything(p.Set, func(x object.Item[metav1.Object]) {
		namespace := x.Ref.Namespace
		if told[namespace] || strings.HasPrefix(namespace, "kube-") {
			return
		}
		told[namespace] = true
		if _, ok := p.Set.Namespaces.Get("", namespace); !ok {
			p.report(fieldOf(x, "metadata.namespace"), "there is no Namespace "+namespace+" in these files; it has to be there before",
				"add apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}")
		}
	})
}
