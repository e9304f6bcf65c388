package compile

import (
	"crypto/tls"
	"fmt"
	"strings"

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
	if v := t.MaxProtocolVersion; v != networkingv1alpha3.ServerTLSSettings_TLS_AUTO && v != networkingv1alpha3.ServerTLSSettings_TLSV1_3 {
		c.onServer(problem.NotCarriedOut, sv, ".tls.maxProtocolVersion", "the field is not carried out; newer versions are accepted too", "remove the field")
	}
	if strict := notStrict(t); strict != "" {
		c.onServer(problem.NotCarriedOut, sv, ".tls."+strict, "the field is not carried out; the server refuses every connection, rather than serve it in a weaker way",
			"remove the field")
		return nil, true
	}
	cert = c.credential(w, sv, names[0])
	return cert, cert == nil
}

// notStrict names a setting that would be weakened by leaving it out, or "".
func notStrict(t *networkingv1alpha3.ServerTLSSettings) string {
	switch {
	case t.MinProtocolVersion == networkingv1alpha3.ServerTLSSettings_TLSV1_3:
		return "minProtocolVersion"
	case len(t.CipherSuites) > 0:
		return "cipherSuites"
	}
	return ""
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
