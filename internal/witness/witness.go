// Package witness makes example requests from a plan's own rules: for every route one
// that takes it and some just beside it, for every rule of a policy one that it is about
// and one that it leaves out, asked by callers that rules tell apart. Tools that compare
// plans, prove edits or propose tests walk them. Every example has been walked once:
// what it says to show, it shows.
package witness

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Request is a request as a client sends it.
type Request struct {
	// Via is the listener that takes it (plan.Listener.Key).
	Via    string
	Secure bool
	Method string // "": GET
	Host   string
	Target string // path and query
	Header header.Fields
	From   netip.Addr // the client; zero: one of no importance
}

// URL is where the request goes, as an address bar shows it.
func (r Request) URL() string {
	scheme := "http"
	if r.Secure {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.Target
}

// String is the request for people: "GET https://a.example/x with x-user: alice".
func (r Request) String() string {
	s := r.method() + " " + r.URL()
	for i, f := range r.Header {
		s += []string{" with ", " and "}[min(i, 1)] + f.Name + ": " + f.Value
	}
	if r.From.IsValid() {
		s += " from " + r.From.String()
	}
	if r.Via != plan.Edge {
		s += " via " + r.Via
	}
	return s
}

func (r Request) method() string {
	if r.Method == "" {
		return "GET"
	}
	return r.Method
}

// With is the request with one more header.
func (r Request) With(name, value string) Request {
	r.Header = append(r.Header[:len(r.Header):len(r.Header)], header.Field{Name: name, Value: value})
	return r
}

// path is the target without its query.
func (r Request) path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

// withQuery is the request with one more query parameter.
func (r Request) withQuery(name, value string) Request {
	mark := "?"
	if strings.Contains(r.Target, "?") {
		mark = "&"
	}
	r.Target += mark + name + "=" + value
	return r
}

// somewhere is the address of clients of no importance (RFC 5737).
func somewhere() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 1}) }

// Visit is a request on its way, and what came of it. It can be used again.
type Visit struct {
	Req   match.Request
	Out   plan.Outcome
	Trace *plan.Trace // nil records nothing
}

// Walk takes the request of a caller through a plan. It is false where the plan has no
// such listener. A browser is taken to open a page.
func (v *Visit) Walk(p *plan.Plan, r *Request, who *Caller) bool {
	l := p.Listener(r.Via)
	if l == nil {
		return false
	}
	fields := v.Req.Header[:0]
	v.Req = match.Request{Peer: r.From, Secure: r.Secure, Major: 1, Minor: 1, Method: r.method(), Host: r.Host, Target: r.Target}
	if !r.From.IsValid() {
		v.Req.Peer = somewhere()
	}
	if r.Secure {
		v.Req.SNI = match.HostName(r.Host)
	}
	v.Req.Header = append(append(fields, header.Field{Name: "accept", Value: "text/html"}), r.Header...)
	p.Walk(l, &v.Req, who.dress(&v.Req), v.Trace, &v.Out)
	return true
}

// Took tells whether the request came to a route: a hop took it, or its guards refused
// what it would have taken.
func (v *Visit) Took(r *plan.Route) bool {
	if _, forwards := r.Action.(*plan.Forward); forwards && v.Out.Kind == plan.ToRespond && v.Out.Reply.Status == 308 {
		return false // sent to https first
	}
	hops := v.Out.Hops()
	for i := range hops {
		if hops[i].Route == r {
			return true
		}
	}
	_, would := v.Would()
	return would == r
}

// Would is the host and route that would have taken a request which the guards of its
// last hop have refused; nil where there is none.
func (v *Visit) Would() (*plan.Host, *plan.Route) {
	hops := v.Out.Hops()
	if len(hops) == 0 {
		return nil, nil
	}
	last := &hops[len(hops)-1]
	if last.Route != nil || last.Host != nil || v.Out.Kind != plan.ToRespond {
		return nil, nil
	}
	return last.Listener.RouteOf(&v.Req)
}
