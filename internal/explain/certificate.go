package explain

import (
	"crypto/x509"
	"slices"

	"github.com/doorward/doorward/internal/plan"
)

// Certificate is what a TLS client is shown.
type Certificate struct {
	// From is the Secret, "Kind namespace/name (file:line)"; "" for the default one,
	// which Doorward makes itself.
	From    string   `json:"from,omitempty"`
	Names   []string `json:"names,omitempty"`
	Expires string   `json:"expires,omitempty"` // RFC 3339
	// Refused says that the handshake fails, and Mistrusted that the certificate is not
	// for the host.
	Refused    bool `json:"refused,omitempty"`
	Mistrusted bool `json:"mistrusted,omitempty"`
}

// certificate is what the first listener shows.
func (x *asking) certificate(l *plan.Listener) *Certificate {
	name := x.sni
	cert := l.CertificateFor(name)
	switch {
	case !l.TLS() && l.Dialect != plan.NGINX: // it takes no handshake at all
		return nil
	case cert == nil && l.Dialect == plan.NGINX:
		return &Certificate{Mistrusted: true}
	case cert == nil:
		return &Certificate{Refused: true}
	}
	c := &Certificate{}
	if o := l.CertificateFrom(name); o.Ref.Kind != "" {
		c.From = o.String()
	}
	leaf := cert.Leaf
	if leaf == nil && len(cert.Certificate) > 0 {
		leaf, _ = x509.ParseCertificate(cert.Certificate[0])
	}
	if leaf != nil {
		c.Names, c.Expires = slices.Clone(leaf.DNSNames), leaf.NotAfter.UTC().Format("2006-01-02T15:04:05Z07:00")
		c.Mistrusted = c.From == "" || leaf.VerifyHostname(name) != nil
	}
	return c
}
