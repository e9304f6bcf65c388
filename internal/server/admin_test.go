package server

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/login"
)

func TestAdminPagesCanOnlyBeRead(t *testing.T) {
	r := start(t, ok, nil)
	address := r.Addr("admin").String()
	_, port, _ := net.SplitHostPort(address)
	for _, c := range []struct {
		method, host, path string
		want               int
	}{
		{"GET", "", "/", 200},
		{"HEAD", "", "/plan", 200},
		{"GET", "localhost:" + port, "/healthz", 200},
		{"GET", "doorward.localhost", "/healthz", 200},
		{"GET", "[::1]:" + port, "/healthz", 200},
		{"GET", "", "/nothing", 404},
		{"POST", "", "/healthz", 405},
		{"OPTIONS", "", "/plan", 405},
		{"DELETE", "", "/plan", 405},
		// A name that its owner has made to lead to 127.0.0.1.
		{"GET", "evil.example.com", "/plan", 421},
		{"GET", "localhost.evil.example.com:" + port, "/plan", 421},
		{"GET", "evil.example.com", "/debug/pprof/", 421},
		{"GET", "", "/debug/pprof/", 200},
		{"GET", "", "/debug/pprof/goroutine?debug=1", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		req.Header.Set("Origin", "https://evil.example.com")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s %s of host %q: got %d, want %d", c.method, c.path, c.host, resp.StatusCode, c.want)
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: another site may read it: %s", c.method, c.path, name)
			}
		}
	}
}

// pprof is for this machine alone, on sockets that only this machine reaches.
func TestPprofStaysOnLoopback(t *testing.T) {
	r := start(t, ok, nil)
	for _, c := range []struct {
		socket, client string
		want           int
	}{
		{"127.0.0.1:8090", "127.0.0.1:1234", 200},
		{"127.0.0.1:8090", "192.0.2.7:1234", 404},
		{"[::1]:8090", "[::1]:1234", 200},
		{"0.0.0.0:8090", "127.0.0.1:1234", 404},
		{"192.0.2.1:8090", "127.0.0.1:1234", 404},
	} {
		address, err := net.ResolveTCPAddr("tcp", c.socket)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("GET", "http://localhost/debug/pprof/cmdline", nil)
		req.RemoteAddr = c.client
		w := httptest.NewRecorder()
		r.adminPages(address).ServeHTTP(w, req)
		if w.Code != c.want {
			t.Errorf("socket %s, client %s: got %d, want %d", c.socket, c.client, w.Code, c.want)
		}
	}
}

// Before the first plan serves nothing is ready, and nothing fails.
func TestAdminPagesBeforeTheFirstPlan(t *testing.T) {
	s := &Server{tokens: jwt.New(jwt.Options{}), logins: new(login.Manager)}
	s.status.Store(new(status))
	for path, page := range map[string]http.HandlerFunc{"/readyz": s.readyPage, "/plan": s.planPage} {
		w := httptest.NewRecorder()
		page(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 503 {
			t.Errorf("%s: got %d, want 503", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	s.problemsPage(w, httptest.NewRequest("GET", "/problems", nil))
	if got := strings.Join(strings.Fields(w.Body.String()), ""); got != `{"findings":[]}` {
		t.Errorf("/problems: got %s, want no findings", got)
	}
}

func TestPlanPage(t *testing.T) {
	r := start(t, ok, nil)
	_, body := r.get(t, "admin", "/plan")
	var got planView
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, l := range got.Listeners {
		keys = append(keys, l.Key)
		if l.Key != gatewayKey {
			continue
		}
		route := l.Chains[0].Hosts[0].Routes[0]
		if route.Path != `prefix "/old"` || route.Action.Kind != "forward" || !strings.HasPrefix(route.Action.Text, "forward") ||
			route.Action.To[0].Backend != "outbound|80||web.shop.svc.cluster.local" ||
			route.Origin.Object != "VirtualService shop/web" || route.Origin.File != r.file || route.Origin.Line == 0 {
			t.Errorf("got the route %+v of %+v", route, route.Origin)
		}
	}
	if want := "edge " + gatewayKey; strings.Join(keys, " ") != want {
		t.Errorf("got the listeners %v, want %s", keys, want)
	}
	if len(got.Backends) != 1 || got.Backends[0].Service != "shop/web" || len(got.Backends[0].Endpoints) != 1 {
		t.Errorf("got the backends %+v", got.Backends)
	}
}

func TestMetricsPage(t *testing.T) {
	r := start(t, ok, nil)
	r.want(t, gatewayKey, "/old", 200, "hello")
	_, body := r.get(t, "admin", "/metrics")
	for !strings.Contains(body, "istio_requests_total{") { // a request counts once its answer is sent
		_, body = r.get(t, "admin", "/metrics")
	}
	for _, want := range []string{
		`istio_requests_total{`,
		`doorward_upstream_requests_total{cluster="outbound|80||web.shop.svc.cluster.local"} 1`,
		`doorward_upstream_healthy{cluster="outbound|80||web.shop.svc.cluster.local",endpoint="127.0.0.1:`,
		`doorward_plan_size{of="listeners"} 2`,
		`doorward_config_problems{severity="error"} 0`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %s", want)
		}
	}
}
