package plan

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Reachable refuses what has no endpoint, before anybody is asked who they are
// (ingress-nginx, balancer.rewrite).
type Reachable struct{ Backend *Backend }

func (g *Reachable) check(w *walk) bool {
	switch b := g.Backend; {
	case b.Missing != "":
		w.reply(w.hop.Listener.missing(b))
	case b.Next == nil && len(b.Endpoints) == 0:
		w.reply(w.hop.Listener.noEndpoint(b))
	default:
		return false
	}
	return true
}

func (g *Reachable) String() string { return "there are endpoints of " + g.Backend.Key }

// Addresses judges clients by their address: who is in Deny is refused, and where
// there is an Allow, who is not in it (denylist- and allowlist-source-range).
type Addresses struct {
	Allow, Deny []netip.Prefix
	Origin      Origin
}

func (g *Addresses) check(w *walk) bool {
	client := w.hop.Listener.edge().address(w.req)
	switch {
	case within(g.Deny, client):
		w.reply(Reply{Status: 403, Reason: "the address " + client.String() + " is in denylist-source-range"})
	case len(g.Allow) > 0 && !within(g.Allow, client):
		w.reply(Reply{Status: 403, Reason: "the address " + client.String() + " is not in allowlist-source-range"})
	default:
		return false
	}
	return true
}

func (g *Addresses) String() string {
	var parts []string
	tell := func(what string, list []netip.Prefix) {
		if len(list) == 0 {
			return
		}
		texts := make([]string, len(list))
		for i := range list {
			texts[i] = list[i].String()
		}
		parts = append(parts, what+" "+strings.Join(texts, ", "))
	}
	tell("none of the addresses", g.Deny)
	tell("only the addresses", g.Allow)
	return strings.Join(parts, "; ")
}

// within tells whether an address is in one of the ranges; one of IPv4 that came
// as IPv6 is in those of IPv4. The zone of a neighbour's address (fe80::1%eth0) is no
// part of it.
func within(list []netip.Prefix, a netip.Addr) bool {
	a = a.WithZone("")
	for _, p := range list {
		if p.Contains(a.Unmap()) || p.Contains(a) {
			return true
		}
	}
	return false
}

// EdgeCORS answers preflights of allowed origins and marks all answers for them,
// failures too (enable-cors; ingress-nginx, template CORS). It stands among the
// guards of a route for the one and among its filters for the other.
type EdgeCORS struct {
	Any     bool // origin: "*" is the answer, whether the client names one or not
	Origins []match.Text
	Header  header.Fields // but Access-Control-Allow-Origin
}

func (c *EdgeCORS) check(w *walk) bool {
	origin, _ := w.req.Header.Joined("origin", ", ")
	switch {
	case c.Any:
		w.hop.Origin = "*"
	case c.allows(origin):
		w.hop.Origin = origin
	default:
		return false
	}
	if w.req.Method != "OPTIONS" {
		return false
	}
	w.reply(Reply{Status: 204, Reason: "preflight of an allowed origin"})
	return true
}

func (c *EdgeCORS) allows(origin string) bool {
	for i := range c.Origins {
		if c.Origins[i].Match(origin, true) {
			return true
		}
	}
	return false
}

func (*EdgeCORS) apply(*walk) bool { return false } // it has been asked as a guard

func (c *EdgeCORS) respond(h *Hop, _ int, f *header.Fields) {
	if h.Origin == "" {
		return
	}
	f.Set("access-control-allow-origin", h.Origin)
	for _, x := range c.Header {
		f.Set(x.Name, x.Value)
	}
}

func (c *EdgeCORS) String() string {
	if c.Any {
		return "CORS for every origin"
	}
	var origins []string
	for _, o := range c.Origins {
		origins = append(origins, o.String())
	}
	return "CORS for origin " + strings.Join(origins, " or ")
}

// AnswerHeaders sets fields of every answer, failures too (custom-headers).
type AnswerHeaders struct{ Set header.Fields }

func (*AnswerHeaders) apply(*walk) bool { return false }

func (a *AnswerHeaders) respond(_ *Hop, _ int, f *header.Fields) {
	for _, x := range a.Set {
		f.Set(x.Name, x.Value)
	}
}

func (a *AnswerHeaders) String() string {
	var names []string
	for _, x := range a.Set {
		names = append(names, x.Name)
	}
	return "answer: set " + strings.Join(names, ", ")
}
