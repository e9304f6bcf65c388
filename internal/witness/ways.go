package witness

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Finder finds requests that come to the routes of a plan. It is not for concurrent use.
type Finder struct {
	Plan *plan.Plan

	ways  map[*plan.Listener]*ways
	known map[*plan.Route]found
	visit Visit
}

// New makes a finder.
func New(p *plan.Plan) *Finder { return &Finder{Plan: p, known: map[*plan.Route]found{}} }

// found is what is known of how to come to a route.
type found struct {
	Request
	ok bool
}

// ways are the hosts and routes of the edge that lead to a gateway's listener.
type ways struct {
	exact    map[string][]way
	wildcard []way
}

type way struct {
	host  string
	route *plan.Route
}

// waysTo returns the ways from the edge to a listener; nil if there are none.
func (f *Finder) waysTo(l *plan.Listener) *ways {
	if f.ways == nil {
		f.ways = map[*plan.Listener]*ways{}
		if edge := f.Plan.Listener(plan.Edge); edge != nil {
			eachRoute(edge, func(_ *plan.Chain, h *plan.Host, r *plan.Route) {
				to, ok := r.Action.(*plan.Forward)
				if !ok || len(to.To) == 0 || to.To[0].Backend.Next == nil {
					return
				}
				next := to.To[0].Backend.Next
				w := f.ways[next]
				if w == nil {
					w = &ways{exact: map[string][]way{}}
					f.ways[next] = w
				}
				if strings.HasPrefix(h.Name, "*") {
					w.wildcard = append(w.wildcard, way{h.Name, r})
				} else {
					w.exact[h.Name] = append(w.exact[h.Name], way{h.Name, r})
				}
			})
		}
	}
	return f.ways[l]
}

// all are the ways that may lead to a host of the gateway.
func (w *ways) all(host string) []way {
	if !strings.HasPrefix(host, "*") {
		return append(w.exact[host][:len(w.exact[host]):len(w.exact[host])], w.wildcard...)
	}
	var names []string
	for name := range w.exact {
		if Covers(host, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []way
	for _, name := range names {
		all = append(all, w.exact[name]...)
	}
	return append(all, w.wildcard...)
}

// tries bounds the requests that are tried for one that shows something.
const tries = 16

// At makes requests by which a path of a listener's host may be asked for: through the
// edge where an Ingress leads there, and from inside. Nobody has tried them.
func (f *Finder) At(l *plan.Listener, host, path string) []Request {
	var all []Request
	if l.Dialect == plan.NGINX {
		return over(l, Concrete(host, ""), path)
	}
	if w := f.waysTo(l); w != nil {
		for _, way := range w.all(host) {
			name := Concrete(way.host, host)
			if Covers(host, name) && leads(&way.route.Rule.Path, path) {
				all = append(all, over(f.Plan.Listener(plan.Edge), name, path)...)
			}
			if len(all) >= tries {
				break
			}
		}
	}
	all = append(all, over(l, Concrete(host, ""), path)...)
	if host == "*" { // another host may stand for that name
		all = append(all, over(l, "any.test", path)...)
	}
	return all
}

// over is a request in plain text and one over TLS.
func over(l *plan.Listener, host, path string) []Request {
	r := Request{Via: l.Key, Host: host, Target: path}
	secure := r
	secure.Secure = true
	return []Request{r, secure}
}

// Route finds a request that takes a route of a host.
func (f *Finder) Route(l *plan.Listener, h *plan.Host, r *plan.Route) (Request, bool) {
	if x, ok := f.known[r]; ok {
		return x.Request, x.ok
	}
	var x found
	for _, path := range paths(&r.Rule.Path) {
		if x.Request, x.ok = f.reach(l, h, r, path); x.ok {
			break
		}
	}
	f.known[r] = x
	return x.Request, x.ok
}

// reach finds a request for a path that takes a route.
func (f *Finder) reach(l *plan.Listener, h *plan.Host, r *plan.Route, path string) (Request, bool) {
	for _, q := range f.At(l, h.Name, path) {
		q, who := Meet(q, r)
		if f.visit.Walk(f.Plan, &q, &who) && f.visit.Took(r) {
			return q, true
		}
	}
	return Request{}, false
}

// Meet gives a request what else a route asks for, and a caller that it takes.
func Meet(q Request, r *plan.Route) (Request, Caller) {
	who := Anonymous()
	for i := range r.Rule.All {
		c := &r.Rule.All[i]
		if c.Not {
			continue // it has none of that
		}
		value := ""
		if some := texts(&c.Text); len(some) > 0 {
			value = some[0]
		}
		q = give(q, c, value)
		if c.Attr == match.Claim {
			who = who.claiming(c.Path, value)
		}
	}
	return q, who
}

// give gives a request the part that a condition looks at.
func give(q Request, c *match.Condition, value string) Request {
	switch {
	case c.Attr == match.Method || c.Attr == match.Header && c.Name == ":method":
		q.Method = value
	case c.Attr == match.Authority || c.Attr == match.Header && (c.Name == "host" || c.Name == ":authority"):
		if c.Text.Match(q.Host, true) {
			break
		}
		q.Host = value
	case c.Attr == match.Query:
		q = q.withQuery(c.Name, value)
	case c.Attr == match.Header && !strings.HasPrefix(c.Name, ":"):
		q = q.With(c.Name, value)
	}
	return q
}

// eachRoute calls yield for every route of a listener.
func eachRoute(l *plan.Listener, yield func(*plan.Chain, *plan.Host, *plan.Route)) {
	for _, c := range l.Chains {
		for _, h := range c.Hosts {
			for _, r := range h.Routes {
				yield(c, h, r)
			}
		}
	}
}

// leads tells whether a condition of the edge takes a path, as far as its form tells.
func leads(t *match.Text, path string) bool {
	return t.Op == match.Regex || t.Match(path, true) || t.Op == match.Prefix && strings.HasPrefix(path+"/", t.Value)
}

// Concrete is a name that a host stands for: itself, or of a wildcard one, the other
// host's name if it can be that.
func Concrete(host, other string) string {
	switch {
	case !strings.HasPrefix(host, "*"):
		return host
	case other != "" && !strings.HasPrefix(other, "*") && Covers(host, other):
		return other
	case len(other) > len(host):
		return "any" + other[1:]
	case host == "*":
		return "any.example.com"
	}
	return "any" + host[1:]
}

// Covers tells whether a host of a listener stands for a name.
func Covers(host, name string) bool {
	if suffix, ok := strings.CutPrefix(host, "*"); ok {
		return strings.HasSuffix(name, suffix) && len(name) > len(suffix)
	}
	return host == name
}
