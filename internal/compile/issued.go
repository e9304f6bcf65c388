package compile

import (
	"slices"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// issuing are the annotations for which cert-manager makes the Secrets of an
// Ingress.
func issuing() []string {
	return []string{"cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme"}
}

// issued tells whether a Secret that is not among the files is made by an issuer: of
// a Certificate, or of an Ingress with an annotation for it. It is no mistake then;
// what happens here until it is there is told at the field that names it.
func (c *compiler) issued(namespace, secret string, ref object.Ref, origin object.Origin, field, until string) bool {
	by := c.issuedBy(namespace, secret)
	if by.IsZero() {
		return false
	}
	c.problemAs(problem.Info, problem.NotCarriedOut, ref, origin, field,
		"the Secret "+secret+" of "+by.String()+" is made by cert-manager, which does not run here; "+until, "add the Secret to the files, if its certificate is to be shown")
	return true
}

func (c *compiler) issuedBy(namespace, secret string) object.Ref {
	for _, item := range c.set.Certificates.In(namespace) {
		if item.Object.Spec.SecretName == secret {
			return item.Ref
		}
	}
	for _, item := range c.set.Ingresses.In(namespace) {
		annotated := slices.ContainsFunc(issuing(), func(name string) bool { _, ok := item.Object.Annotations[name]; return ok })
		if annotated && slices.ContainsFunc(item.Object.Spec.TLS, func(t netv1.IngressTLS) bool { return t.SecretName == secret }) {
			return item.Ref
		}
	}
	return object.Ref{}
}
