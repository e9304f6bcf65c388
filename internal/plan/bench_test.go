package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// layered is an edge before a gateway: hosts names with prefixes routes each,
// beside what more adds.
func layered(hosts, prefixes int, more ...*Host) (*Plan, *Listener) {
	app := &Backend{Key: "app-app-80", Endpoints: []Endpoint{{Address: "192.0.2.1:80"}}}
	gateway := &Listener{Key: "istio-system/gw:80", Dialect: Envoy, Form: match.FormBase, Chains: []*Chain{{Hosts: more}}}
	for h := range hosts {
		host := &Host{Name: fmt.Sprintf("h%d.example.com", h)}
		for p := range prefixes {
			host.Routes = append(host.Routes, &Route{
				Rule:   match.Rule{Path: match.Text{Op: match.Prefix, Value: fmt.Sprintf("/app%d/", p)}},
				Action: &Forward{To: []Destination{{Backend: app}}},
			})
		}
		gateway.Chains[0].Hosts = append(gateway.Chains[0].Hosts, host)
	}
	edge := &Listener{Key: Edge, Dialect: NGINX, Form: match.FormNGINX, Chains: []*Chain{{Hosts: []*Host{{Name: "*", Routes: []*Route{{
		Rule:   match.Rule{Path: match.Text{Op: match.Prefix, Value: "/"}},
		Guards: []Guard{&BodyLimit{Bytes: 1 << 20}},
		Action: &Forward{To: []Destination{{Backend: &Backend{Key: "istio-system-gw-80", Next: gateway}}}},
	}}}}}}}
	var b Builder
	b.Add(edge)
	b.Add(gateway)
	return b.Build(), edge
}

// browser is what a browser sends.
func browser() header.Fields {
	return header.Fields{
		{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, {Name: "accept", Value: "*/*"},
		{Name: "accept-encoding", Value: "gzip, br"}, {Name: "accept-language", Value: "en"},
		{Name: "cookie", Value: "session=0123456789abcdef"}, {Name: "authorization", Value: "Bearer 0123456789abcdef"},
	}
}

// walker walks one request again and again, as the proxy does: the request, the
// outcome and the room for fields are used again.
type walker struct {
	plan   *Plan
	at     *Listener
	fields header.Fields
	room   header.Fields
	req    match.Request
	out    Outcome
}

func newWalker(p *Plan, at *Listener) *walker {
	return &walker{plan: p, at: at, fields: browser(), room: make(header.Fields, 0, 64)}
}

func (w *walker) walk(host, target string, tr *Trace) {
	w.req = match.Request{
		Peer: netip.AddrFrom4([4]byte{192, 0, 2, 7}), PeerText: "192.0.2.7", Secure: true, Major: 1, Minor: 1,
		Method: "GET", Host: host, Target: target, Header: append(w.room[:0], w.fields...),
	}
	w.plan.Walk(w.at, &w.req, still{}, tr, &w.out)
}

func BenchmarkWalk(b *testing.B) {
	for _, c := range []struct {
		name            string
		hosts, prefixes int
	}{
		{"routes=1000", 100, 10},
		{"otherhosts=10", 10, 1},
		{"otherhosts=1000", 1000, 1},
		{"otherhosts=100000", 100000, 1},
		{"otherprefixes=10", 1, 10},
		{"otherprefixes=1000", 1, 1000},
		{"otherprefixes=100000", 1, 100000},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWalker(layered(c.hosts, c.prefixes))
			host, target := fmt.Sprintf("h%d.example.com", c.hosts/2), fmt.Sprintf("/app%d/x?y=1", c.prefixes/2)
			b.ReportAllocs()
			for b.Loop() {
				w.walk(host, target, nil)
			}
			if w.out.Kind != ToForward {
				b.Fatal(w.out.Reason)
			}
		})
	}
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprintf("wildcards=%d", n), func(b *testing.B) {
			var more []*Host
			for i := range n {
				more = append(more, &Host{Name: fmt.Sprintf("*.w%d.example.com", i)})
			}
			w := newWalker(layered(10, 1, append(more, &Host{Name: "*.example.com", Routes: []*Route{forwarding(Forward{})}})...))
			for b.Loop() {
				w.walk("a.b.c.example.com", "/x", nil)
			}
			if w.out.Kind != ToForward {
				b.Fatal(w.out.Reason)
			}
		})
	}
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprintf("regexes=%d", n), func(b *testing.B) {
			host := &Host{Name: "re.example.com"}
			for i := range n {
				r := forwarding(Forward{})
				r.Rule.Path = mustRegex(fmt.Sprintf("/api/v%d/[a-z]+/.*", i))
				host.Routes = append(host.Routes, r)
			}
			w := newWalker(layered(10, 1, host))
			target := fmt.Sprintf("/api/v%d/users/1", n/2)
			for b.Loop() {
				w.walk(host.Name, target, nil)
			}
			if w.out.Kind != ToForward {
				b.Fatal(w.out.Reason)
			}
		})
	}
	b.Run("trace", func(b *testing.B) {
		w := newWalker(layered(100, 10))
		b.ReportAllocs()
		for b.Loop() {
			w.walk("h50.example.com", "/app5/x?y=1", &Trace{})
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		layered(10000, 1)
	}
}
