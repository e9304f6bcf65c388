package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// shut is a guard that refuses everything.
type shut struct{}

func (shut) check(w *walk) bool {
	w.reply(Reply{Status: 403, Reason: "shut"})
	return true
}
func (shut) String() string { return "shut" }

// sidecar is the door of a workload.
func sidecar(name string, peers Peers, guards ...Guard) *Listener {
	return &Listener{Key: "workload shop/" + name + ":80", Dialect: Sidecar, Form: match.FormBase, TargetPort: 8080, Guards: guards,
		Identity: "cluster.local/ns/shop/sa/" + name, Door: &Door{Peers: peers}}
}

// behind is an endpoint behind a sidecar.
func behind(key string, door *Listener, m Mutual, addresses ...string) *Backend {
	b := &Backend{Key: key, Sidecar: door, Mutual: m}
	for _, a := range addresses {
		b.Endpoints = append(b.Endpoints, Endpoint{Address: a})
	}
	return b
}

// before is a gateway with a route to b.
func before(b *Backend, filters ...Filter) (*Plan, *Listener) {
	l := &Listener{Key: "istio-system/gw:80", Dialect: Envoy, Form: match.FormBase, Identity: "cluster.local/ns/istio-system/sa/gw",
		Chains: []*Chain{{Hosts: []*Host{{Name: "*", Routes: []*Route{{Action: &Forward{To: []Destination{{Backend: b}}}, Filters: filters}}}}}}}
	var build Builder
	build.Add(l)
	for _, b := range append([]*Backend{b}, b.Split...) {
		if b.Sidecar != nil {
			build.Add(b.Sidecar)
		}
	}
	return build.Build(), l
}

func TestWhoSpeaksMutualTLS(t *testing.T) {
	for _, c := range []struct {
		mutual  Mutual
		door    *Door
		want    bool
		failure Failure
		why     string // its end; "": the connection comes about
	}{
		{MutualAuto, nil, false, 0, ""},
		{MutualAuto, &Door{}, true, 0, ""},
		{MutualAuto, &Door{Peers: Strict}, true, 0, ""},
		{MutualAuto, &Door{Peers: PlainOnly}, false, 0, ""},
		{MutualNever, nil, false, 0, ""},
		{MutualNever, &Door{}, false, 0, ""},
		{MutualNever, &Door{Peers: Strict}, false, Reset, "speaks none"},
		{MutualNever, &Door{Peers: PlainOnly}, false, 0, ""},
		{MutualAlways, nil, true, NotTLS, "no sidecar"},
		{MutualAlways, &Door{}, true, 0, ""},
		{MutualAlways, &Door{Peers: Strict}, true, 0, ""},
		{MutualAlways, &Door{Peers: PlainOnly}, true, NotTLS, "(DISABLE)"},
	} {
		got, failure, why := c.mutual.spoken(c.door)
		if got != c.want || failure != c.failure || !strings.HasSuffix(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%v to %+v: got %v, %v, %q, want %v, %v, %q", c.mutual, c.door, got, failure, why, c.want, c.failure, c.why)
		}
	}
}

func TestTheSidecarReadsAndWritesFields(t *testing.T) {
	p, l := before(behind("app", sidecar("app", Permissive), MutualAuto, "192.0.2.1:80"))
	r := request(header.Field{Name: "x-forwarded-client-cert", Value: "URI=spiffe://forged"}, header.Field{Name: "x-envoy-expected-rq-timeout-ms", Value: "1"})
	r.Target = "/a/%2e/b"
	var out Outcome
	p.Walk(l, r, still{}, nil, &out)
	if out.Kind != ToForward || out.Backend.Key != "app" || len(out.Hops()) != 2 || out.Forwarder() != 0 || out.Inner() == nil {
		t.Fatalf("got %v to %v after %d hops: %s", out.Kind, out.Backend, len(out.Hops()), out.Reason)
	}
	for name, want := range map[string]string{
		"x-forwarded-client-cert": `By=spiffe://cluster.local/ns/shop/sa/app;Subject="";URI=spiffe://cluster.local/ns/istio-system/sa/gw`,
		"x-forwarded-for":         "192.0.2.7", "x-forwarded-proto": "http", "x-envoy-attempt-count": "1", "x-envoy-expected-rq-timeout-ms": "",
	} {
		if got, _ := r.Header.Joined(name, ","); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r.Target != "/a/b" || r.Source != l.Identity || !r.Secure || r.LocalPort != 8080 || r.Remote.String() != "192.0.2.7" || r.Peer != layerPeer {
		t.Errorf("got %+v", r)
	}
	f := header.Fields{{Name: "server", Value: "app"}}
	out.EditResponse(200, &f, 3*time.Millisecond, true)
	if got := fmt.Sprint(f); got != "[{server istio-envoy} {x-envoy-upstream-service-time 3}]" {
		t.Errorf("the client gets %s", got)
	}
}

func TestNobodyEntersASidecarFromOutside(t *testing.T) {
	door := sidecar("app", Permissive)
	p, _ := before(behind("app", door, MutualAuto, "192.0.2.1:80"))
	var out Outcome
	if p.Walk(door, request(), still{}, nil, &out); out.Kind != ToRespond || out.Reply.Status != 503 {
		t.Errorf("got %v %d", out.Kind, out.Reply.Status)
	}
}

// Endpoints behind several doors are chosen by their number, or by the hash.
func TestEndpointsPartAtTheirDoors(t *testing.T) {
	b := behind("app", nil, MutualAuto, "192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80", "192.0.2.4:80")
	b.Split = []*Backend{
		behind("app|version=v1", sidecar("open", Permissive), MutualAuto, "192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"),
		behind("app|version=v2", sidecar("shut", Permissive, shut{}), MutualAuto, "192.0.2.4:80"),
	}
	p, l := before(b)
	if n := len(p.Backends()); n != 3 {
		t.Errorf("got %d backends, want the two parts and the whole", n)
	}
	var out Outcome
	for chance, want := range map[float64]string{0: "app|version=v1", 0.74: "app|version=v1", 0.75: "", 0.99: ""} {
		p.Walk(l, request(), still{chance: chance}, nil, &out)
		got := ""
		if out.Backend != nil {
			got = out.Backend.Key
		}
		if got != want {
			t.Errorf("chance %v: got %q, want %q", chance, got, want)
		}
	}
	b.Hash = &Hash{Header: "x-user"}
	count := map[Kind]int{}
	for i := range 400 {
		user := header.Field{Name: "x-user", Value: fmt.Sprint("user", i)}
		p.Walk(l, request(user), still{chance: 0.1}, nil, &out)
		first := out.Kind
		if p.Walk(l, request(user), still{chance: 0.9}, nil, &out); out.Kind != first {
			t.Fatalf("user%d goes to two doors", i)
		}
		count[first]++
	}
	if n := count[ToForward]; n < 260 || n > 340 {
		t.Errorf("%d of 400 users go to three of four endpoints", n)
	}
}

// A copy for a workload that does not let it in is not sent.
func TestMirrorsPassTheDoor(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *Backend
		want bool
	}{
		{"no sidecar", behind("m", nil, MutualAuto, "192.0.2.2:80"), true},
		{"open", behind("m", sidecar("m", Permissive), MutualAuto, "192.0.2.2:80"), true},
		{"shut", behind("m", sidecar("m", Permissive, shut{}), MutualAuto, "192.0.2.2:80"), false},
		{"strict, plain caller", behind("m", sidecar("m", Strict), MutualNever, "192.0.2.2:80"), false},
		{"ISTIO_MUTUAL, no sidecar", behind("m", nil, MutualAlways, "192.0.2.2:80"), false},
	} {
		for _, refused := range []bool{false, true} { // what becomes of the request itself does not matter
			var guards []Guard
			if refused {
				guards = append(guards, shut{})
			}
			p, l := before(behind("app", sidecar("app", Permissive, guards...), MutualAuto, "192.0.2.1:80"), &Mirror{Backend: c.b, Share: 1})
			r := request()
			var out Outcome
			p.Walk(l, r, still{}, nil, &out)
			if got := len(out.Mirrors) == 1; got != c.want || (out.Kind == ToForward) == refused {
				t.Errorf("%s, refused %v: got mirrors %v, %v", c.name, refused, out.Mirrors, out.Kind)
			}
		}
	}
}

func TestAllocationsThroughASidecar(t *testing.T) {
	p, l := before(behind("app", sidecar("app", Permissive), MutualAuto, "192.0.2.1:80"))
	l.Chains[0].Names = []string{"*"}
	w := newWalker(p, l)
	if n := testing.AllocsPerRun(100, func() { w.walk("h", "/x", nil) }); n > 2 || w.out.Kind != ToForward {
		t.Errorf("got %v allocations, want 2: one for the gateway's values, one for the certificate's", n)
	}
}
