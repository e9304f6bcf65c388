package extauthz

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

// newClient returns a Client whose one provider p has the address; nothing of it may
// be left open when the test ends.
func newClient(t testing.TB, p *plan.Provider, address string) *Client {
	t.Helper()
	m := upstream.New(upstream.Options{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Errorf("connections are left open: %v", err)
		}
	})
	protocol := plan.HTTP1
	if p.Backend != nil {
		protocol = p.Backend.Protocol
	}
	p.Name, p.StatusOnError = "p", 403
	if p.Timeout == 0 {
		p.Timeout = DefaultTimeout
	}
	p.Backend = &plan.Backend{Key: "authorizer", Protocol: protocol, Endpoints: []plan.Endpoint{{Address: address}}}
	var b plan.Builder
	b.Add(&plan.Listener{Guards: []plan.Guard{&plan.External{Provider: p}}})
	m.Sync(b.Build())
	return New(m)
}

// listen returns a socket on the loopback address.
func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve answers HTTP/1.1 and HTTP/2 in plain text, and returns the address.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	ln := listen(t)
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

// question is a check of a request.
func question() *plan.Check {
	return &plan.Check{
		Method: "POST", Host: "app.example.com", Target: "/a//b%2F?q=%20", Identity: "mesh/ns/istio-system/sa/gateway",
		Header: header.Fields{{Name: "cookie", Value: "a=1"}, {Name: "x-bad", Value: "\xff"}},
		Request: &match.Request{
			Remote: netip.MustParseAddr("192.0.2.7"), LocalPort: 8080, Source: "mesh/ns/shop/sa/caller", Scheme: "https", Major: 2,
			Header: header.Fields{{Name: "x-request-id", Value: "id"}, {Name: "x-there", Value: "old"}},
		},
	}
}
