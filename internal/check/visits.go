package check

import (
	"net/netip"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// visitor is the world of a walk that checks make: nothing in it moves. A member
// is logged in and has good tokens; anybody else has neither.
type visitor struct {
	plan.Closed
	member bool
}

func (visitor) Now() time.Time  { return time.Unix(1700000000, 0).UTC() }
func (visitor) Chance() float64 { return 0 }
func (visitor) ID() [16]byte    { return [16]byte{} }

// Ask lets members in.
func (v visitor) Ask(*plan.Provider, *plan.Check) plan.Verdict {
	return plan.Verdict{Allowed: v.member, Status: 403}
}

// Login lets members in, with a token where the provider hands one on.
func (v visitor) Login(p *plan.LoginProvider, at *plan.Visit) plan.Entry {
	if !v.member {
		return v.Closed.Login(p, at)
	}
	e := plan.Entry{Why: "logged in"}
	if p.Authorization {
		e.Set.Set("authorization", "Bearer member")
	}
	return e
}

// Verify takes every token of a member.
func (v visitor) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	if !v.member {
		return v.Closed.Verify(r, token, now)
	}
	return match.NewToken(match.Token{Issuer: r.Issuer, Subject: "member", Raw: token}), plan.TokenFailure{}
}

// address is a URL as clients have it, and the listener that takes it.
type address struct {
	listener *plan.Listener
	secure   bool
	host     string
	path     string // with the query, if any
	method   string // "": GET
	header   [][2]string
}

func (a address) String() string {
	scheme := "http"
	if a.secure {
		scheme = "https"
	}
	return scheme + "://" + a.host + a.path
}

// with is the address with one more header.
func (a address) with(name, value string) address {
	a.header = append(a.header[:len(a.header):len(a.header)], [2]string{name, value})
	return a
}

// visit is a request and what came of it.
type visit struct {
	req match.Request
	out plan.Outcome
}

func (p *Pass) visit(a address, who visitor) *visit {
	v := &visit{req: match.Request{Peer: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Secure: a.secure, Major: 1, Minor: 1,
		Method: a.method, Host: a.host, Target: a.path}}
	if a.secure {
		v.req.SNI = a.host
	}
	if a.method == "" {
		v.req.Method = "GET"
	}
	v.req.Header.Add("accept", "text/html")
	for _, h := range a.header {
		v.req.Header.Add(h[0], h[1])
	}
	if who.member {
		v.req.Header.Add("authorization", "Bearer member")
	}
	p.Plan.Walk(a.listener, &v.req, who, nil, &v.out)
	return v
}

// took tells whether a hop took route r, and did not send the client to https first.
func (v *visit) took(r *plan.Route) bool {
	if _, ok := r.Action.(*plan.Forward); ok && v.out.Kind == plan.ToRespond && v.out.Reply.Status == 308 {
		return false
	}
	for _, h := range v.out.Hops() {
		if h.Route == r {
			return true
		}
	}
	return false
}

// edgeWay is a host and route of the edge that lead to a gateway.
type edgeWay struct {
	host  string
	route *plan.Route
}

// edgeWays are the ways from the edge to each gateway's listener.
func (p *Pass) edgeWays() map[*plan.Listener][]edgeWay {
	if p.ways != nil {
		return p.ways
	}
	p.ways = map[*plan.Listener][]edgeWay{}
	edge := p.Plan.Listener(plan.Edge)
	if edge == nil {
		return p.ways
	}
	for _, c := range edge.Chains {
		for _, h := range c.Hosts {
			for _, r := range h.Routes {
				if f, ok := r.Action.(*plan.Forward); ok && len(f.To) > 0 && f.To[0].Backend.Next != nil {
					p.ways[f.To[0].Backend.Next] = append(p.ways[f.To[0].Backend.Next], edgeWay{h.Name, r})
				}
			}
		}
	}
	return p.ways
}

// tries bounds the addresses that are tried to find one that shows something.
const tries = 16

// addresses are some at which a path of a gateway's host may be asked for, from
// outside if an Ingress leads there. Nobody has tried them.
func (p *Pass) addresses(l *plan.Listener, host, path string) []address {
	var all []address
	for _, way := range p.edgeWays()[l] {
		name := concrete(way.host, host)
		if !fitsHost(host, name) || !leads(&way.route.Rule.Path, path) {
			continue
		}
		for _, secure := range []bool{false, true} {
			all = append(all, address{listener: p.Plan.Listener(plan.Edge), secure: secure, host: name, path: path})
		}
		if len(all) >= tries {
			break
		}
	}
	if len(p.edgeWays()[l]) > 0 {
		return all
	}
	name := concrete(host, "")
	return []address{{listener: l, host: name, path: path}, {listener: l, secure: true, host: name, path: path}}
}

// first is the first of the addresses, the zero one if there is none.
func (p *Pass) first(l *plan.Listener, host, path string) address {
	if all := p.addresses(l, host, path); len(all) > 0 {
		return all[0]
	}
	return address{}
}

// leads tells whether a condition of the edge takes a path, as far as its form tells.
func leads(t *match.Text, path string) bool {
	return t.Op == match.Regex || t.Match(path, true) || t.Op == match.Prefix && strings.HasPrefix(path+"/", t.Value)
}

// concrete is a name that a host stands for: itself, or of a wildcard one, the
// other host's name if it can be that.
func concrete(host, other string) string {
	switch {
	case !strings.HasPrefix(host, "*"):
		return host
	case other != "" && !strings.HasPrefix(other, "*") && fitsHost(host, other):
		return other
	case len(other) > len(host):
		return "any" + other[1:]
	case host == "*":
		return "any.example.com"
	}
	return "any" + host[1:]
}

// fitsHost tells whether a host of a listener stands for a name.
func fitsHost(host, name string) bool {
	if suffix, ok := strings.CutPrefix(host, "*"); ok {
		return strings.HasSuffix(name, suffix) && len(name) > len(suffix)
	}
	return host == name
}

// way finds an address at which members come to a route of a gateway.
func (p *Pass) way(l *plan.Listener, h *plan.Host, r *plan.Route) (address, bool) {
	if a, ok := p.known[r]; ok {
		return a, a.listener != nil
	}
	var found address
	if path, ok := sample(r); ok {
		for _, a := range p.addresses(l, h.Name, path) {
			a.meet(r)
			if p.visit(a, visitor{member: true}).took(r) {
				found = a
				break
			}
		}
	}
	p.known[r] = found
	return found, found.listener != nil
}

// sample is a path that fulfils a route's condition, if one is easily told.
func sample(r *plan.Route) (string, bool) {
	t := &r.Rule.Path
	switch t.Op {
	case match.Exact, match.Prefix:
		return t.Value, strings.HasPrefix(t.Value, "/")
	case match.Any, match.Present, match.NotEmpty:
		return "/", true
	}
	lead, _ := t.Lead()
	for _, path := range []string{lead, lead + "/", lead + "x", lead + "/x", "/", "/x"} {
		if strings.HasPrefix(path, "/") && t.Match(path, true) {
			return path, true
		}
	}
	return "", false
}

// meet gives an address what else a route asks for, where that is plain.
func (a *address) meet(r *plan.Route) {
	for i := range r.Rule.All {
		c := &r.Rule.All[i]
		if c.Not {
			continue
		}
		value := c.Text.Value
		if c.Text.Op == match.Present || c.Text.Op == match.Any || c.Text.Op == match.NotEmpty {
			value = "x"
		}
		switch c.Attr {
		case match.Method:
			a.method = value
		case match.Header:
			*a = a.with(c.Name, value)
		case match.Query:
			mark := "?"
			if strings.Contains(a.path, "?") {
				mark = "&"
			}
			a.path += mark + c.Name + "=" + value
		}
	}
}
