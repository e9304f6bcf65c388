package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// rootsOf trusts the certificate of s.
func rootsOf(s *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.Certificate())
	return p
}

// authority issues certificates.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert, key, x509.NewCertPool()}
	a.roots.AddCert(cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for DNS names, addresses and URIs.
func (a *authority) issue(t *testing.T, valid time.Duration, names ...string) *tls.Certificate {
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if u, err := url.Parse(n); err == nil && u.Scheme != "" {
			tmpl.URIs = append(tmpl.URIs, u)
		} else if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsServer answers requests over TLS and tells of every handshake that worked.
func tlsServer(t *testing.T, config *tls.Config) (address string, seen <-chan tls.ConnectionState) {
	states := make(chan tls.ConnectionState, 16)
	return serve(t, func(nc net.Conn) {
		s := tls.Server(nc, config)
		if s.Handshake() != nil {
			return
		}
		states <- s.ConnectionState()
		answer(s, "")
	}), states
}

func TestUpstreamTLSVerifies(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	const spiffe = "spiffe://cluster.local/ns/shop/sa/app"
	leaf := ours.issue(t, time.Hour, "app.example", "*.wild.example", "127.0.0.1", spiffe)
	expired := ours.issue(t, -time.Minute, "app.example")
	for _, test := range []struct {
		name string
		tls  plan.UpstreamTLS
		leaf *tls.Certificate
		want string // part of the error, "" for none
	}{
		{"the name of SNI", plan.UpstreamTLS{Name: "app.example"}, leaf, ""},
		{"another name", plan.UpstreamTLS{Name: "bank.example"}, leaf, "the certificate is for app.example, *.wild.example, 127.0.0.1, " + spiffe + ", not for bank.example"},
		{"wildcard", plan.UpstreamTLS{Name: "a.wild.example"}, leaf, ""},
		{"wildcard over two labels", plan.UpstreamTLS{Name: "a.b.wild.example"}, leaf, "not for a.b.wild.example"},
		{"address", plan.UpstreamTLS{Name: "127.0.0.1"}, leaf, ""},
		{"one of subjectAltNames", plan.UpstreamTLS{Name: "sni.example", Names: []string{"x.example", "app.example"}}, leaf, ""},
		{"SPIFFE identity", plan.UpstreamTLS{Name: "sni.example", Names: []string{spiffe}}, leaf, ""},
		{"another identity", plan.UpstreamTLS{Names: []string{spiffe + "x", "x.example"}}, leaf, "not for " + spiffe + "x or x.example"},
		{"subjectAltNames stand in for SNI", plan.UpstreamTLS{Name: "app.example", Names: []string{"x.example"}}, leaf, "not for x.example"},
		{"no name, own authority", plan.UpstreamTLS{}, leaf, ""},
		{"another authority", plan.UpstreamTLS{Name: "app.example", Roots: others.roots}, leaf, "certificate signed by unknown authority"},
		{"expired", plan.UpstreamTLS{Name: "app.example"}, expired, "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, seen := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{*test.leaf}})
			b := backend("a", address)
			test.tls.Digest, test.tls.Verify = "d", true
			if test.tls.Roots == nil {
				test.tls.Roots = ours.roots
			}
			b.TLS = &test.tls
			e := endpointOf(t, newManager(t, Options{}), b)
			for range 2 { // the second resumes the session of the first
				c, err := e.Conn(t.Context(), Want{New: true})
				if test.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					get(t, c)
					c.Close()
					sni := test.tls.Name
					if net.ParseIP(sni) != nil {
						sni = ""
					}
					if got := (<-seen).ServerName; got != sni {
						t.Errorf("SNI asked for %q, want %q", got, sni)
					}
					continue
				}
				var dial *DialError
				if !errors.As(err, &dial) || dial.Reason != TLSFailed || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got %v, want a TLS failure that says %q", err, test.want)
				}
			}
		})
	}
}

func TestUpstreamTLSWithoutVerification(t *testing.T) {
	address, _ := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{*newAuthority(t).issue(t, -time.Hour, "x")}})
	b := backend("a", address)
	b.TLS = &plan.UpstreamTLS{Digest: "d"} // proxy-ssl-verify off, insecureSkipVerify
	c := conn(t, endpointOf(t, newManager(t, Options{}), b), Want{})
	get(t, c)
	c.Close()
}

// A session is resumed, and its certificate verified, within one cluster only.
func TestUpstreamTLSResumesSessions(t *testing.T) {
	a := newAuthority(t)
	address, seen := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{*a.issue(t, time.Hour, "app.example")}})
	b := backend("a", address)
	b.TLS = &plan.UpstreamTLS{Name: "app.example", Roots: a.roots, Verify: true, Digest: "d"}
	m := newManager(t, Options{})
	e := endpointOf(t, m, b)
	for _, want := range []bool{false, true} {
		c := conn(t, e, Want{New: true})
		get(t, c) // the ticket comes after the handshake
		c.Close()
		if got := (<-seen).DidResume; got != want {
			t.Errorf("resumed: got %t, want %t", got, want)
		}
	}
	strict := *b
	strict.TLS = &plan.UpstreamTLS{Name: "app.example", Names: []string{"other.example"}, Roots: a.roots, Verify: true, Digest: "d2"}
	if _, err := endpointOf(t, m, &strict).Conn(t.Context(), Want{}); err == nil {
		t.Error("with stricter settings the session of the laxer ones was good enough")
	}
}

func TestUpstreamTLSSendsTheClientCertificate(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	// The server names an authority that did not issue it: it is sent all the
	// same, as Envoy and NGINX do, and the server decides.
	for name, asks := range map[string]*authority{"its authority": ours, "another": others} {
		t.Run(name, func(t *testing.T) {
			address, seen := tlsServer(t, &tls.Config{
				Certificates: []tls.Certificate{*ours.issue(t, time.Hour, "app.example")},
				ClientAuth:   tls.RequestClientCert, ClientCAs: asks.roots,
			})
			b := backend("a", address)
			mine := ours.issue(t, time.Hour, "gateway.example")
			b.TLS = &plan.UpstreamTLS{Name: "app.example", Roots: ours.roots, Verify: true, Certificate: mine, Digest: "d"}
			c := conn(t, endpointOf(t, newManager(t, Options{}), b), Want{})
			get(t, c)
			c.Close()
			if got := (<-seen).PeerCertificates; len(got) != 1 || got[0].DNSNames[0] != "gateway.example" {
				t.Errorf("the server saw %d certificates, want ours", len(got))
			}
		})
	}
}

func TestUpstreamTLSFailsClosed(t *testing.T) {
	leaf := newAuthority(t).issue(t, time.Hour, "gateway.example")
	for name, test := range map[string]struct {
		tls  plan.UpstreamTLS
		want string
	}{
		"no digest":                {plan.UpstreamTLS{Name: "app.example"}, "not complete"},
		"any authority, any name":  {plan.UpstreamTLS{Verify: true, Digest: "d"}, "any public authority"},
		"certificate without key":  {plan.UpstreamTLS{Digest: "d", Certificate: &tls.Certificate{Certificate: leaf.Certificate}}, "no key"},
		"key without certificate":  {plan.UpstreamTLS{Digest: "d", Certificate: &tls.Certificate{PrivateKey: leaf.PrivateKey}}, "no chain"},
		"certificate with nothing": {plan.UpstreamTLS{Digest: "d", Certificate: &tls.Certificate{}}, "no chain"},
	} {
		t.Run(name, func(t *testing.T) {
			b := backend("a", answering(t))
			b.TLS = &test.tls
			e := endpointOf(t, newManager(t, Options{}), b)
			var dial *DialError
			if _, err := e.Conn(t.Context(), Want{}); !errors.As(err, &dial) || dial.Reason != TLSFailed || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Conn: got %v, want a TLS failure that says %q", err, test.want)
			}
			if _, err := e.RoundTrip(request(t, t.Context(), "GET", nil)); !errors.As(err, &dial) || dial.Reason != TLSFailed {
				t.Errorf("RoundTrip: got %v, want a TLS failure", err)
			}
			if got := e.stats(0); got.Opened != 0 || got.ConnectErrors != 2 {
				t.Errorf("connections made %d, errors %d, want 0 and 2", got.Opened, got.ConnectErrors)
			}
		})
	}
}
