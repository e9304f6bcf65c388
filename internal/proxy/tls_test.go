package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// certificate is a self-signed one for name.
func certificate(t testing.TB, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secureGateway serves name over TLS.
func secureGateway(t testing.TB, name string, routes ...*plan.Route) *plan.Listener {
	l := gateway(routes...)
	l.Chains[0].Names, l.Chains[0].Certificate = []string{name}, certificate(t, name)
	return l
}

// tlsClient is a transport over TLS that asks for name and, with h2, for HTTP/2.
func tlsClient(t testing.TB, name string, h2 bool) *http.Transport {
	tr := &http.Transport{ForceAttemptHTTP2: h2, DisableCompression: true,
		TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestTLS(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"))
	})
	g := secureGateway(t, "shop.example", to(backend("up", up)))
	r := newRig(t, gatewayKey, nil, g)
	for _, security := range []Security{TLS, AsPlanned} {
		addr := r.listen(gatewayKey, security)
		for _, h2 := range []bool{false, true} {
			client := tlsClient(t, "shop.example", h2)
			req := r.request("GET", "/", nil)
			req.URL.Scheme, req.URL.Host, req.Host = "https", addr, "shop.example"
			resp, err := client.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "https" || (resp.ProtoMajor == 2) != h2 || resp.TLS.PeerCertificates[0].Subject.CommonName != "shop.example" {
				t.Errorf("got %q over %s with %s", body, resp.Proto, resp.TLS.PeerCertificates[0].Subject)
			}
		}
		// A name that no chain takes is refused in the handshake.
		if c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}); err == nil {
			c.Close()
			t.Error("a handshake for a name that no server takes succeeds")
		}
		if c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "shop.example", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
			c.Close()
			t.Error("TLS 1.1 is served")
		}
	}
}

// Sessions are resumed, and the plan in force decides about their requests.
func TestTLSResumption(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {})
	g := secureGateway(t, "shop.example", to(backend("up", up)))
	r := newRig(t, gatewayKey, nil, g)
	addr := r.listen(gatewayKey, TLS)
	config := &tls.Config{ServerName: "shop.example", InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	get := func() (resumed bool, status int) {
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{Dial: func(string, string) (net.Conn, error) { return c, nil }}
		defer tr.CloseIdleConnections()
		resp, err := tr.RoundTrip(r.request("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return c.ConnectionState().DidResume, resp.StatusCode
	}
	get()
	if resumed, status := get(); !resumed || status != 200 {
		t.Errorf("the second connection: resumed %v, status %d", resumed, status)
	}
	closed := secureGateway(t, "shop.example", to(backend("up", up)))
	closed.Chains[0].Closed = true
	r.swap(closed)
	if resumed, status := get(); resumed && status != 503 {
		t.Errorf("a resumed session passes a closed server: %d", status)
	}
}

// NGINX tells who speaks plain text to its port of TLS; a gateway closes.
func TestPlainTextToTLS(t *testing.T) {
	edge := gateway(&plan.Route{Action: &plan.Direct{Status: 200}})
	edge.Key, edge.Dialect = plan.Edge, plan.NGINX
	edge.Chains[0].Certificate = certificate(t, "shop.example")
	r := newRig(t, plan.Edge, nil, edge, secureGateway(t, "shop.example", &plan.Route{Action: &plan.Direct{Status: 200}}))
	for _, c := range []struct{ key, send, want string }{
		{plan.Edge, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n", "<center>The plain HTTP request was sent to HTTPS port</center>"},
		{plan.Edge, "\x00\x01\x02\x03\x04\x05\x06", ""},
		{gatewayKey, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n", ""},
	} {
		nc, err := net.Dial("tcp", r.listen(c.key, TLS))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprint(nc, c.send)
		got, _ := io.ReadAll(nc)
		if c.want == "" && strings.HasPrefix(string(got), "HTTP") || !strings.Contains(string(got), c.want) ||
			c.want != "" && !strings.HasPrefix(string(got), "HTTP/1.1 400 Bad Request\r\n") {
			t.Errorf("%s, %q: got %q", c.key, c.send, got)
		}
	}
}

// A server's versions and suites hold for its names alone.
func TestTLSLimits(t *testing.T) {
	l := secureGateway(t, "new.example", &plan.Route{Action: &plan.Direct{Status: 200}})
	l.Chains[0].Limits.Min = tls.VersionTLS13
	for name, limits := range map[string]plan.TLSLimits{"old.example": {Max: tls.VersionTLS12}, "any.example": {},
		"suite.example": {Max: tls.VersionTLS12, Ciphers: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}} {
		other := secureGateway(t, name, &plan.Route{Action: &plan.Direct{Status: 200}}).Chains[0]
		other.Limits = limits
		l.Chains = append(l.Chains, other)
	}
	addr := newRig(t, gatewayKey, nil, l).listen(gatewayKey, TLS)
	for _, c := range []struct {
		name    string
		version uint16 // that the client speaks alone
		suite   uint16
		ok      bool
	}{
		{"new.example", tls.VersionTLS12, 0, false},
		{"new.example", tls.VersionTLS13, 0, true},
		{"old.example", tls.VersionTLS12, 0, true},
		{"old.example", tls.VersionTLS13, 0, false},
		{"any.example", tls.VersionTLS12, 0, true},
		{"any.example", tls.VersionTLS13, 0, true},
		{"suite.example", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, true},
		{"suite.example", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false},
	} {
		config := &tls.Config{ServerName: c.name, InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version}
		if c.suite != 0 {
			config.CipherSuites = []uint16{c.suite}
		}
		nc, err := tls.Dial("tcp", addr, config)
		if (err == nil) != c.ok {
			t.Errorf("%s with %s, suite %x: got %v, want it taken: %v", c.name, tls.VersionName(c.version), c.suite, err, c.ok)
		}
		if err == nil {
			nc.Close()
		}
	}
}
