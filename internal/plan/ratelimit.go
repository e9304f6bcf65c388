package plan

import (
	"net/netip"
	"strconv"
	"time"
)

// RateLimit refuses clients that ask more often than they may: a leaky bucket for
// each address, that holds one request and Burst more (limit-rps, limit-rpm; NGINX,
// limit_req with nodelay).
type RateLimit struct {
	Zone      string // what has one count: the Ingress and the unit
	PerMinute int
	Burst     int
	Exempt    []netip.Prefix // who may ask as often as they like
	Status    int
	Origin    Origin
}

// Meter counts what clients ask for. It is a part of World.
type Meter interface {
	// Drip puts a request of client into its bucket of zone, which leaks perMinute and
	// holds burst beside the one. It is false when that has no room.
	Drip(zone string, client netip.Addr, perMinute, burst int, now time.Time) bool
	// Enter notes that a request of client to zone is under way, until leave is called.
	// It is false, and leave nil, when there are most of them already.
	Enter(zone string, client netip.Addr, most int) (leave func(), ok bool)
}

func (g *RateLimit) check(w *walk) bool {
	client := w.hop.Listener.edge().address(w.req).Unmap()
	if within(g.Exempt, client) || w.world.Drip(g.Zone, client, g.PerMinute, g.Burst, w.world.Now()) {
		return false
	}
	w.reply(Reply{Status: g.Status, Reason: client.String() + " asks more often than " + g.Zone + " allows"})
	return true
}

func (g *RateLimit) String() string {
	return strconv.Itoa(g.PerMinute) + " requests a minute for each client, " + strconv.Itoa(g.Burst) + " more at once"
}

// ConnLimit refuses clients that have too many requests under way (limit-connections;
// NGINX, limit_conn).
type ConnLimit struct {
	Zone   string // what has one count: the Ingress
	Most   int
	Exempt []netip.Prefix
	Status int
	Origin Origin
}

func (g *ConnLimit) check(w *walk) bool {
	client := w.hop.Listener.edge().address(w.req).Unmap()
	if within(g.Exempt, client) {
		return false
	}
	leave, ok := w.world.Enter(g.Zone, client, g.Most)
	if ok {
		w.out.leave = append(w.out.leave, leave)
		return false
	}
	w.reply(Reply{Status: g.Status, Reason: client.String() + " has more requests under way than " + g.Zone + " allows"})
	return true
}

func (g *ConnLimit) String() string {
	return strconv.Itoa(g.Most) + " requests at once for each client"
}

// Leave says that the request is over. Whoever walks in a world that counts must call
// it once for each walk.
func (o *Outcome) Leave() {
	for _, leave := range o.leave {
		leave()
	}
	o.leave = nil
}
