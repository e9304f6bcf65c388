package plan

import (
	"net/netip"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/match"
)

// full is a world whose buckets of one zone and client have no room.
type full struct {
	still
	zone   string
	client netip.Addr
}

func (f full) Drip(zone string, client netip.Addr, perMinute, burst int, _ time.Time) bool {
	return zone != f.zone || client != f.client || perMinute != 60 || burst != 5
}

func TestRateLimit(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.1")
	limit := &RateLimit{Zone: "shop/app limit-rps", PerMinute: 60, Burst: 5, Status: 503}
	exempt := *limit
	exempt.Exempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, c := range []struct {
		guard  *RateLimit
		peer   string
		status int
	}{{limit, "192.0.2.1", 503}, {limit, "::ffff:192.0.2.1", 503}, {limit, "192.0.2.2", 404}, {&exempt, "192.0.2.1", 404}} {
		var b Builder
		l := &Listener{Key: Edge, Dialect: NGINX, Form: match.FormNGINX, Chains: []*Chain{{Hosts: []*Host{{Name: "*",
			Routes: []*Route{{Guards: []Guard{c.guard}, Action: &Direct{Status: 404}}}}}}}}
		b.Add(l)
		p := b.Build()
		r := &match.Request{Peer: netip.MustParseAddr(c.peer), Major: 1, Minor: 1, Method: "GET", Host: "a", Target: "/"}
		r.Header.Add("x-forwarded-for", "198.51.100.7") // nobody believes it
		var out Outcome
		p.Walk(l, r, full{zone: limit.Zone, client: client}, nil, &out)
		if out.Reply.Status != c.status {
			t.Errorf("%s: got %d, want %d", c.peer, out.Reply.Status, c.status)
		}
	}
}

// crowded is a world in which everybody has as many requests under way as it says.
type crowded struct {
	still
	inside *int
}

func (c crowded) Enter(_ string, _ netip.Addr, most int) (func(), bool) {
	if *c.inside >= most {
		return nil, false
	}
	*c.inside++
	return func() { *c.inside-- }, true
}

// What has entered leaves once: when its outcome is no longer used, or used again.
func TestConnLimit(t *testing.T) {
	var b Builder
	l := &Listener{Key: Edge, Dialect: NGINX, Form: match.FormNGINX, Chains: []*Chain{{Hosts: []*Host{{Name: "*",
		Routes: []*Route{{Guards: []Guard{&ConnLimit{Zone: "z", Most: 1, Status: 503}}, Action: &Direct{Status: 404}}}}}}}}
	b.Add(l)
	p, inside := b.Build(), 0
	walk := func(out *Outcome) int {
		p.Walk(l, &match.Request{Peer: netip.MustParseAddr("192.0.2.1"), Major: 1, Minor: 1, Method: "GET", Host: "a", Target: "/"}, crowded{inside: &inside}, nil, out)
		return out.Reply.Status
	}
	var first, second Outcome
	if got := [...]int{walk(&first), walk(&second), walk(&first)}; got != [...]int{404, 503, 404} {
		t.Errorf("got %v", got)
	}
	second.Leave()
	first.Leave()
	first.Leave()
	if inside != 0 {
		t.Errorf("%d are inside", inside)
	}
}
