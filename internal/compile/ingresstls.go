package compile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// readTLS gives the hosts of Ingresses with a tls section their certificates.
// The first Ingress of a host with such a section decides; what it names and
// cannot be used becomes the default certificate (ingress-nginx, createServers).
func (e *edge) readTLS() {
	for _, ing := range e.ingresses {
		spec := &ing.item.Object.Spec
		for i, r := range spec.Rules {
			h := e.hosts[hostName(r.Host)]
			if len(spec.TLS) == 0 || h.name == anyHost || h.secure {
				continue
			}
			h.secure, h.certificate = true, e.c.opts.DefaultCertificate
			if cert := e.certificate(ing, h.name, ruleField(i)+".host"); cert != nil {
				h.certificate = cert
			}
		}
	}
	for _, ing := range e.ingresses {
		e.redirectWithoutTLS(ing)
	}
}

// certificate finds the certificate that an Ingress brings for one of its
// hosts, or nil for the default one.
func (e *edge) certificate(ing *ingress, host, field string) *tls.Certificate {
	for i, t := range ing.item.Object.Spec.TLS {
		if !slices.ContainsFunc(t.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			continue
		}
		if t.SecretName == "" {
			return nil
		}
		cert, err := e.secret(ing, t.SecretName, tlsField(i)+".secretName")
		if err != nil {
			return nil
		}
		if err := covers(cert, host); err != nil {
			e.c.problem(problem.IngressTLSHostMismatch, ing.item.Ref, ing.item.Origin, tlsField(i)+".secretName",
				"the certificate of Secret "+t.SecretName+" is not for "+host+" ("+err.Error()+"); the default certificate is shown",
				"put a certificate for "+host+" into the Secret")
			return nil
		}
		return cert
	}
	for i, t := range ing.item.Object.Spec.TLS {
		if t.SecretName == "" {
			continue
		}
		if cert, err := e.secret(ing, t.SecretName, tlsField(i)+".secretName"); err == nil && covers(cert, host) == nil {
			return cert
		}
	}
	e.c.problem(problem.IngressTLSHostMismatch, ing.item.Ref, ing.item.Origin, field,
		"host "+host+" is in no tls.hosts and no certificate of the Ingress is for it; the default certificate is shown",
		"add the host to spec.tls[].hosts")
	return nil
}

var errNoCertificate = errors.New("tls.crt is missing or empty")

// secret reads a certificate of the Ingress' own namespace, and reports one
// that cannot be used.
func (e *edge) secret(ing *ingress, name, field string) (*tls.Certificate, error) {
	ref, origin := ing.item.Ref, ing.item.Origin
	item, ok := e.c.set.Secrets.Get(ref.Namespace, name)
	if !ok {
		if e.c.issued(ref.Namespace, name, ref, origin, field, "the default certificate is shown") {
			return nil, errNoCertificate
		}
		have := e.c.secretNames(ref.Namespace)
		e.c.problem(problem.IngressTLSSecretMissing, ref, origin, field,
			"there is no Secret "+name+" in namespace "+ref.Namespace+nearest(name, have)+"; the default certificate is shown", "create the Secret with tls.crt and tls.key")
		return nil, errNoCertificate
	}
	cert, err := e.parsed(item)
	if err != nil {
		e.c.problem(problem.IngressTLSSecretMissing, ref, origin, field,
			"the Secret "+name+" has no usable certificate and key: "+err.Error()+"; the default certificate is shown",
			"put the certificate chain into tls.crt and its private key into tls.key, both in PEM")
	}
	return cert, err
}

// parsed reads the certificate of a Secret, once for all Ingresses that name it.
func (e *edge) parsed(item object.Item[*corev1.Secret]) (*tls.Certificate, error) {
	key := name{item.Ref.Namespace, item.Ref.Name}
	if cert := e.certificates[key]; cert != nil {
		return cert, nil
	}
	if len(secretData(item.Object, "tls.crt")) == 0 {
		return nil, errNoCertificate
	}
	cert, err := keyPair(item.Object)
	if err == nil {
		e.certificates[key] = cert
		e.c.certificates[cert] = plan.Origin{Ref: item.Ref, Origin: item.Origin}
	}
	return cert, err
}

// covers tells why a certificate is not for a host. Without alternative names
// its common name counts.
func covers(cert *tls.Certificate, host string) error {
	leaf := cert.Leaf
	err := leaf.VerifyHostname(host)
	if err != nil && len(leaf.DNSNames) == 0 && leaf.Subject.CommonName != "" {
		byName := x509.Certificate{DNSNames: []string{leaf.Subject.CommonName}}
		return byName.VerifyHostname(host)
	}
	return err
}

// redirectWithoutTLS tells that ssl-redirect does nothing for a host without
// certificate.
func (e *edge) redirectWithoutTLS(ing *ingress) {
	const name = "ssl-redirect"
	if on, err := strconv.ParseBool(ing.item.Object.Annotations[annotationPrefix+name]); err != nil || !on || ing.forceSSLRedirect {
		return
	}
	for _, r := range ing.item.Object.Spec.Rules {
		if h := e.hosts[hostName(r.Host)]; h.name != anyHost && !e.certified(h) {
			e.c.problem(problem.IngressSSLRedirectWithoutTLS, ing.item.Ref, ing.item.Origin, annotationField(name),
				"host "+h.name+" has no tls, so plain requests are served and not redirected",
				"add the host to spec.tls, or use force-ssl-redirect")
			return
		}
	}
}
