package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// bench is a proxy with a plan, for tests.
type rig struct {
	*Proxy
	t       testing.TB
	plan    atomic.Pointer[plan.Plan]
	manager *upstream.Manager
	metrics *telemetry.Metrics
	addr    string // of the plain socket
}

// newRig serves the listeners on a loopback socket, for the listener called key.
func newRig(t testing.TB, key string, change func(*Options), listeners ...*plan.Listener) *rig {
	t.Helper()
	r := &rig{t: t, manager: upstream.New(upstream.Options{}), metrics: telemetry.NewMetrics()}
	r.swap(listeners...)
	o := Options{Plan: r.plan.Load, Upstreams: r.manager, Metrics: r.metrics}
	if change != nil {
		change(&o)
	}
	r.Proxy = New(o)
	r.addr = r.listen(key, Plain)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Errorf("the proxy did not drain: %v", err)
		}
		r.manager.Close(ctx)
	})
	return r
}

func (r *rig) listen(key string, s Security) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	go r.Serve(ln, key, s)
	r.t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// swap puts another plan in force.
func (r *rig) swap(listeners ...*plan.Listener) {
	var b plan.Builder
	for _, l := range listeners {
		b.Add(l)
	}
	p := b.Build()
	r.manager.Sync(p)
	r.plan.Store(p)
}

// backend is one with the given endpoints.
func backend(key string, addresses ...string) *plan.Backend {
	b := &plan.Backend{Key: key, Balance: plan.RoundRobin}
	for _, a := range addresses {
		b.Endpoints = append(b.Endpoints, plan.Endpoint{Address: a})
	}
	return b
}

// to is a route for all paths.
func to(b *plan.Backend, change ...func(*plan.Route, *plan.Forward)) *plan.Route {
	f := &plan.Forward{To: []plan.Destination{{Backend: b}}}
	r := &plan.Route{Action: f}
	for _, c := range change {
		c(r, f)
	}
	return r
}

func edge(routes ...*plan.Route) *plan.Listener {
	return &plan.Listener{Key: plan.Edge, Dialect: plan.NGINX, Form: match.FormNGINX, Port: 80, Edge: &plan.EdgeSettings{},
		Chains: []*plan.Chain{{Hosts: []*plan.Host{{Name: "*", Routes: routes}}}}}
}

const gatewayKey = "istio-system/gateway:80"

func gateway(routes ...*plan.Route) *plan.Listener {
	return &plan.Listener{Key: gatewayKey, Dialect: plan.Envoy, Form: match.FormBase, Port: 8080,
		Chains: []*plan.Chain{{Hosts: []*plan.Host{{Name: "*", Routes: routes}}}}}
}

// origin serves h on a loopback socket and returns its address.
func origin(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return originOn(t, ln, h)
}

func originOn(t testing.TB, ln net.Listener, h http.HandlerFunc) string {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: p}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

// raw sends text on a new connection and returns what comes until the end, the
// Date line left out.
func (r *rig) raw(text string) string {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, text)
	all, err := io.ReadAll(c)
	if err != nil {
		r.t.Errorf("reading the answer to %q: %v", text, err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(all)) {
		if !strings.HasPrefix(strings.ToLower(line), "date: ") {
			out.WriteString(line)
		}
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

// do is one exchange of a plain client.
func (r *rig) do(req *http.Request) (*http.Response, string) {
	r.t.Helper()
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: reading the body: %v", req.Method, req.URL, err)
	}
	return resp, string(body)
}

func (r *rig) request(method, path string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	return req
}

func (r *rig) get(path string) (*http.Response, string) {
	r.t.Helper()
	return r.do(r.request("GET", path, nil))
}

// h2client speaks HTTP/2 by prior knowledge.
func h2client(t testing.TB) *http.Transport {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p, DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestForwardAndReply(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.RequestURI, body)
	})
	r := newRig(t, plan.Edge, nil, edge(to(backend("up", up))))
	resp, body := r.get("/a//b?c=%20d")
	if want := "GET " + r.addr + " /a//b?c=%20d "; resp.StatusCode != 200 || body != want {
		t.Errorf("got %d %q, want 200 %q", resp.StatusCode, body, want)
	}
	if s := resp.Header.Get("Server"); s != "" {
		t.Errorf("the edge shows server: %q", s)
	}
	for name, body := range map[string]io.Reader{
		"length":  strings.NewReader("hello"),
		"chunked": io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")),
	} {
		if _, got := r.do(r.request("POST", "/", body)); !strings.HasSuffix(got, " / hello") {
			t.Errorf("POST with %s: got %q", name, got)
		}
	}
}
