package check

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

const certManager = "cert-manager.io"

// issuerNotFound: a certificate is asked of an issuer that the files do not declare,
// while they declare others. Without any they are kept elsewhere.
func issuerNotFound(p *Pass) {
	if p.Set.Issuers.Len()+p.Set.ClusterIssuers.Len() == 0 {
		return
	}
	for _, item := range p.Set.Certificates.All() {
		p.issuer(fieldOf(item, "spec.issuerRef.name"), item.Object.Spec.IssuerRef)
	}
	for _, item := range p.Set.Ingresses.All() {
		notes := item.Object.Annotations
		for _, a := range []struct{ name, kind string }{{certManager + "/issuer", "Issuer"}, {certManager + "/cluster-issuer", "ClusterIssuer"}} {
			if name, ok := notes[a.name]; ok {
				ref := object.IssuerRef{Name: name, Kind: a.kind, Group: notes[certManager+"/issuer-group"]}
				if kind := notes[certManager+"/issuer-kind"]; kind != "" && a.kind == "Issuer" {
					ref.Kind = kind
				}
				p.issuer(fieldOf(item, "metadata.annotations["+a.name+"]"), ref)
			}
		}
	}
}

// issuer reports a reference to an issuer of cert-manager's own that is not there.
func (p *Pass) issuer(at plan.Origin, ref object.IssuerRef) {
	if ref.Group != "" && ref.Group != certManager {
		return
	}
	own, all := namesOf(p.Set.Issuers.In(at.Ref.Namespace)), namesOf(p.Set.ClusterIssuers.All())
	have, other, what, kind := own, all, "Issuer "+at.Ref.Namespace+"/"+ref.Name, "ClusterIssuer"
	switch {
	case ref.Kind == "ClusterIssuer":
		have, other, what, kind = all, own, "ClusterIssuer "+ref.Name, "Issuer"
	case ref.Kind != "" && ref.Kind != "Issuer":
		return
	}
	for _, name := range have {
		if name == ref.Name {
			return
		}
	}
	message, remedy := "there is no "+what+", so nobody makes the certificate; there is "+listed(have, "none of that kind")+nearest(ref.Name, have), "name an issuer that is there"
	for _, name := range other {
		if name == ref.Name {
			message, remedy = "there is no "+what+", so nobody makes the certificate; there is "+kind+" "+name, "name it as a "+kind
		}
	}
	if near, ok := problem.Nearest(ref.Name, have); ok {
		remedy = "write " + near
	}
	p.report(at, message, remedy)
}

func namesOf[T metav1.Object](items []object.Item[T]) []string {
	var names []string
	for _, item := range items {
		names = append(names, item.Ref.Name)
	}
	return names
}
