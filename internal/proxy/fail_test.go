package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// nobody is an address where nobody listens.
func nobody(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// rude is an upstream of which every connection is handled by f and closed.
func rude(t testing.TB, f func(net.Conn)) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				f(nc)
			}()
		}
	}()
	return ln.Addr().String()
}

// hangUp reads a request and closes.
func hangUp(nc net.Conn) { nc.Read(make([]byte, 1<<10)) }

// silent never answers.
func silent(nc net.Conn) { io.Copy(io.Discard, nc) }

const envoyReset = "upstream connect error or disconnect/reset before headers. "

func TestFailures(t *testing.T) {
	garbage := rude(t, func(nc net.Conn) { hangUp(nc); io.WriteString(nc, "HELLO\r\n\r\n") })
	limited := func(l plan.Limits) func(*plan.Route, *plan.Forward) {
		return func(_ *plan.Route, f *plan.Forward) { f.Limits = l }
	}
	for _, c := range []struct {
		name     string
		listener *plan.Listener
		status   int
		body     string // a part
	}{
		{"refused at a gateway", gateway(to(backend("b", nobody(t)))), 503, envoyReset + "reset reason: remote connection failure"},
		{"refused at the edge", edge(to(backend("b", nobody(t)))), 502, "502 Bad Gateway"},
		{"reset at a gateway", gateway(to(backend("b", rude(t, hangUp)))), 503, envoyReset + "reset reason: connection termination"},
		{"reset at the edge", edge(to(backend("b", rude(t, hangUp)))), 502, "502 Bad Gateway"},
		{"no HTTP at a gateway", gateway(to(backend("b", garbage))), 502, envoyReset + "reset reason: protocol error"},
		{"total limit of a gateway", gateway(to(backend("b", rude(t, silent)), limited(plan.Limits{Total: 20 * time.Millisecond}))), 504, "upstream request timeout"},
		{"read limit of the edge", edge(to(backend("b", rude(t, silent)), limited(plan.Limits{Read: 20 * time.Millisecond}))), 504, "504 Gateway Time-out"},
		{"no endpoint at a gateway", gateway(to(backend("b"))), 503, "no healthy upstream"},
		{"no route at a gateway", gateway(), 404, ""},
		{"no route at the edge", edge(), 404, "<center><h1>404 Not Found</h1></center>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.listener.Key, nil, c.listener)
			resp, body := r.get("/")
			if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, c.status, c.body)
			}
			if own := resp.Header.Get("X-Envoy-Upstream-Service-Time"); own != "" {
				t.Errorf("an answer of our own shows x-envoy-upstream-service-time: %q", own)
			}
		})
	}
}

// The edge's limit between two reads ends a request that waits behind a gateway
// without limits, and the edge words the answer.
func TestOuterReadLimitAnswersAtItsHop(t *testing.T) {
	g := gateway(to(backend("b", rude(t, silent))))
	e := edge(to(&plan.Backend{Key: "g", Next: g}, func(_ *plan.Route, f *plan.Forward) { f.Limits.Read = 20 * time.Millisecond }))
	r := newRig(t, plan.Edge, nil, e, g)
	resp, body := r.get("/")
	if resp.StatusCode != 504 || !strings.Contains(body, "<hr><center>nginx</center>") {
		t.Errorf("got %d %q, want the edge's 504 page", resp.StatusCode, body)
	}
	if s := resp.Header.Get("Server"); s != "" {
		t.Errorf("the edge's own answer shows server: %q", s)
	}
}

// A sidecar answers for the application behind it: the edge passes that on, and
// counts it as an answer.
func TestFailuresBehindASidecar(t *testing.T) {
	sidecar := &plan.Listener{Key: "workload shop/app:80", Dialect: plan.Sidecar, Form: match.FormBase, Door: &plan.Door{}}
	for _, c := range []struct {
		name, address string
		status        int
		body          string
	}{
		{"refused", nobody(t), 503, envoyReset + "reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"},
		{"hangs up", rude(t, hangUp), 503, envoyReset + "reset reason: connection termination"},
	} {
		b := backend("b", c.address)
		b.Sidecar = sidecar
		for _, l := range []*plan.Listener{edge(to(b)), gateway(to(b))} {
			r := newRig(t, l.Key, nil, l, sidecar)
			resp, body := r.get("/")
			if resp.StatusCode != c.status || body != c.body {
				t.Errorf("%s, %s: got %d %q, want %d %q", c.name, l.Key, resp.StatusCode, body, c.status, c.body)
			}
		}
	}
	b := backend("b", rude(t, silent))
	b.Sidecar = sidecar
	r := newRig(t, plan.Edge, nil, edge(to(b, func(_ *plan.Route, f *plan.Forward) { f.Limits.Read = 20 * time.Millisecond })), sidecar)
	if resp, body := r.get("/"); resp.StatusCode != 504 || !strings.Contains(body, "<hr><center>nginx</center>") {
		t.Errorf("got %d %q, want the edge's 504 page", resp.StatusCode, body)
	}
}

func TestListenerThatThePlanLacks(t *testing.T) {
	r := newRig(t, "gone/gone:80", nil, edge())
	if got, want := r.raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"HTTP/1.1 503 Service Unavailable\ncontent-type: text/plain\ncontent-length: 37\nconnection: close\n\nno listener gone/gone:80 in the plan\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefusedForms(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.RequestURI) })
	b := backend("up", up)
	for _, c := range []struct {
		listener   *plan.Listener
		request    string
		start, end string
	}{
		{edge(to(b)), "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ", ""},
		{gateway(to(b)), "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n", "HTTP/1.1 403 ", ""},
		{edge(to(b)), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 ", ""},
		{gateway(to(b)), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 ", ""},
		{gateway(to(b)), "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.0 426 ", ""},
		{edge(to(b)), "GET /x HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.0 200 ", "\n\na/x"},
		{edge(to(b)), "GET /x HTTP/1.0\r\n\r\n", "HTTP/1.0 200 ", "\n\n_/x"},
		{edge(to(b)), "GET http://b.example/x?y HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ", "\n\nb.example/x?y"},
		{edge(to(b)), "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 ", ""},
	} {
		r := newRig(t, c.listener.Key, nil, c.listener)
		got := r.raw(c.request)
		if !strings.HasPrefix(got, c.start) || !strings.HasSuffix(got, c.end) {
			t.Errorf("%s, %q: got %q, want %q ... %q", c.listener.Key, c.request, got, c.start, c.end)
		}
	}
}

// A stream that the upstream resets is told apart from a connection that ends.
func TestStreamReset(t *testing.T) {
	b := backend("b", origin(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	b.Protocol = plan.HTTP2
	r := newRig(t, gatewayKey, nil, gateway(to(b)))
	if resp, body := r.get("/"); resp.StatusCode != 503 || body != envoyReset+"reset reason: remote reset" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}
