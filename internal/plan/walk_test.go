package plan

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

func TestRedirectLocation(t *testing.T) {
	for _, c := range []struct {
		scheme, host, target string
		d                    Redirect
		want                 string
	}{
		{"http", "a.com", "/x?y=1", Redirect{}, "http://a.com/x?y=1"},
		{"http", "a.com", "/x?", Redirect{}, "http://a.com/x?"},
		{"http", "a.com:8080", "/x", Redirect{Scheme: "https"}, "https://a.com:8080/x"},
		{"http", "a.com:80", "/x", Redirect{Scheme: "https"}, "https://a.com/x"},
		{"http", "a.com:80", "/x", Redirect{}, "http://a.com:80/x"},
		{"https", "a.com:443", "/x", Redirect{Scheme: "http"}, "http://a.com/x"},
		{"https", "a.com:443", "/x", Redirect{Scheme: "https"}, "https://a.com:443/x"},
		{"https", "a.com:80", "/x", Redirect{Scheme: "http"}, "http://a.com:80/x"},
		{"http", "a.com:8080", "/x", Redirect{Port: "9090"}, "http://a.com:9090/x"},
		{"http", "[::1]:8080", "/x", Redirect{Port: "9090"}, "http://[::1]:9090/x"},
		{"http", "[::1]", "/x", Redirect{Port: "9090"}, "http://[::1]:9090/x"},
		{"http", "[::1]:80", "/x", Redirect{Scheme: "https"}, "https://[::1]/x"},
		{"http", "a.com:80", "/x", Redirect{Scheme: "https", KeepHost: true}, "https://a.com:80/x"},
		{"http", "a.com", "/x", Redirect{Host: "b.com"}, "http://b.com/x"},
		{"http", "a.com:8080", "/x", Redirect{Host: "b.com", Port: "81"}, "http://b.com:81/x"},
		{"http", "a.com", "/x?y=1", Redirect{Path: "/new"}, "http://a.com/new?y=1"},
		{"http", "a.com", "/x?y=1", Redirect{Path: "/new?z=2"}, "http://a.com/new?z=2"},
		{"http", "a.com", "/x", Redirect{Path: "new"}, "http://a.com/new"},
		{"http", "a.com", "/old/x?y", Redirect{Rewrite: &Rewrite{Prefix: "/old", With: "/new"}}, "http://a.com/new/x?y"},
		{"http", "a.com", "/x?y", Redirect{URL: "https://other/"}, "https://other/"},
	} {
		r := &match.Request{Scheme: c.scheme, Host: c.host, Target: c.target}
		r.Normalise(match.FormBase)
		if got := c.d.Location(r); got != c.want {
			t.Errorf("%+v of %s://%s%s: got %s, want %s", c.d, c.scheme, c.host, c.target, got, c.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		w          Rewrite
		path, want string
	}{
		{Rewrite{Prefix: "/myapp", With: "/"}, "/myapp/x", "//x"}, // nothing tidies it
		{Rewrite{Prefix: "/myapp/", With: "/"}, "/myapp/x", "/x"},
		{Rewrite{Prefix: "/MyApp", With: "/"}, "/mYaPP", "/"},
		{Rewrite{Prefix: "/", With: "/v1"}, "/users", "/v1users"},
		{Rewrite{Whole: true, With: "/all"}, "/users", "/all"},
		{Rewrite{Regex: regexp.MustCompile("/([a-z]+)"), With: "/$$${1}0"}, "/ab/cd", "/$ab0/$cd0"},
		{Rewrite{Regex: regexp.MustCompile("nothing"), With: "x"}, "/ab", "/ab"},
	} {
		if got := c.w.apply(c.path); got != c.want {
			t.Errorf("%+v of %q: got %q, want %q", c.w, c.path, got, c.want)
		}
	}
}

func TestRewriteKeepsTheQueryAndTellsTheOldTarget(t *testing.T) {
	p, l := gatewayWith(forwarding(Forward{Rewrite: &Rewrite{Prefix: "/a", With: "/b"}}))
	r := request()
	r.Target = "/a/./x?q=%2F../"
	var out Outcome
	p.Walk(l, r, still{}, nil, &out)
	if want := "/b/x?q=%2F../"; r.Target != want {
		t.Errorf("target: got %q, want %q", r.Target, want)
	}
	if got, want := r.Header.Value("x-envoy-original-path"), "/a/x?q=%2F../"; got != want {
		t.Errorf("x-envoy-original-path: got %q, want %q", got, want)
	}
}

func TestEditsSeeWhatTheLayerWroteAndCanRemoveIt(t *testing.T) {
	v, err := ParseValue("%REQ(x-envoy-attempt-count)% %REQ(:path)% %REQ(:authority)%")
	if err != nil {
		t.Fatal(err)
	}
	p, l := gatewayWith(forwarding(Forward{Host: "new.example.com", Rewrite: &Rewrite{Whole: true, With: "/new"}},
		&HeaderRoute{Headers{Request: HeaderEdits{Remove: []string{"x-envoy-external-address"}, Set: []HeaderValue{{Name: "x-saw", Value: v}}}}}))
	r := request()
	var out Outcome
	p.Walk(l, r, still{}, nil, &out)
	if got, want := r.Header.Value("x-saw"), "1 /x app.example.com"; got != want {
		t.Errorf("x-saw: got %q, want %q", got, want)
	}
	if r.Header.Has("x-envoy-external-address") {
		t.Error("x-envoy-external-address was not removed")
	}
	if r.Host != "new.example.com" || r.Target != "/new" {
		t.Errorf("got %s%s, want new.example.com/new", r.Host, r.Target)
	}
}

func TestAnswersAreEditedInEnvoysOrder(t *testing.T) {
	set := func(value string) HeaderEdits {
		v, err := ParseValue(value)
		if err != nil {
			t.Fatal(err)
		}
		return HeaderEdits{Set: []HeaderValue{{Name: "x-by", Value: v}, {Name: "access-control-allow-origin", Value: Literal("route")}}}
	}
	cors := &CORS{Origins: []match.Text{{Op: match.Exact, Value: "https://o"}}}
	route := forwarding(Forward{}, &Fault{Abort: 503, AbortShare: 0.5}, cors, &HeaderRoute{Headers{Response: set("%RESP(x-by)% route %REQ(:path)% %RESPONSE_CODE%")}})
	route.Action.(*Forward).To[0].Headers = &Headers{Response: set("destination")}
	p, l := gatewayWith(route)
	for _, c := range []struct {
		chance   float64
		upstream bool
		by       string
	}{
		{0.9, true, "destination route /x 200"},
		{0.9, false, ""}, // a failure is not edited
		{0.1, false, ""}, // nor a fault
	} {
		r := request(header.Field{Name: "origin", Value: "https://o"})
		var out Outcome
		p.Walk(l, r, still{chance: c.chance}, nil, &out)
		var f header.Fields
		out.EditResponse(200, &f, time.Second, c.upstream)
		if got := f.Value("x-by"); got != c.by {
			t.Errorf("chance %v: x-by: got %q, want %q", c.chance, got, c.by)
		}
		if got := f.Value("access-control-allow-origin"); c.chance == 0.9 && got != "https://o" {
			t.Errorf("access-control-allow-origin: got %q, want the origin: CORS comes after the edits", got)
		}
	}
}

func TestRedirectsAndDirectAnswersAreEdited(t *testing.T) {
	edits := &HeaderRoute{Headers{Response: HeaderEdits{Add: []HeaderValue{{Name: "x-added", Value: Literal("1")}}}}}
	for _, a := range []Action{&Redirect{Code: 302}, &Direct{Status: 200, Body: "hello"}} {
		p, l := gatewayWith(&Route{Action: a, Filters: []Filter{edits}})
		var out Outcome
		p.Walk(l, request(), still{}, nil, &out)
		out.EditResponse(out.Reply.Status, &out.Reply.Header, 0, false)
		if got := out.Reply.Header.Value("x-added"); got != "1" {
			t.Errorf("%T: x-added: got %q, want 1", a, got)
		}
	}
}

func TestWhatIsNotSentOnIsNotMirrored(t *testing.T) {
	mirror := &Mirror{Backend: &Backend{Key: "copy"}, Share: 0.5}
	empty := &Route{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "app"}}}}, Filters: []Filter{mirror}}
	for _, c := range []struct {
		route  *Route
		chance float64
		want   int
	}{
		{forwarding(Forward{}, mirror), 0.4, 1},
		{forwarding(Forward{}, mirror), 0.5, 0},
		{empty, 0, 0},
		{&Route{Action: &Direct{Status: 200}, Filters: []Filter{mirror}}, 0, 0},
	} {
		p, l := gatewayWith(c.route)
		var out Outcome
		p.Walk(l, request(), still{chance: c.chance}, nil, &out)
		if len(out.Mirrors) != c.want {
			t.Errorf("chance %v: got %d mirrors, want %d (%s)", c.chance, len(out.Mirrors), c.want, out.Reason)
		}
	}
}

func TestFault(t *testing.T) {
	for _, c := range []struct {
		f      Fault
		chance float64
		delay  time.Duration
		status int // 0: forwarded
	}{
		{Fault{Delay: time.Second, DelayShare: 1}, 0.99, time.Second, 0},
		{Fault{Delay: time.Second, DelayShare: 0.5}, 0.5, 0, 0},
		{Fault{Abort: 418, AbortShare: 1}, 0.99, 0, 418},
		{Fault{Abort: 418}, 0, 0, 0},
		{Fault{Delay: time.Second, DelayShare: 1, Abort: 503, AbortShare: 1}, 0, time.Second, 503},
		{Fault{IsGRPC: true, AbortGRPC: 14, AbortShare: 1}, 0, 0, 200},
	} {
		p, l := gatewayWith(forwarding(Forward{}, &c.f))
		var out Outcome
		p.Walk(l, request(), still{chance: c.chance}, nil, &out)
		status := 0
		if out.Kind == ToRespond {
			status = out.Reply.Status
		}
		if out.Delay != c.delay || status != c.status {
			t.Errorf("%v at %v: got delay %v and status %d, want %v and %d", &c.f, c.chance, out.Delay, status, c.delay, c.status)
		}
	}
}

func TestChoiceByWeight(t *testing.T) {
	f := &Forward{To: []Destination{{Weight: 1}, {Weight: 0}, {Weight: 3}}}
	for chance, want := range map[float64]int{0: 0, 0.24: 0, 0.25: 2, 0.999: 2} {
		if got := f.pick(still{chance: chance}); got != &f.To[want] {
			t.Errorf("chance %v: not destination %d", chance, want)
		}
	}
	if (&Forward{To: []Destination{{}, {}}}).pick(still{}) != nil {
		t.Error("something is chosen of destinations without weight")
	}
	if f := (&Forward{To: []Destination{{}}}); f.pick(still{}) != &f.To[0] {
		t.Error("a lone destination is not chosen")
	}
}

func TestChainByServerName(t *testing.T) {
	plain, exact, wide, wider, any := &Chain{}, &Chain{Names: []string{"a.example.com"}}, &Chain{Names: []string{"*.example.com"}},
		&Chain{Names: []string{"*.com", "b.example.com"}}, &Chain{Names: []string{"*"}}
	l := &Listener{Dialect: Envoy, Chains: []*Chain{any, wider, wide, plain, exact}}
	for _, c := range []struct {
		secure bool
		sni    string
		want   *Chain
	}{
		{false, "", plain}, {false, "a.example.com", plain},
		{true, "a.example.com", exact}, {true, "b.example.com", wider}, {true, "x.a.example.com", wide},
		{true, "example.com", wider}, {true, "org", any}, {true, "", any},
	} {
		if got := l.chain(c.secure, c.sni); got != c.want {
			t.Errorf("TLS %v, name %q: got the chain of %q, want that of %q", c.secure, c.sni, got.Names, c.want.Names)
		}
	}
	if got := (&Listener{Dialect: Envoy, Chains: []*Chain{plain, exact}}).chain(true, ""); got != nil {
		t.Errorf("got the chain of %q, want none", got.Names)
	}
}

func TestCircleEnds(t *testing.T) {
	l := &Listener{Key: "istio-system/gw:80", Dialect: Envoy}
	l.Chains = []*Chain{{Hosts: []*Host{{Name: "*", Routes: []*Route{{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "gw", Next: l}}}}}}}}}}
	var b Builder
	b.Add(l)
	var out Outcome
	b.Build().Walk(l, request(), still{}, nil, &out)
	if out.Kind != ToRespond || out.Reply.Status != 503 || !strings.Contains(out.Reason, "circle") {
		t.Errorf("got %v %d, %q", out.Kind, out.Reply.Status, out.Reason)
	}
}

func TestUnservedConnectionsAndPathsAreAnswered(t *testing.T) {
	p, l := gatewayWith(forwarding(Forward{}))
	l.Chains[0].Closed = true
	var out Outcome
	p.Walk(l, request(), still{}, nil, &out)
	if out.Kind != ToRespond || out.Reply.Status != 503 {
		t.Errorf("a closed chain: got %v %d, want 503", out.Kind, out.Reply.Status)
	}
	l.Chains[0].Closed = false
	r := request()
	r.Target = "/%00"
	p.Walk(l, r, still{}, nil, &out)
	if out.Kind != ToRespond || out.Reply.Status != 400 {
		t.Errorf("a NUL: got %v %d, want 400", out.Kind, out.Reply.Status)
	}
}

// With a trace the walk takes the plain scan; the decision must be the same.
func TestTraceChangesNothing(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		gateway := randomListener(rng, "istio-system/gw:80", Envoy, nil)
		edge := randomListener(rng, Edge, NGINX, gateway)
		var b Builder
		b.Add(edge)
		b.Add(gateway)
		p := b.Build()
		for range 20 {
			one := randomRequest(rng)
			one.Host = randomHost(rng)
			two := *one
			two.Header = one.Header.Clone()
			world := still{chance: rng.Float64()}
			var without, with Outcome
			tr := &Trace{}
			p.Walk(edge, one, world, nil, &without)
			p.Walk(edge, &two, world, tr, &with)
			for i := range without.Hops() {
				if without.hops[i].Route != with.hops[i].Route || without.hops[i].Host != with.hops[i].Host {
					t.Fatalf("seed %d, hop %d: got route %v, with a trace %v", seed, i, ruleOf(without.hops[i].Route), ruleOf(with.hops[i].Route))
				}
			}
			if without.Kind != with.Kind || !reflect.DeepEqual(without.Reply, with.Reply) || without.Backend != with.Backend ||
				without.Reason != with.Reason || len(without.Hops()) != len(with.Hops()) || !reflect.DeepEqual(one, &two) {
				t.Fatalf("seed %d: %s %s: got %v %q, with a trace %v %q\n%s", seed, one.Host, one.Target, without.Kind, without.Reason, with.Kind, with.Reason, tr)
			}
			if len(tr.Steps) == 0 {
				t.Fatal("the trace is empty")
			}
		}
	}
}

func randomHost(rng *rand.Rand) string {
	names := [...]string{"a.com", "b.a.com", "c.b.a.com", "*.a.com", "*.b.a.com", "*", "A.com:80", "a.com."}
	return names[rng.IntN(len(names))]
}

func randomListener(rng *rand.Rand, key string, d Dialect, next *Listener) *Listener {
	chain := &Chain{}
	for range 1 + rng.IntN(4) {
		h := &Host{Name: randomHost(rng), Routes: randomRoutes(rng, rng.IntN(30))}
		for _, r := range h.Routes {
			switch rng.IntN(6) {
			case 0:
				r.Action = &Redirect{Code: 301, Scheme: "https"}
			case 1:
				r.Action = &Direct{Status: 200, Body: r.Name}
			default:
				r.Action = forwarding(Forward{}).Action
				if next != nil {
					r.Action.(*Forward).To[0].Backend = &Backend{Key: "gw", Next: next}
				}
			}
			if rng.IntN(4) == 0 {
				r.Filters = []Filter{&Fault{Abort: 503, AbortShare: 0.5}}
			}
		}
		chain.Hosts = append(chain.Hosts, h)
	}
	form := match.FormBase
	if d == NGINX {
		form = match.FormNGINX
	}
	return &Listener{Key: key, Dialect: d, Form: form, Chains: []*Chain{chain}}
}

func TestWalkAllocatesOnce(t *testing.T) {
	w := newWalker(layered(100, 10))
	allocations := testing.AllocsPerRun(200, func() { w.walk("h50.example.com", "/app5/x?y=1", nil) })
	if w.out.Kind != ToForward || len(w.out.Hops()) != 2 {
		t.Fatalf("got %v after %d hops: %s", w.out.Kind, len(w.out.Hops()), w.out.Reason)
	}
	// The one allocation holds the values that this request alone has: the edge's
	// x-request-id, the gateway's own, and x-forwarded-for.
	if allocations > 1 {
		t.Errorf("a walk through edge and gateway allocates %v times, want 1", allocations)
	}
}

func TestTraceTellsEveryRule(t *testing.T) {
	p, edge := layered(2, 3)
	w := newWalker(p, edge)
	tr := &Trace{}
	w.walk("h1.example.com", "/app1/x", tr)
	text := tr.String()
	for _, want := range []string{
		"+ hop edge\n", "+ guard proxy-body-size", "  + hop gateway istio-system/gw:80\n", "  + host h1.example.com\n",
		`  - route path prefix "/app0/": path is "/app1/x", wants prefix "/app0/"`, `  + route path prefix "/app1/"`, "  + backend app-app-80\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the trace lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "/app2/") {
		t.Errorf("the trace goes on after the rule that decided:\n%s", text)
	}
}
