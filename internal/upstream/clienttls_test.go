package upstream

import (
	"crypto/x509"
	"net/http/httptest"
)

// rootsOf trusts the certificate of s.
func rootsOf(s *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.Certificate())
	return p
}
