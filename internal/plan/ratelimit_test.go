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
