// Package pki makes certificates: the one that the edge shows where no Secret
// fits (Default, kept over restarts by KeepDefault), and those of an Authority
// for demonstrations and tests.
//
// Keys are ECDSA P-256: every client of TLS 1.2 and 1.3 takes them, and they
// cost a server a small part of what RSA does.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// validity is how long a certificate is good for, as ingress-nginx has it.
const validity = 365 * 24 * time.Hour

// Default makes the certificate that ingress-nginx shows where it has no other:
// same subject, same name, signed by itself.
func Default() (*tls.Certificate, error) {
	c, err := create(pkix.Name{
		Organization: []string{"Acme Co"},
		CommonName:   "Kubernetes Ingress Controller Fake Certificate",
	}, []string{"ingress.local"}, nil, false)
	if err != nil {
		return nil, fmt.Errorf("make the default certificate: %w", err)
	}
	return c, nil
}

// SelfSigned makes a certificate for names, which are host names, wildcards or
// IP addresses, signed by itself.
func SelfSigned(names ...string) (*tls.Certificate, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("make a certificate: it has no name")
	}
	return create(pkix.Name{CommonName: names[0]}, names, nil, false)
}

// Authority signs certificates.
type Authority struct{ own *tls.Certificate }

// NewAuthority makes an authority called name.
func NewAuthority(name string) (*Authority, error) {
	c, err := create(pkix.Name{CommonName: name}, nil, nil, true)
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	return &Authority{c}, nil
}

// Certificate is the authority's own, for those who shall trust it.
func (a *Authority) Certificate() *x509.Certificate { return a.own.Leaf }

// Pool holds the authority's certificate alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.own.Leaf)
	return p
}

// Issue makes a certificate for names that the authority signs. It is good for
// servers and clients.
func (a *Authority) Issue(names ...string) (*tls.Certificate, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("issue a certificate: it has no name")
	}
	return create(pkix.Name{CommonName: names[0]}, names, a, false)
}

// PEM is a certificate's chain and its key, each as a Secret of type
// kubernetes.io/tls holds them.
func PEM(c *tls.Certificate) (chain, key []byte, err error) {
	for _, der := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// create makes a key and a certificate for it, signed by signer or, if that is
// nil, by itself.
func create(subject pkix.Name, names []string, signer *Authority, authority bool) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             now.Add(-5 * time.Minute), // clocks differ
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if authority {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	by := &tls.Certificate{Leaf: template, PrivateKey: key}
	if signer != nil {
		by = signer.own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Leaf, &key.PublicKey, by.PrivateKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, by.Certificate...), PrivateKey: key, Leaf: leaf}, nil
}
