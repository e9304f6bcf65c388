package compile

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// upstreamTLS reads how connections to a target are encrypted; nil for plain text.
// Settings that cannot be carried out as written are reported, and missing says so:
// no request may go there in a weaker way. Secrets are those of the gateway's
// namespace.
//
// Without sni the name asked for, and verified, is the destination's host: Istio
// takes the request's Host, which a client chooses. With sni alone the certificate
// must be for that name, where Istio takes one for any.
func (c *compiler) upstreamTLS(h *hostService, s policySettings, viewer string) (u *plan.UpstreamTLS, missing string) {
	in := s.tls
	switch in.GetMode() {
	case networkingv1alpha3.ClientTLSSettings_SIMPLE, networkingv1alpha3.ClientTLSSettings_MUTUAL:
	default: // DISABLE; ISTIO_MUTUAL is the sidecars' affair
		return nil, ""
	}
	r := &tlsReader{c: c, at: s.tlsAt, viewer: viewer}
	u = &plan.UpstreamTLS{Name: or(in.Sni, h.host), Names: in.SubjectAltNames, Verify: !in.GetInsecureSkipVerify().GetValue()}
	if len(u.Names) == 0 {
		for _, e := range h.entries {
			u.Names = append(u.Names, e.spec.SubjectAltNames...)
		}
	}
	if strings.HasPrefix(u.Name, "*") {
		r.fail(problem.Schema, "sni", "the host "+h.host+" is no name to ask for and to verify", "write sni")
	}
	var pem []byte
	if u.Verify {
		if pem = r.authorities(in); pem != nil {
			u.Roots = x509.NewCertPool()
			u.Roots.AppendCertsFromPEM(pem)
		}
	}
	if in.Mode == networkingv1alpha3.ClientTLSSettings_MUTUAL {
		u.Certificate = r.clientCertificate(in)
	}
	if r.failed != "" {
		return nil, r.failed
	}
	if !u.Verify {
		c.problemAs(problem.Info, problem.DRNoCA, s.tlsAt.Ref, s.tlsAt.Origin, s.tlsAt.Field+".insecureSkipVerify",
			"the destination's certificate is not verified: whoever answers at its address is believed", "name a Secret with the authority's certificate in credentialName")
	}
	u.Digest = digest(u, pem)
	return u, ""
}

// digest tells TLS settings apart.
func digest(u *plan.UpstreamTLS, roots []byte) string {
	h := sha256.New()
	add := func(part []byte) {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		h.Write([]byte{':'})
		h.Write(part)
	}
	add([]byte(u.Name))
	add([]byte(strings.Join(u.Names, "\n")))
	add(strconv.AppendBool(nil, u.Verify))
	add(roots)
	if u.Certificate != nil {
		for _, der := range u.Certificate.Certificate {
			add(der)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// tlsReader reads the credentials of one ClientTLSSettings.
type tlsReader struct {
	c      *compiler
	at     plan.Origin // of the settings
	viewer string
	failed string // why they cannot be used
}

func (r *tlsReader) fail(code, field, message, remedy string) {
	r.failed = r.at.Ref.String() + ": " + message
	r.c.problemAs(problem.Error, code, r.at.Ref, r.at.Origin, r.at.Field+"."+field, message+"; its requests get 503, rather than go there in a weaker way", remedy)
}

const toSecret = "put it into a Secret in the gateway's namespace and name that in credentialName"

// authorities are the certificates that the destination's is verified with, in
// PEM; nil for the system's (Istio, ApplyCustomSDSToClientCommonTLSContext).
func (r *tlsReader) authorities(in *networkingv1alpha3.ClientTLSSettings) []byte {
	switch {
	case in.CredentialName != "":
		return r.secretAuthorities(in.CredentialName)
	case in.CaCrl != "":
		r.fail(problem.NotCarriedOut, "caCrl", "a list of revoked certificates is not carried out", "remove the field")
	case in.CaCertificates != "" && in.CaCertificates != "system":
		r.fail(problem.NotCarriedOut, "caCertificates", "certificates from the file "+in.CaCertificates+" in the gateway's Pod are not carried out", toSecret)
	}
	return nil
}

// secretAuthorities reads the authority's certificate of credentialName: from the
// Secret NAME-cacert, else from NAME itself; or from a ConfigMap.
func (r *tlsReader) secretAuthorities(credential string) []byte {
	var data map[string][]byte
	var where string
	if name, ok := strings.CutPrefix(credential, "configmap://"); ok {
		where = "ConfigMap " + r.viewer + "/" + name
		item, ok := r.c.set.ConfigMaps.Get(r.viewer, name)
		if !ok {
			r.fail(problem.GatewayCredentialNotFound, "credentialName", "there is no "+where, "create it, with the authority's certificate under ca.crt")
			return nil
		}
		data = map[string][]byte{"cacert": []byte(item.Object.Data["cacert"]), "ca.crt": []byte(item.Object.Data["ca.crt"])}
	} else {
		name, ok := r.secretName(credential)
		if !ok {
			return nil
		}
		item, ok := r.c.set.Secrets.Get(r.viewer, name+"-cacert")
		if !ok {
			if item, ok = r.c.set.Secrets.Get(r.viewer, name); !ok {
				r.noSecret(name)
				return nil
			}
		}
		where = item.Ref.String()
		data = map[string][]byte{"cacert": secretData(item.Object, "cacert"), "ca.crt": secretData(item.Object, "ca.crt")}
	}
	pem := data["cacert"]
	if len(pem) == 0 {
		pem = data["ca.crt"]
	}
	if err := checkAuthorities(pem); err != nil {
		r.fail(problem.GatewayCredentialInvalid, "credentialName", where+" has no usable authority: "+err.Error(), "put the authority's certificate in PEM under ca.crt")
		return nil
	}
	return pem
}

func checkAuthorities(pem []byte) error {
	if len(pem) == 0 {
		return errors.New("ca.crt is missing or empty")
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return errors.New("ca.crt holds no certificate in PEM")
	}
	return nil
}

// clientCertificate is what the gateway shows of itself.
func (r *tlsReader) clientCertificate(in *networkingv1alpha3.ClientTLSSettings) *tls.Certificate {
	if in.CredentialName == "" {
		r.fail(problem.NotCarriedOut, "clientCertificate", "a client certificate from files in the gateway's Pod is not carried out", toSecret)
		return nil
	}
	name, ok := r.secretName(in.CredentialName)
	if !ok {
		return nil
	}
	item, ok := r.c.set.Secrets.Get(r.viewer, name)
	if !ok {
		r.noSecret(name)
		return nil
	}
	pair, err := keyPair(item.Object)
	if err != nil {
		r.fail(problem.GatewayCredentialInvalid, "credentialName", item.Ref.String()+" has no usable certificate and key: "+err.Error(),
			"put the certificate chain into tls.crt and its private key into tls.key, both in PEM")
		return nil
	}
	return pair
}

// secretName reads credentialName: NAME, or kubernetes://NAME, or with the
// gateway's own namespace before it.
func (r *tlsReader) secretName(credential string) (string, bool) {
	name := strings.TrimPrefix(credential, "kubernetes://")
	ns, rest, ok := strings.Cut(name, "/")
	switch {
	case strings.Contains(name, "://") || ok && ns != r.viewer:
		r.fail(problem.GatewayCredentialNotFound, "credentialName", "the credential "+credential+" is no Secret in the gateway's namespace "+r.viewer+"; only those are used",
			"move the Secret to namespace "+r.viewer)
		return "", false
	case ok:
		return rest, true
	}
	return name, true
}

func (r *tlsReader) noSecret(name string) {
	have := r.c.secretNames(r.viewer)
	slices.Sort(have)
	message := "there is no Secret " + name + " in the gateway's namespace " + r.viewer
	if _, own := r.c.set.Secrets.Get(r.at.Ref.Namespace, name); own && r.at.Ref.Namespace != r.viewer {
		message += "; there is one in namespace " + r.at.Ref.Namespace
	} else {
		message += nearest(name, have)
	}
	r.fail(problem.GatewayCredentialNotFound, "credentialName", message, "create the Secret in namespace "+r.viewer)
}
