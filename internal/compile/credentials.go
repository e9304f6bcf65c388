package compile

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// serverCertificate finds the certificate of a server with TLS mode SIMPLE.
// closed says that the server must refuse connections, because its settings
// cannot be carried out as written.
func (c *compiler) serverCertificate(w *gatewayWorkload, sv *server) (cert *tls.Certificate, closed bool) {
	t := sv.Tls
	names := t.CredentialNames
	if len(names) == 0 && t.CredentialName != "" {
		names = []string{t.CredentialName}
	}
	if len(names) == 0 {
		c.onServer(problem.NotCarriedOut, sv, ".tls", "a certificate from files in the gateway's Pod is not carried out; the server refuses every connection",
			"put the certificate into a Secret and name it in credentialName")
		return nil, true
	}
	if len(names) > 1 {
		c.onServer(problem.NotCarriedOut, sv, ".tls.credentialNames", "only the first certificate of several is shown: "+names[0], "name one Secret")
	}
	cert = c.credential(w, sv, names[0])
	return cert, cert == nil
}

// tlsLimits are the versions and cipher suites of a server's TLS settings. closed says
// that none of its suites is known. TLS 1.2 is the least here, whatever they say.
func (c *compiler) tlsLimits(sv *server) (l plan.TLSLimits, closed bool) {
	t := sv.Tls
	if t.MinProtocolVersion == networkingv1alpha3.ServerTLSSettings_TLSV1_3 {
		l.Min = tls.VersionTLS13
	}
	switch t.MaxProtocolVersion {
	case networkingv1alpha3.ServerTLSSettings_TLS_AUTO, networkingv1alpha3.ServerTLSSettings_TLSV1_3:
	case networkingv1alpha3.ServerTLSSettings_TLSV1_2:
		l.Max = tls.VersionTLS12
	default:
		c.onServer(problem.NotCarriedOut, sv, ".tls.maxProtocolVersion", "TLS 1.2 is the least that is spoken here; the server refuses every connection", "allow TLSV1_2")
		return l, true
	}
	if l.Max != 0 && l.Min > l.Max {
		c.onServer(problem.Schema, sv, ".tls.maxProtocolVersion", "it is below minProtocolVersion; the server refuses every connection", "correct one of the two")
		return l, true
	}
	var unknown []string
	for _, name := range t.CipherSuites {
		if id := cipherSuite(name); id != 0 {
			l.Ciphers = append(l.Ciphers, id)
		} else {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		rest := "; the others are used"
		if len(l.Ciphers) == 0 {
			rest = "; the server refuses every connection"
		}
		c.onServer(problem.NotCarriedOut, sv, ".tls.cipherSuites", "not known here: "+strings.Join(unknown, ", ")+rest, "name suites such as ECDHE-ECDSA-AES128-GCM-SHA256")
	}
	return l, len(t.CipherSuites) > 0 && len(l.Ciphers) == 0
}

// cipherSuite is the number of a suite of TLS 1.2 by Istio's name for it, which is
// OpenSSL's; 0 where it is not known. Those
// of CBC are let out, which HTTP/2 forbids; suites of TLS 1.3 cannot be chosen.
func cipherSuite(name string) uint16 {
	switch name {
	case "ECDHE-ECDSA-AES128-GCM-SHA256":
		return tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	case "ECDHE-RSA-AES128-GCM-SHA256":
		return tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	case "ECDHE-ECDSA-AES256-GCM-SHA384":
		return tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	case "ECDHE-RSA-AES256-GCM-SHA384":
		return tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
	case "ECDHE-ECDSA-CHACHA20-POLY1305":
		return tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
	case "ECDHE-RSA-CHACHA20-POLY1305":
		return tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
	}
	return 0
}

// credential reads the Secret called credentialName, in the namespace of the
// gateway workload and nowhere else, as Istio does.
func (c *compiler) credential(w *gatewayWorkload, sv *server, name string) *tls.Certificate {
	namespace, secret := w.namespace, name
	if ns, rest, ok := strings.Cut(strings.TrimPrefix(name, "kubernetes://"), "/"); ok {
		if ns != w.namespace {
			c.onServer(problem.GatewayCredentialNotFound, sv, ".tls.credentialName",
				"the Secret "+name+" is not in the gateway's namespace "+w.namespace+"; only Secrets there are used", "move the Secret to namespace "+w.namespace)
			return nil
		}
		secret = rest
	}
	item, ok := c.set.Secrets.Get(namespace, secret)
	if !ok && c.issued(namespace, secret, sv.gateway.item.Ref, sv.gateway.item.Origin, sv.field+".tls.credentialName", "the server refuses every connection") {
		return nil
	}
	if !ok {
		message := "there is no Secret " + secret + " in the gateway's namespace " + namespace + "; the server refuses every connection"
		remedy := "create the Secret in namespace " + namespace
		if _, own := c.set.Secrets.Get(sv.gateway.item.Ref.Namespace, secret); own && sv.gateway.item.Ref.Namespace != namespace {
			message += "; there is one in namespace " + sv.gateway.item.Ref.Namespace
		} else {
			have := c.secretNames(namespace)
			message += nearest(secret, have)
		}
		c.onServer(problem.GatewayCredentialNotFound, sv, ".tls.credentialName", message, remedy)
		return nil
	}
	cert, err := keyPair(item.Object)
	if err != nil {
		c.onServer(problem.GatewayCredentialInvalid, sv, ".tls.credentialName",
			"the Secret "+namespace+"/"+secret+" has no usable certificate and key: "+err.Error()+"; the server refuses every connection",
			"put the certificate chain into tls.crt and its private key into tls.key, both in PEM")
		return nil
	}
	c.certificates[cert] = plan.Origin{Ref: item.Ref, Origin: item.Origin}
	if end := cert.Leaf.NotAfter; !c.opts.Now.IsZero() && c.opts.Now.After(end) {
		c.onServer(problem.GatewayCredentialInvalid, sv, ".tls.credentialName",
			"the certificate of Secret "+namespace+"/"+secret+" has expired on "+end.UTC().Format(time.DateOnly)+": clients refuse the connection", "renew it")
	}
	return cert
}

// keyPair reads the certificate and key of a Secret: under cert and key, or
// tls.crt and tls.key, whatever its type.
func keyPair(s *corev1.Secret) (*tls.Certificate, error) {
	for _, names := range [...][2]string{{"cert", "key"}, {"tls.crt", "tls.key"}} {
		cert, key := secretData(s, names[0]), secretData(s, names[1])
		if len(cert) == 0 || len(key) == 0 {
			continue
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		return &pair, nil
	}
	return nil, fmt.Errorf("tls.crt and tls.key are missing or empty")
}

// secretData reads a key of a Secret; stringData wins, as on a cluster.
func secretData(s *corev1.Secret, key string) []byte {
	if v, ok := s.StringData[key]; ok {
		return []byte(v)
	}
	return s.Data[key]
}
