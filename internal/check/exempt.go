package check

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/witness"
)

// exemption is the paths that one operation of a rule leaves out (notPaths).
type exemption struct {
	rule  *plan.PolicyRule
	at    plan.Origin // its notPaths
	paths []string
	scope string // the operation's other conditions
}

// exemptions reads the operations of rules that leave out paths, or are about
// every path. One that names the paths it is about exempts none by omission.
func exemptions(rules []*plan.PolicyRule) []exemption {
	var all []exemption
	for _, r := range rules {
		if r.Never || r.Broken != "" {
			continue
		}
		if len(r.To) == 0 {
			all = append(all, exemption{rule: r, at: r.Origin})
		}
		for n, to := range r.To {
			x, named := exemption{rule: r, at: inside(r.Origin, ".to["+strconv.Itoa(n)+"].operation.notPaths")}, false
			var rest match.Conditions
			for i := range to {
				c := &to[i]
				if c.Fact != match.FactPath {
					rest = append(rest, *c)
					continue
				}
				named = named || len(c.Values) > 0
				for _, v := range c.NotValues {
					x.paths = append(x.paths, v.Written)
				}
			}
			if x.scope = rest.String(); !named {
				all = append(all, x)
			}
		}
	}
	return all
}

// exempts tells whether the exemption has a pattern, or a wider one.
func (x *exemption) exempts(pattern string) bool {
	for _, have := range x.paths {
		if wider(have, pattern) {
			return true
		}
	}
	return false
}

// wider tells whether pattern a of an AuthorizationPolicy's paths takes all that
// b takes.
func wider(a, b string) bool {
	if a == b || a == "*" {
		return true
	}
	if b == "*" || strings.Contains(a, "{*") {
		return false
	}
	if suffix, ok := strings.CutPrefix(a, "*"); ok {
		return (strings.HasPrefix(b, "*") || !strings.HasSuffix(b, "*")) && strings.HasSuffix(b, suffix)
	}
	if prefix, ok := strings.CutSuffix(a, "*"); ok {
		return !strings.HasPrefix(b, "*") && strings.HasPrefix(lead(b), prefix)
	}
	return false
}

// lead is the part of a pattern before its first star.
func lead(pattern string) string {
	if i := strings.Index(pattern, "{*"); i >= 0 {
		return pattern[:i]
	}
	if i := strings.IndexByte(pattern, '*'); i > 0 {
		return pattern[:i]
	}
	return pattern
}

// exemptInOnePolicy: who is asked to log in and who is asked for a token must be
// the same; what only one of two policies leaves out is still refused by the other.
func exemptInOnePolicy(p *Pass) {
	for _, shown := range []bool{true, false} { // a policy is for several listeners
		p.front(func(l *plan.Listener, g guarding) {
			logins, tokens := exemptions(g.logins), exemptions(g.tokenRules())
			for i := range logins {
				for j := range tokens {
					p.compareExempt(l, &logins[i], &tokens[j], "403 (RBAC: access denied), as nobody has a token there", shown)
					p.compareExempt(l, &tokens[j], &logins[i], "the login page of the platform, which is the wrong login page for it", shown)
				}
			}
		})
	}
}

// compareExempt reports on lacking what only has exempts; shown says whether that
// must show on some address, or must not.
func (p *Pass) compareExempt(l *plan.Listener, has, lacking *exemption, symptom string, shown bool) {
	if has.scope != lacking.scope || has.rule.Origin.Ref == lacking.rule.Origin.Ref {
		return
	}
	var missing []string
	for _, pattern := range has.paths {
		if !lacking.exempts(pattern) && !literalStars(pattern) {
			missing = append(missing, pattern)
		}
	}
	if len(missing) == 0 {
		return
	}
	severity, on, shows := problem.Warning, address{}, "; nothing is routed there"
	for _, pattern := range missing {
		if a, ok := p.refused(l, witness.PathOf(pattern), lacking.rule); ok {
			severity, on, shows = problem.Error, a, ": "+a.String()+" gets "+symptom
			break
		}
	}
	if (severity == problem.Error) != shown {
		return
	}
	list := strings.Join(missing, ", ")
	p.show(severity, lacking.at, on,
		list+" is exempt in "+has.rule.Origin.Ref.String()+" and not in "+lacking.rule.Origin.Ref.String()+shows,
		"add to notPaths of "+lacking.rule.Origin.Ref.String()+": ["+quoted(missing)+"]")
}

// refused finds an address of a path at which a rule stops whoever has neither
// login nor token, and members come through.
func (p *Pass) refused(l *plan.Listener, path string, by *plan.PolicyRule) (address, bool) {
	for _, c := range l.Chains {
		for _, h := range c.Hosts {
			for _, a := range p.addresses(l, h.Name, path) {
				if v := p.visit(a, visitor{}); v.Out.Kind == plan.ToRespond && v.Out.By.Ref == by.Origin.Ref {
					return a, true
				}
			}
		}
	}
	return address{}, false
}

// literalStars tells a pattern that takes only paths with a star in them.
func literalStars(pattern string) bool {
	if strings.Contains(pattern, "{*") {
		return false
	}
	rest, first := strings.CutPrefix(pattern, "*")
	if !first {
		rest = strings.TrimSuffix(pattern, "*")
	}
	return strings.Contains(rest, "*")
}

// eachExempt calls yield for every pattern that some login or token policy of a
// gateway exempts.
func (p *Pass) eachExempt(yield func(l *plan.Listener, x *exemption, pattern string, at plan.Origin)) {
	p.front(func(l *plan.Listener, g guarding) {
		all := exemptions(append(g.tokenRules(), g.logins...))
		for i := range all {
			for n, pattern := range all[i].paths {
				yield(l, &all[i], pattern, inside(all[i].at, "["+strconv.Itoa(n)+"]"))
			}
		}
	})
}

// exemptPathNotCovering: a pattern without a star is one path, so only the index
// page of an application is exempt.
func exemptPathNotCovering(p *Pass) {
	p.eachExempt(func(l *plan.Listener, x *exemption, pattern string, at plan.Origin) {
		if strings.Contains(pattern, "*") || pattern == "/" {
			return
		}
		p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
			_, forwards := r.Action.(*plan.Forward)
			prefix := r.Rule.Path.Value
			if !forwards || r.Rule.Path.Op != match.Prefix || strings.TrimSuffix(prefix, "/") != strings.TrimSuffix(pattern, "/") {
				return
			}
			all := strings.TrimSuffix(prefix, "/") + "/*"
			if x.exempts(all) {
				return
			}
			a, _ := p.way(l, h, r)
			a.path = witness.PathOf(all) + "x"
			p.show(problem.Warning, at, a,
				"only the path "+pattern+" itself is exempt, not what "+r.Origin.Ref.String()+" serves below it, such as "+a.path,
				"write "+all+" in notPaths")
		})
	})
}

// exemptPatternTooBroad: a pattern takes paths of an application that nobody
// meant to open.
func exemptPatternTooBroad(p *Pass) {
	p.eachExempt(func(l *plan.Listener, _ *exemption, pattern string, at plan.Origin) {
		if suffix, ok := strings.CutPrefix(pattern, "*"); ok && suffix != "" && !strings.Contains(suffix, "*") {
			p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
				a, found := p.way(l, h, r)
				if !found || r.Rule.Path.Op != match.Prefix {
					return
				}
				a.path = strings.TrimSuffix(a.path, "/") + "/x" + suffix
				if !p.visit(a, visitor{}).took(r) {
					return
				}
				p.show(problem.Warning, at, a,
					pattern+" exempts every path that ends so, of any application: "+a.String()+" needs no login",
					"list the paths in full")
			})
			return
		}
		stem, open := strings.CutSuffix(pattern, "*")
		if !open || literalStars(pattern) || strings.Contains(stem, "{") || strings.HasSuffix(stem, "/") || stem == "" {
			return
		}
		p.onRoutes(l, func(h *plan.Host, r *plan.Route) {
			path := &r.Rule.Path
			rest, begins := strings.CutPrefix(path.Value, stem)
			if path.Op != match.Prefix && path.Op != match.Exact || !begins || rest == "" || rest[0] == '/' {
				return
			}
			a, _ := p.way(l, h, r)
			p.show(problem.Warning, at, a,
				pattern+" also exempts "+path.Value+" of "+r.Origin.Ref.String()+", which loses its login too",
				"write "+stem+"/* (and "+stem+") in notPaths")
		})
	})
}

// onRoutes calls yield for every route of a listener.
func (p *Pass) onRoutes(l *plan.Listener, yield func(*plan.Host, *plan.Route)) {
	for _, c := range l.Chains {
		for _, h := range c.Hosts {
			for _, r := range h.Routes {
				yield(h, r)
			}
		}
	}
}

// inside is a field of what an origin names.
func inside(o plan.Origin, field string) plan.Origin {
	o.Field += field
	return o
}

// quoted lists values as YAML.
func quoted(values []string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = strconv.Quote(v)
	}
	return strings.Join(all, ", ")
}
