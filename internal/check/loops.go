package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// redirectLoopSelf: who follows a redirect comes back to where he was.
func redirectLoopSelf(p *Pass) {
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		for _, r := range h.Routes {
			if _, ok := r.Action.(*plan.Redirect); !ok || r.Origin.Ref.Kind != "VirtualService" {
				continue
			}
			for _, sample := range samples(l, h, r) {
				if way := loop(l, h, r, sample); way != nil {
					p.onRoute(l, h, r, problem.Error, rule(r), "the redirect leads back to itself: "+strings.Join(way, " to "),
						"match exact: "+strconv.Quote(strings.TrimSuffix(r.Rule.Path.Value, "/"))+" in the redirect rule")
					break
				}
			}
		}
	})
}

// samples are requests that a route takes, as far as they are easily made.
func samples(l *plan.Listener, h *plan.Host, r *plan.Route) []*match.Request {
	lead, _ := r.Rule.Path.Lead()
	if !strings.HasPrefix(lead, "/") {
		lead = "/"
	}
	var all []*match.Request
	for _, path := range []string{lead, lead + "x", strings.TrimSuffix(lead, "/") + "/x"} {
		for _, scheme := range []string{"https", "http"} {
			q := &match.Request{Method: "GET", Scheme: scheme, Host: sampleHost(h.Name), Target: path, Secure: l.TLS()}
			for i := range r.Rule.All {
				fulfil(q, &r.Rule.All[i])
			}
			if q.Normalise(l.Form) && r.Rule.Match(q) {
				all = append(all, q)
			}
		}
	}
	return all
}

// fulfil makes a request that a simple condition holds for.
func fulfil(q *match.Request, c *match.Condition) {
	value := c.Text.Value
	if c.Not || c.Text.Op == match.Regex {
		return
	}
	switch c.Attr {
	case match.Method:
		q.Method = value
	case match.Authority:
		q.Host = value
	case match.Header:
		q.Header.Set(c.Name, value)
	case match.Query:
		q.Target += "?" + c.Name + "=" + value
	}
}

// sampleHost is a host name that a virtual host takes.
func sampleHost(name string) string {
	switch {
	case name == "*":
		return "any.example"
	case strings.HasPrefix(name, "*"):
		return "any" + name[1:]
	}
	return name
}

// loop follows the redirects of a host from a request that r is made for, and
// returns the URLs of the way if it comes back to one.
func loop(l *plan.Listener, h *plan.Host, r *plan.Route, q *match.Request) []string {
	var way []string
	seen := map[string]bool{}
	for range 10 {
		url := q.Scheme + "://" + q.Host + q.Target
		way = append(way, url)
		if seen[url] {
			return way
		}
		seen[url] = true
		route := h.Find(q)
		if route == nil || len(way) == 1 && route != r {
			return nil
		}
		d, ok := route.Action.(*plan.Redirect)
		if !ok {
			return nil
		}
		next := *q
		scheme, rest, ok := strings.Cut(d.Location(q), "://")
		i := strings.IndexByte(rest, '/')
		if !ok || i < 0 || match.HostName(rest[:i]) != match.HostName(q.Host) {
			return nil
		}
		next.Scheme, next.Host, next.Target = scheme, rest[:i], rest[i:]
		if !next.Normalise(l.Form) {
			return nil
		}
		q = &next
	}
	return nil
}
