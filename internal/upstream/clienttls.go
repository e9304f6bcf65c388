package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/plan"
)

// sessions is how many TLS sessions a cluster remembers, to resume them.
const sessions = 64

// clientTLS returns the settings for connections to a backend, without ALPN; nil
// for plain ones. With settings that cannot be used as they are meant there is
// an error and no connection is made. Nothing of t is kept but its roots and
// certificate.
func clientTLS(t *plan.UpstreamTLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	v := &verifier{roots: t.Roots}
	switch {
	case t.Digest == "":
		return nil, errors.New("the TLS settings are not complete")
	case len(t.Names) > 0:
		for _, name := range t.Names {
			v.names = append(v.names, strings.Clone(name))
		}
	case t.Name != "":
		v.names = []string{strings.Clone(t.Name)}
	case t.Verify && t.Roots == nil:
		return nil, errors.New("the certificate is to be verified, but no name is given and any public authority would do")
	}
	c := &tls.Config{
		ServerName:         strings.Clone(t.Name),
		InsecureSkipVerify: true, // see verifier
		ClientSessionCache: tls.NewLRUClientSessionCache(sessions),
	}
	if t.Verify {
		c.VerifyConnection = v.verify
	}
	if t.Certificate != nil {
		if len(t.Certificate.Certificate) == 0 || t.Certificate.PrivateKey == nil {
			return nil, errors.New("the client certificate has no chain or no key")
		}
		own := *t.Certificate
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return c, nil
}

// verifier stands in for the verification of crypto/tls, which knows but one
// name: that of SNI.
type verifier struct {
	roots *x509.CertPool // nil: the system's
	names []string       // any of them will do; none: the authority alone decides
}

func (v *verifier) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server has sent no certificate")
	}
	leaf := s.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: v.roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return err
	}
	if len(v.names) == 0 || slices.ContainsFunc(v.names, func(name string) bool { return isFor(leaf, name) }) {
		return nil
	}
	return fmt.Errorf("the certificate is for %s, not for %s", orNothing(namesOf(leaf)), strings.Join(v.names, " or "))
}

// isFor tells whether a certificate is for a name: a DNS name, an address, or a
// URI such as spiffe://cluster.local/ns/a/sa/b.
func isFor(c *x509.Certificate, name string) bool {
	if strings.Contains(name, "://") {
		for _, u := range c.URIs {
			if u.String() == name {
				return true
			}
		}
		return false
	}
	return c.VerifyHostname(name) == nil
}

// namesOf lists what a certificate is for.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return names
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, ", ")
}
