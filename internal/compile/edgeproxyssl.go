package compile

import (
	"crypto/x509"
	"regexp"
	"strings"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// proxySSL is what the annotations of an Ingress ask for about TLS to its backends.
type proxySSL struct {
	sslSecret, sslName string
	verify, serverName bool
}

// sslNames are the letters of proxy-ssl-name.
var sslNames = regexp.MustCompile(`^[-._~a-zA-Z0-9]+$`)

// set reads one annotation.
func (p *proxySSL) set(name, value string) (ok, known bool) {
	onOff := func(to *bool) bool {
		*to = value == "on"
		return value == "on" || value == "off"
	}
	switch name {
	case "proxy-ssl-secret":
		if ok = objectName.MatchString(value); ok {
			p.sslSecret = value
		}
	case "proxy-ssl-name":
		if ok = sslNames.MatchString(value); ok {
			p.sslName = value
		}
	case "proxy-ssl-verify":
		ok = onOff(&p.verify)
	case "proxy-ssl-server-name":
		ok = onOff(&p.serverName)
	default:
		return false, false
	}
	return ok, true
}

// nobodysName is what NGINX takes a backend's name for, where proxy-ssl-name says none.
const nobodysName = "upstream_balancer"

// readProxySSL reads the Secret of proxy-ssl-secret: a client certificate, an
// authority, or both. Without it the other annotations mean nothing to ingress-nginx;
// proxy-ssl-verify, which would then verify nothing, closes the Ingress.
func (e *edge) readProxySSL(ing *ingress) {
	if ing.sslSecret == "" && !ing.verify {
		return
	}
	tls, why := e.proxyTLS(ing)
	if why == "" {
		ing.upstreamTLS = tls
		return
	}
	if ing.closed == "" {
		ing.closed = why
	}
	e.c.problemAs(problem.Error, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField("proxy-ssl-secret"),
		why+"; all paths of the Ingress answer 503", "name a Secret with ca.crt, or with tls.crt and tls.key, as NAMESPACE/NAME")
}

func (e *edge) proxyTLS(ing *ingress) (u *plan.UpstreamTLS, why string) {
	namespace, name, both := strings.Cut(ing.sslSecret, "/")
	switch {
	case ing.sslSecret == "":
		return nil, "proxy-ssl-verify verifies nothing without proxy-ssl-secret"
	case !both:
		return nil, "proxy-ssl-secret " + ing.sslSecret + " names no namespace"
	case namespace != ing.item.Ref.Namespace:
		return nil, "the Secret " + ing.sslSecret + " is of another namespace"
	}
	item, ok := e.c.set.Secrets.Get(namespace, name)
	if !ok {
		return nil, "there is no Secret " + ing.sslSecret + nearest(name, e.c.secretNames(namespace))
	}
	u = &plan.UpstreamTLS{Verify: ing.verify}
	ca := secretData(item.Object, "ca.crt")
	cert, err := keyPair(item.Object)
	switch {
	case err == nil:
		u.Certificate = cert
	case len(secretData(item.Object, "tls.crt")) > 0 || len(ca) == 0:
		return nil, "the Secret " + ing.sslSecret + " has no usable certificate: " + err.Error()
	}
	if ing.serverName {
		u.Name = or(ing.sslName, nobodysName)
	}
	if u.Verify {
		u.Names = []string{or(ing.sslName, nobodysName)}
		u.Roots = x509.NewCertPool()
		if !u.Roots.AppendCertsFromPEM(ca) {
			return nil, "the Secret " + ing.sslSecret + " has no ca.crt to verify with"
		}
	}
	u.Digest = digest(u, ca)
	return u, ""
}
