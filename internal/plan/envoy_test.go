package plan

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// still is a world in which everything repeats.
type still struct {
	Closed
	chance float64
}

func (still) Now() time.Time    { return time.Unix(1700000000, 0) }
func (s still) Chance() float64 { return s.chance }
func (still) ID() [16]byte      { return [16]byte{} }

// gatewayWith is a gateway whose host "*" has these routes.
func gatewayWith(routes ...*Route) (*Plan, *Listener) {
	l := &Listener{Key: "istio-system/gw:80", Dialect: Envoy, Form: match.FormBase, Chains: []*Chain{{Hosts: []*Host{{Name: "*", Routes: routes}}}}}
	var b Builder
	b.Add(l)
	return b.Build(), l
}

// forwarding is a route to a backend that has an endpoint.
func forwarding(f Forward, filters ...Filter) *Route {
	f.To = []Destination{{Backend: &Backend{Key: "app", Endpoints: []Endpoint{{Address: "192.0.2.1:80"}}}}}
	return &Route{Action: &f, Filters: filters}
}

func request(fields ...header.Field) *match.Request {
	return &match.Request{Peer: netip.MustParseAddr("192.0.2.7"), Major: 1, Minor: 1, Method: "GET", Host: "app.example.com", Target: "/x", Header: fields}
}

// A client cannot say what only Envoy says, nor choose limits and retries
// (Envoy, cleanInternalHeaders).
func TestClientsCannotForgeEnvoysFields(t *testing.T) {
	p, l := gatewayWith(forwarding(Forward{}))
	for _, name := range []string{
		"x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node",
		"x-envoy-retriable-status-codes", "x-envoy-retriable-header-names", "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries",
		"x-envoy-upstream-alt-stat-name", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
		"x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms", "x-envoy-force-trace", "x-envoy-ip-tags",
		"x-envoy-original-url", "x-envoy-original-path", "x-envoy-hedge-on-per-try-timeout", "x-envoy-internal", "x-envoy-external-address",
		"x-envoy-attempt-count", "x-forwarded-client-cert", "x-request-id", "x-forwarded-proto",
	} {
		r := request(header.Field{Name: name, Value: "forged"}, header.Field{Name: name, Value: "forged"})
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		for _, f := range r.Header {
			if f.Value == "forged" {
				t.Errorf("%s passes the gateway", name)
			}
		}
	}
}

func TestForwardedFields(t *testing.T) {
	xff := func(v string) header.Field { return header.Field{Name: "x-forwarded-for", Value: v} }
	proto := func(v string) header.Field { return header.Field{Name: "x-forwarded-proto", Value: v} }
	for _, c := range []struct {
		name                 string
		trusted              int
		secure               bool
		fields               []header.Field
		xff, proto, external string
		scheme               string
	}{
		{"nothing sent", 0, false, nil, "192.0.2.7", "http", "192.0.2.7", "http"},
		{"TLS", 0, true, nil, "192.0.2.7", "https", "192.0.2.7", "https"},
		{"untrusted", 0, false, []header.Field{xff("203.0.113.9"), proto("https")}, "203.0.113.9,192.0.2.7", "http", "192.0.2.7", "http"},
		{"two lines are one list", 0, false, []header.Field{xff("a"), xff("b")}, "a,b,192.0.2.7", "http", "192.0.2.7", "http"},
		{"one trusted proxy", 1, false, []header.Field{xff("198.51.100.1, 203.0.113.9"), proto("https")}, "198.51.100.1, 203.0.113.9,192.0.2.7", "https", "203.0.113.9", "https"},
		{"two trusted proxies", 2, false, []header.Field{xff("198.51.100.1, 203.0.113.9")}, "198.51.100.1, 203.0.113.9,192.0.2.7", "http", "198.51.100.1", "http"},
		{"fewer than trusted", 2, false, []header.Field{xff("203.0.113.9")}, "203.0.113.9,192.0.2.7", "http", "192.0.2.7", "http"},
		{"no address", 1, false, []header.Field{xff("unknown")}, "unknown,192.0.2.7", "http", "192.0.2.7", "http"},
		{"no scheme", 1, true, []header.Field{proto("wss")}, "192.0.2.7", "wss", "192.0.2.7", "https"},
	} {
		p, l := gatewayWith(forwarding(Forward{}))
		l.TrustedHops = c.trusted
		r := request(c.fields...)
		r.Secure = c.secure
		if c.secure {
			l.Chains[0].Names = []string{"*"}
		}
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if out.Kind != ToForward {
			t.Fatalf("%s: %s", c.name, out.Reason)
		}
		for _, f := range []struct{ name, want string }{
			{"x-forwarded-for", c.xff}, {"x-forwarded-proto", c.proto}, {"x-envoy-external-address", c.external},
			{"x-request-id", "00000000-0000-4000-8000-000000000000"}, {"x-envoy-attempt-count", "1"},
		} {
			if got, _ := r.Header.Joined(f.name, "|"); got != f.want {
				t.Errorf("%s: %s: got %q, want %q", c.name, f.name, got, f.want)
			}
		}
		if r.Scheme != c.scheme {
			t.Errorf("%s: got scheme %s, want %s", c.name, r.Scheme, c.scheme)
		}
	}
}

// Envoy's own answers, to the byte.
func TestEnvoysAnswers(t *testing.T) {
	missing := &Route{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "ghost", Missing: "no such Service"}}}}}
	empty := &Route{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "empty"}}}}}
	for _, c := range []struct {
		name   string
		routes []*Route
		status int
		body   string
	}{
		{"no route", nil, 404, ""},
		{"no such Service", []*Route{missing}, 503, ""},
		{"no endpoint", []*Route{empty}, 503, "no healthy upstream"},
		{"a weight of zero for all", []*Route{{Action: &Forward{To: []Destination{{}, {}}}}}, 503, ""},
		{"a direct answer", []*Route{{Action: &Direct{Status: 418, Body: "tea"}}}, 418, "tea"},
		{"a fault", []*Route{forwarding(Forward{}, &Fault{Abort: 500, AbortShare: 1})}, 500, "fault filter abort"},
	} {
		p, l := gatewayWith(c.routes...)
		var out Outcome
		p.Walk(l, request(), still{}, nil, &out)
		f := out.Reply.Header.Clone()
		out.EditResponse(out.Reply.Status, &f, time.Second, false)
		want := header.Fields{{Name: "server", Value: "istio-envoy"}}
		if c.body != "" {
			want = append(header.Fields{{Name: "content-type", Value: "text/plain"}}, want...)
		}
		if out.Kind != ToRespond || out.Reply.Status != c.status || out.Reply.Body != c.body || !slices.Equal(f, want) {
			t.Errorf("%s: got %v %d %q %v, want %d %q %v", c.name, out.Kind, out.Reply.Status, out.Reply.Body, f, c.status, c.body, want)
		}
	}
}

func TestEnvoysWordsForFailures(t *testing.T) {
	const reset = "upstream connect error or disconnect/reset before headers. "
	for _, c := range []struct {
		failure Failure
		retried bool
		status  int
		body    string
	}{
		{Timeout, false, 504, "upstream request timeout"},
		{ConnectTimeout, false, 503, reset + "reset reason: connection timeout"},
		{Reset, true, 503, reset + "retried and the latest reset reason: connection termination"},
		{ConnectFailure, false, 503, reset + "reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"},
		{BadResponse, false, 502, reset + "reset reason: protocol error"},
		{Overflow, false, 503, reset + "reset reason: overflow"},
		{NoneHealthy, false, 503, "no healthy upstream"},
	} {
		l := &Listener{Dialect: Envoy}
		got := l.Fail(request(), c.failure, c.retried)
		if got.Status != c.status || got.Body != c.body || got.Header.Has("x-envoy-overloaded") != (c.failure == Overflow) {
			t.Errorf("%v: got %d %q %v, want %d %q", c.failure, got.Status, got.Body, got.Header, c.status, c.body)
		}
	}
}

// gRPC callers get 200 with the status in grpc-status.
func TestAnswersToGRPC(t *testing.T) {
	for _, c := range []struct {
		contentType string
		status      int
		grpc        string
	}{
		{"application/grpc", 404, "12"}, {"application/grpc+proto", 503, "14"}, {"application/grpc", 401, "16"},
		{"application/grpc", 403, "7"}, {"application/grpc", 400, "13"}, {"application/grpc", 418, "2"},
		{"application/grpc-web", 503, ""}, {"text/plain", 503, ""},
	} {
		p, l := gatewayWith(&Route{Action: &Direct{Status: c.status, Body: "100%"}})
		var out Outcome
		p.Walk(l, request(header.Field{Name: "content-type", Value: c.contentType}), still{}, nil, &out)
		got := out.Reply.Header.Value("grpc-status")
		if got != c.grpc || c.grpc != "" && (out.Reply.Status != 200 || out.Reply.Body != "" || out.Reply.Header.Value("grpc-message") != "100%25") {
			t.Errorf("%s %d: got %+v, want grpc-status %q", c.contentType, c.status, out.Reply, c.grpc)
		}
	}
}

// A response of an upstream tells how long it took, and not what only Envoys
// tell each other.
func TestResponsesOfUpstreams(t *testing.T) {
	p, l := gatewayWith(forwarding(Forward{}, &HeaderRoute{Headers{Response: HeaderEdits{Remove: []string{"x-old"}, Set: []HeaderValue{{"x-set", Literal("1")}}}}}))
	var out Outcome
	p.Walk(l, request(), still{}, nil, &out)
	f := header.Fields{{Name: "server", Value: "nginx"}, {Name: "x-old", Value: "1"}, {Name: "x-envoy-decorator-operation", Value: "app"}}
	out.EditResponse(200, &f, 42*time.Millisecond, true)
	want := header.Fields{{Name: "server", Value: "istio-envoy"}, {Name: "x-set", Value: "1"}, {Name: "x-envoy-upstream-service-time", Value: "42"}}
	if !slices.Equal(f, want) {
		t.Errorf("got %v, want %v", f, want)
	}
}

// Values are formatted before any is written, a destination's edits come before
// its route's, and an empty value is not written (Envoy, header_parser).
func TestHeaderEdits(t *testing.T) {
	value := func(s string) Value {
		v, err := ParseValue(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	edits := HeaderEdits{
		Remove: []string{"b"},
		Set:    []HeaderValue{{"a", value("new")}, {"c", value("%REQ(a)%")}, {"b", value("set")}, {"d", value("%REQ(none)%")}, {"e", value("[%REQ(none?a)%]")}},
		Add:    []HeaderValue{{"a", value("%PROTOCOL%")}},
	}
	r := forwarding(Forward{}, &HeaderRoute{Headers{Request: edits}})
	r.Action.(*Forward).To[0].Headers = &Headers{Request: HeaderEdits{Set: []HeaderValue{{"b", value("first")}, {"f", value("destination")}}}}
	p, l := gatewayWith(r)
	req := request(header.Field{Name: "a", Value: "old"}, header.Field{Name: "d", Value: "client"})
	var out Outcome
	p.Walk(l, req, still{}, nil, &out)
	for name, want := range map[string]string{"a": "new,HTTP/1.1", "b": "set", "c": "old", "d": "client", "e": "[old]", "f": "destination"} {
		if got, _ := req.Header.Joined(name, ","); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestWeightsAreRelative(t *testing.T) {
	const most = 1<<31 - 1 // int32 in manifests; three of them are more than 32 bits
	f := Forward{To: []Destination{{Weight: most}, {Weight: 0}, {Weight: most}, {Weight: most}}}
	for chance, want := range map[float64]int{0: 0, 0.33: 0, 0.34: 2, 0.66: 2, 0.67: 3, 0.999999: 3} {
		if got := f.pick(still{chance: chance}); got != &f.To[want] {
			t.Errorf("%v: got another than destination %d", chance, want)
		}
	}
	alone := Forward{To: []Destination{{}}}
	if alone.pick(still{}) != &alone.To[0] {
		t.Error("a lone destination does not get all")
	}
}

func TestRedirectsToHTTPS(t *testing.T) {
	first := &Route{Rule: match.Rule{All: []match.Condition{{Attr: match.Scheme, Text: match.Text{Op: match.Exact, Value: "http"}}}},
		Action: &Redirect{Code: 301, Scheme: "https", KeepHost: true}}
	p, l := gatewayWith(first, forwarding(Forward{}))
	for host, want := range map[string]string{"a.example.com": "https://a.example.com/x", "a.example.com:80": "https://a.example.com:80/x", "A.example.com:8080": "https://A.example.com:8080/x"} {
		r := request()
		r.Host = host
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if got := out.Reply.Header.Value("location"); out.Reply.Status != 301 || got != want {
			t.Errorf("%s: got %d %s, want 301 %s", host, out.Reply.Status, got, want)
		}
	}
	l.TrustedHops = 1
	var out Outcome
	if p.Walk(l, request(header.Field{Name: "x-forwarded-proto", Value: "https"}), still{}, nil, &out); out.Kind != ToForward {
		t.Errorf("behind a trusted TLS proxy: got %d", out.Reply.Status)
	}
}

// A request that forges a path cannot get past a rule: what is compared is what
// is forwarded.
func TestThePathThatIsComparedIsForwarded(t *testing.T) {
	p, l := gatewayWith(
		&Route{Rule: match.Rule{Path: match.Text{Op: match.Prefix, Value: "/admin"}}, Action: &Direct{Status: 403}},
		forwarding(Forward{}))
	for _, c := range []struct{ target, forwarded string }{
		{"/x/../admin", ""}, {"/%61dmin", ""}, {"/x/%2e%2e/admin", ""}, {"/x\\..\\admin", ""}, {"/./admin", ""}, {"/admin?x", ""},
		// What stays escaped is neither compared nor forwarded as if it were not.
		{"/x/..%5cadmin", "/x/..%5cadmin"}, {"//admin", "//admin"}, {"/%2Fadmin", "/%2Fadmin"},
	} {
		r := request()
		r.Target = c.target
		var out Outcome
		p.Walk(l, r, still{}, nil, &out)
		if got := out.Kind == ToForward; got != (c.forwarded != "") || got && r.Target != c.forwarded {
			t.Errorf("%s: got %v as %s, want %q", c.target, out.Kind, r.Target, c.forwarded)
		}
	}
}
