package check

import (
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// visitor is who asks: a member is logged in and has good tokens; anybody else has
// neither.
type visitor struct{ member bool }

// address is a URL as clients have it, and the listener that takes it.
type address struct {
	listener *plan.Listener
	secure   bool
	host     string
	path     string // with the query, if any
	method   string // "": GET
	header   header.Fields
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
	a.header = append(a.header[:len(a.header):len(a.header)], header.Field{Name: name, Value: value})
	return a
}

// visit is a request and what came of it.
type visit struct{ witness.Visit }

func (p *Pass) visit(a address, who visitor) *visit {
	v := new(visit)
	caller := witness.Anonymous()
	if who.member {
		caller = witness.Bearer()
		caller.Anyway = true // another check tells of broken keys
	}
	v.Walk(p.Plan, &witness.Request{Via: a.listener.Key, Secure: a.secure, Method: a.method, Host: a.host, Target: a.path, Header: a.header}, &caller)
	return v
}

// took tells whether a hop took route r, and did not send the client to https first.
func (v *visit) took(r *plan.Route) bool {
	if _, ok := r.Action.(*plan.Forward); ok && v.Out.Kind == plan.ToRespond && v.Out.Reply.Status == 308 {
		return false
	}
	for _, h := range v.Out.Hops() {
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
		name := witness.Concrete(way.host, host)
		if !witness.Covers(host, name) || !leads(&way.route.Rule.Path, path) {
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
	name := witness.Concrete(host, "")
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

// way finds an address at which members come to a route of a gateway.
func (p *Pass) way(l *plan.Listener, h *plan.Host, r *plan.Route) (address, bool) {
	if a, ok := p.known[r]; ok {
		return a, a.listener != nil
	}
	var found address
	if path, ok := witness.Sample(r); ok {
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

// meet gives an address what else a route asks for, where that is plain.
func (a *address) meet(r *plan.Route) {
	q, _ := witness.Meet(witness.Request{Method: a.method, Host: a.host, Target: a.path, Header: a.header}, r)
	a.method, a.host, a.path, a.header = q.Method, q.Host, q.Target, q.Header
}
