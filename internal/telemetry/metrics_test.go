package telemetry

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

type fixedWorld struct{ plan.Closed }

func (fixedWorld) Now() time.Time  { return time.Unix(0, 0) }
func (fixedWorld) Chance() float64 { return 0 }
func (fixedWorld) ID() [16]byte    { return [16]byte{} }

// platform is an edge before a gateway before one application.
func platform() *plan.Plan {
	app := &plan.Backend{Key: "outbound|80||app.shop.svc.cluster.local", Service: object.Ref{Kind: "Service", Namespace: "shop", Name: "app"}, Port: 80,
		Endpoints: []plan.Endpoint{{Address: "127.0.0.1:1"}}}
	ghost := &plan.Backend{Key: "outbound|80||ghost.shop.svc.cluster.local", Missing: "no Service ghost in namespace shop"}
	vs := plan.Origin{Ref: object.Ref{Kind: "VirtualService", Namespace: "shop", Name: "app-vs"}, Origin: object.Origin{File: "vs.yaml", Line: 3}, Field: "spec.http[0]"}
	path := func(p string) match.Rule { return match.Rule{Path: match.Text{Op: match.Prefix, Value: p}} }
	to := func(b *plan.Backend) *plan.Forward {
		return &plan.Forward{To: []plan.Destination{{Backend: b, Weight: 1}}}
	}
	gateway := &plan.Listener{Key: "istio-system/gw:80", Dialect: plan.Envoy, Chains: []*plan.Chain{{Hosts: []*plan.Host{{Name: "*", Routes: []*plan.Route{
		{Origin: vs, Rule: path("/app/"), Action: to(app)},
		{Origin: vs, Rule: path("/ghost/"), Action: to(ghost)},
		{Origin: vs, Rule: path("/fault/"), Action: to(app), Filters: []plan.Filter{&plan.Fault{Abort: 418, AbortShare: 1, Delay: time.Second, DelayShare: 1}}},
	}}}}}}
	ingress := plan.Origin{Ref: object.Ref{Kind: "Ingress", Namespace: "istio-system", Name: "cluster"}}
	next := &plan.Backend{Key: "istio-system-gw-80", Service: object.Ref{Kind: "Service", Namespace: "istio-system", Name: "gw"}, Port: 80, Next: gateway}
	edge := &plan.Listener{Key: plan.Edge, Dialect: plan.NGINX, Chains: []*plan.Chain{{Hosts: []*plan.Host{
		{Name: "cluster.example.com", Routes: []*plan.Route{{Origin: ingress, Rule: path("/"), Action: to(next)}}},
	}}}}
	var b plan.Builder
	b.Add(edge)
	b.Add(gateway)
	return b.Build()
}

// exchange walks a request and returns it as answered with status.
func exchange(p *plan.Plan, method, host, target string, status int) *Exchange {
	x := &Exchange{Listener: plan.Edge, Method: method, Host: host, Target: target, Major: 1, Minor: 1, Status: status, Outcome: new(plan.Outcome),
		Duration: 3 * time.Millisecond, Wait: -1, Client: netip.MustParseAddrPort("192.0.2.1:4000")}
	r := &match.Request{Method: method, Host: host, Target: target, Peer: x.Client.Addr(), Major: 1, Minor: 1}
	p.Walk(p.Listener(plan.Edge), r, fixedWorld{}, nil, x.Outcome)
	x.Flags = WalkFlags(x.Outcome)
	if x.Outcome.Kind == plan.ToRespond && status == 0 {
		x.Status = x.Outcome.Reply.Status
	}
	return x
}

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestEveryLayerCountsUnderItsOwnName(t *testing.T) {
	p, m := platform(), NewMetrics()
	r := NewRegistry(m)
	r.Gauge("doorward_example", "An example.", []string{"kind"}, func(add func(Sample)) { add(Sample{[]string{"a"}, 2}) })
	const host = "cluster.example.com"
	m.Record(exchange(p, "GET", host, "/app/x", 200))
	m.Record(exchange(p, "GET", host, "/app/y", 200))
	m.Record(exchange(p, "BREW", host, "/app/", 503))
	m.Record(exchange(p, "GET", host, "/ghost/", 0))
	m.Record(exchange(p, "GET", host, "/fault/", 0))
	m.Record(exchange(p, "GET", host, "/nowhere", 0))
	m.Record(exchange(p, "GET", "made-up-by-a-client.example", "/", 0))
	grpc := exchange(p, "POST", host, "/app/", 200)
	grpc.GRPC = true
	m.Record(grpc)
	m.Record(&Exchange{Listener: plan.Edge, Status: 400})
	// A new plan goes on counting where the old one stopped.
	m.Record(exchange(platform(), "GET", host, "/app/z", 200))

	page := scrape(t, r)
	gw := `source_workload="gw",source_workload_namespace="istio-system"`
	toApp := `destination_service="app.shop.svc.cluster.local",destination_service_name="app",destination_service_namespace="shop",`
	for _, want := range []string{
		`istio_requests_total{` + toApp + `reporter="source",request_protocol="http",response_code="200",response_flags="-",` + gw + `} 3`,
		`istio_requests_total{` + toApp + `reporter="source",request_protocol="grpc",response_code="200",response_flags="-",` + gw + `} 1`,
		`response_code="503",response_flags="NC",` + gw + `} 1`,
		`response_code="418",response_flags="DI,FI",` + gw + `} 1`,
		`istio_requests_total{destination_service="unknown",destination_service_name="unknown",destination_service_namespace="unknown",reporter="source",request_protocol="http",response_code="404",response_flags="NR",` + gw + `} 1`,
		`istio_request_duration_milliseconds_bucket{` + toApp + `reporter="source",request_protocol="http",response_code="200",response_flags="-",` + gw + `,le="5"} 3`,
		`istio_request_duration_milliseconds_sum{` + toApp + `reporter="source",request_protocol="http",response_code="200",response_flags="-",` + gw + `} 9`,
		`nginx_ingress_controller_requests{host="cluster.example.com",ingress="cluster",method="GET",namespace="istio-system",service="gw",status="200"} 3`,
		`nginx_ingress_controller_requests{host="cluster.example.com",ingress="cluster",method="OTHER",namespace="istio-system",service="gw",status="503"} 1`,
		`nginx_ingress_controller_requests{host="_",ingress="",method="GET",namespace="",service="",status="404"} 1`,
		`nginx_ingress_controller_request_duration_seconds_bucket{host="cluster.example.com",ingress="cluster",method="GET",namespace="istio-system",service="gw",status="200",le="0.005"} 3`,
		`doorward_refused_messages_total{listener="edge"} 1`,
		`doorward_example{kind="a"} 2`,
		`go_goroutines`, `process_open_fds`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, not := range []string{"made-up-by-a-client", "BREW", `le="0.0005"} `} {
		if strings.Contains(page, not) {
			t.Errorf("/metrics holds %s", not)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	p, m := platform(), NewMetrics()
	for _, target := range []string{"/app/x", "/nowhere"} {
		x := exchange(p, "GET", "cluster.example.com", target, 0)
		m.Record(x)
		if got := testing.AllocsPerRun(100, func() { m.Record(x) }); got != 0 {
			t.Errorf("%s: %v allocations a request, want none", target, got)
		}
	}
}

func TestConcurrentRecordsLoseNoCount(t *testing.T) {
	p, m := platform(), NewMetrics()
	const each, workers = 500, 8
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				m.Record(exchange(p, "GET", "cluster.example.com", "/app/x", 200+i%50))
			}
		})
	}
	wg.Wait()
	var edge, gateway uint64
	for _, s := range m.edge.all() {
		h := s.total()
		edge += h.count
	}
	for _, s := range m.gateway.all() {
		h := s.total()
		gateway += h.count
	}
	if edge != each*workers || gateway != each*workers {
		t.Errorf("counted %d at the edge and %d at the gateway, want %d", edge, gateway, each*workers)
	}
}

func BenchmarkRecord(b *testing.B) {
	p, m := platform(), NewMetrics()
	x := exchange(p, "GET", "cluster.example.com", "/app/x", 200)
	b.ReportAllocs()
	for b.Loop() {
		m.Record(x)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	p, m := platform(), NewMetrics()
	b.RunParallel(func(pb *testing.PB) {
		x := exchange(p, "GET", "cluster.example.com", "/app/x", 200)
		for pb.Next() {
			m.Record(x)
		}
	})
}
