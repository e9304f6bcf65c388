package compile

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// patterns are what the annotations of an Ingress ask for about paths as patterns.
type patterns struct {
	useRegex        bool
	target          string // rewrite-target
	forwardedPrefix string // x-forwarded-prefix
}

// captures are the letters of a path with groups (ingress-nginx, parser.RegexPathWithCapture).
var captures = regexp.MustCompile(`^/?[-._~a-zA-Z0-9/:$]*$`)

// set reads one annotation.
func (p *patterns) set(name, value string) (ok, known bool) {
	switch name {
	case "use-regex":
		ok = truth(value, &p.useRegex)
	case "rewrite-target":
		if ok = captures.MatchString(value); ok {
			p.target = value
		}
	case "x-forwarded-prefix":
		p.forwardedPrefix, ok = value, captures.MatchString(strings.ReplaceAll(value, " ", ""))
	default:
		return false, false
	}
	return ok, true
}

// asPattern tells whether the location has its whole host matched by patterns
// (ingress-nginx, enforceRegexModifier).
func (l *location) asPattern() bool {
	return l.ingress != nil && !l.bare && (l.ingress.useRegex || l.ingress.target != "" && l.ingress.target != l.path)
}

// patterned tells whether every path of the host is a pattern: one Ingress that
// asks for it decides for all of them.
func (h *edgeHost) patterned() bool {
	return h.rest.asPattern() || slices.ContainsFunc(h.locations, (*location).asPattern)
}

// patternRoutes are the routes of a host in pattern mode: the longest path as it
// was written first, of one length the last by its letters (ingress-nginx,
// getBackendServers and, for paths that are no patterns, updateServerLocations).
func (e *edge) patternRoutes(h *edgeHost) []*plan.Route {
	locations := append([]*location{h.rest}, h.locations...)
	slices.SortStableFunc(locations, func(a, b *location) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(b.path, a.path))
	})
	var paths []edgePath
	for _, l := range locations {
		if l.path == "/" || l.exact || l.asPattern() {
			paths = append(paths, edgePath{path: l.path, location: l})
			continue
		}
		paths = append(paths, edgePath{path: strings.TrimSuffix(l.path, "/") + "/", location: l})
		if h.taken[locationKey{l.path, true}] == nil {
			paths = append(paths, edgePath{path: l.path, location: l})
		}
	}
	var routes []*plan.Route
	if r := e.appRoot(paths); r != nil {
		routes = append(routes, r)
	}
	for _, p := range paths {
		r := &plan.Route{Place: "the longest path first; use-regex or rewrite-target makes every path of the host a pattern"}
		var err error
		if r.Rule.Path, err = match.NewPattern(p.path); err != nil {
			routes = append(routes, e.unreadable(r, p, err))
			continue
		}
		routes = append(routes, e.route(h, r, p)...)
	}
	return routes
}

// unreadable closes what begins as a pattern does that cannot be read.
func (e *edge) unreadable(r *plan.Route, p edgePath, err error) *plan.Route {
	ing := p.ingress
	why := "the pattern " + p.path + " cannot be read: " + err.Error()
	e.c.problem(problem.Schema, ing.item.Ref, ing.item.Origin, p.field+".path", why+"; what begins as it does answers 503",
		"write it without look-around, back-references and possessive quantifiers: the syntax is RE2")
	lead := p.path
	if i := strings.IndexAny(lead, `\.+*?()|[]{}^$`); i >= 0 {
		lead = lead[:max(i-1, 1)] // the letter before may be an optional one
	}
	r.Origin = ing.origin(p.field)
	r.Rule.Path = match.Text{Op: match.Prefix, Value: lead, IgnoreCase: true}
	r.Action = &plan.Direct{Status: 503, Reason: why}
	return r
}

// variables are what NGINX would put something else for.
var variables = regexp.MustCompile(`\$[^0-9]|\$$`)

// unknownVariables tells why the rewrite of an Ingress cannot be carried out, or "".
func (p *patterns) unknownVariables() string {
	for _, v := range []string{p.target, p.forwardedPrefix} {
		if variables.MatchString(v) {
			return v + " holds another variable than $1 to $9"
		}
	}
	return ""
}

// rewrite is what a location makes of the path, or nil.
func (e *edge) rewrite(p edgePath, s *settings) *plan.Rewrite {
	if s.target == "" || s.target == p.path || p.bare {
		return nil
	}
	re, err := regexp.Compile("(?i)" + p.path)
	if err != nil {
		re = regexp.MustCompile("(?i)" + regexp.QuoteMeta(p.path)) // a path of a host without patterns
	}
	return &plan.Rewrite{Regex: re, First: true, With: groups(s.target), ForwardedPrefix: groups(s.forwardedPrefix)}
}

// groups writes NGINX's $1 as Go's ${1}.
func groups(s string) string { return oneGroup.ReplaceAllString(s, "$${$1}") }

var oneGroup = regexp.MustCompile(`\$([0-9])`)
