package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// rewritten is the prefix that a route rewrites, and with what. It is false for
// any other route.
func rewritten(r *plan.Route) (prefix, with string, ok bool) {
	f, forwards := r.Action.(*plan.Forward)
	if !forwards || f.Rewrite == nil || f.Rewrite.Regex != nil || f.Rewrite.Whole || r.Rule.Path.Op != match.Prefix {
		return "", "", false
	}
	return r.Rule.Path.Value, f.Rewrite.With, true
}

// rewriteSlashMismatch: a prefix and what replaces it end differently, so the
// path of the application gets a slash too many or one too few.
func rewriteSlashMismatch(p *Pass) {
	p.routes(func(l *plan.Listener, h *plan.Host, r *plan.Route) {
		prefix, with, ok := rewritten(r)
		if !ok || strings.HasSuffix(prefix, "/") == strings.HasSuffix(with, "/") {
			return
		}
		long, short := strings.TrimSuffix(prefix, "/")+"/", strings.TrimSuffix(prefix, "/")
		to := with + long[len(prefix):] + "x"
		p.onRoute(l, h, r, problem.Warning, field(r, ".uri.prefix"),
			"prefix "+strconv.Quote(prefix)+" and rewrite "+strconv.Quote(with)+" differ in the slash at their end: "+long+"x is sent on as "+to,
			"write prefix: "+long+" with rewrite: "+strings.TrimSuffix(with, "/")+"/, and an exact match for "+short)
	})
}

// forwardedPrefixMissing: an application cannot know under which prefix it is
// seen when that is taken away and no header tells it.
func forwardedPrefixMissing(p *Pass) {
	p.routes(func(l *plan.Listener, h *plan.Host, r *plan.Route) {
		prefix, with, ok := rewritten(r)
		if !ok || prefix == "/" || prefix == with || setsHeader(r, "x-forwarded-prefix") {
			return
		}
		name := strings.TrimSuffix(strings.TrimSuffix(prefix, with), "/") // /outside, where /outside/a/ becomes /a/
		p.onRoute(l, h, r, problem.Info, rule(r), name+" is taken away from the path and no header tells the application of it; links and redirects that it makes lack it",
			"headers: {request: {set: {X-Forwarded-Prefix: "+name+"}}}")
	})
}

// setsHeader tells whether a route sets a request header.
func setsHeader(r *plan.Route, name string) bool {
	has := func(h *plan.Headers) bool {
		if h == nil {
			return false
		}
		for _, list := range [][]plan.HeaderValue{h.Request.Set, h.Request.Add} {
			for _, v := range list {
				if v.Name == name {
					return true
				}
			}
		}
		return false
	}
	for _, f := range r.Filters {
		if h, ok := f.(*plan.HeaderRoute); ok && has(&h.Headers) {
			return true
		}
	}
	f, ok := r.Action.(*plan.Forward)
	if !ok {
		return false
	}
	for i := range f.To {
		if !has(f.To[i].Headers) {
			return false
		}
	}
	return len(f.To) > 0
}

// prefixRedirectMissing: without an answer for /a a prefix /a/ leaves those who
// type its name with 404.
func prefixRedirectMissing(p *Pass) {
	p.hosts(func(l *plan.Listener, h *plan.Host) {
		taken := takers(h)
		for _, r := range h.Routes {
			path := r.Rule.Path
			short, slash := strings.CutSuffix(path.Value, "/")
			if r.Origin.Ref.Kind != "VirtualService" || path.Op != match.Prefix || !slash || short == "" || taken(short) {
				continue
			}
			p.show(problem.Info, field(r, ".uri.prefix"), p.first(l, h.Name, short), "nothing takes "+short+" itself, which answers 404; only what is below "+path.Value+" is served",
				"add before it: - match: [{uri: {exact: "+short+"}}]\n  redirect: {uri: "+path.Value+"}")
		}
	})
}

// takers tells whether some route of a host takes a path, whatever its other
// conditions.
func takers(h *plan.Host) func(path string) bool {
	exact, prefix := map[string]bool{}, map[string]bool{}
	var rest []*match.Text
	for _, r := range h.Routes {
		t := &r.Rule.Path
		switch {
		case r.Origin.Ref.Kind != "VirtualService":
		case t.Op == match.Exact && !t.IgnoreCase:
			exact[t.Value] = true
		case t.Op == match.Prefix && !t.IgnoreCase:
			prefix[t.Value] = true
		default:
			rest = append(rest, t)
		}
	}
	return func(path string) bool {
		if exact[path] {
			return true
		}
		for i := 0; i <= len(path); i++ {
			if prefix[path[:i]] {
				return true
			}
		}
		for _, t := range rest {
			if t.Match(path, true) {
				return true
			}
		}
		return false
	}
}

// field is a field of a route's condition; without a condition, of its rule.
func field(r *plan.Route, name string) plan.Origin {
	o := r.Origin
	if strings.Contains(o.Field, ".match[") {
		o.Field += name
	}
	return o
}

// rule is the rule that a route was made of, without the condition.
func rule(r *plan.Route) plan.Origin {
	o := r.Origin
	o.Field, _, _ = strings.Cut(o.Field, ".match[")
	return o
}
