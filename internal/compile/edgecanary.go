package compile

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// canary is what the annotations of an Ingress ask for that only offers a second
// backend for the paths of another.
type canary struct {
	on                     bool
	weight, total          int
	header, value, pattern string
	cookie                 string
}

var (
	basicChars   = regexp.MustCompile(`^[-._~a-zA-Z0-9/: ]*$`)
	patternChars = regexp.MustCompile(`^[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]*$`)
)

// set reads one annotation.
func (c *canary) set(name, value string) (ok, known bool) {
	text := func(to *string, form *regexp.Regexp) bool {
		ok := form.MatchString(value)
		if ok {
			*to = value
		}
		return ok
	}
	whole := func(to *int) bool {
		n, err := strconv.Atoi(value)
		if err == nil {
			*to = n
		}
		return err == nil
	}
	switch name {
	case "canary":
		ok = truth(value, &c.on)
	case "canary-weight":
		ok = whole(&c.weight)
	case "canary-weight-total":
		ok = whole(&c.total)
	case "canary-by-header":
		ok = text(&c.header, basicChars)
	case "canary-by-header-value":
		ok = text(&c.value, basicChars)
	case "canary-by-header-pattern":
		_, err := match.NewRegex(value)
		ok = err == nil && text(&c.pattern, patternChars)
	case "canary-by-cookie":
		ok = text(&c.cookie, basicChars)
	default:
		return false, false
	}
	return ok, true
}

// joinCanaries gives the paths of canary Ingresses to the locations of the same
// host, path and type; the first canary of a location keeps it (ingress-nginx,
// mergeAlternativeBackends, which joins upstreams, so that a canary shows at
// every path of the Service).
func (e *edge) joinCanaries() {
	for _, ing := range e.canaries {
		for i, r := range ing.item.Object.Spec.Rules {
			if r.HTTP == nil {
				continue
			}
			for j := range r.HTTP.Paths {
				e.joinCanary(ing, hostName(r.Host), &r.HTTP.Paths[j], pathField(i, j))
			}
		}
	}
}

func (e *edge) joinCanary(ing *ingress, host string, p *netv1.HTTPIngressPath, field string) {
	tell := func(why, remedy string) {
		e.c.problemAs(problem.Warning, problem.IngressHostPathConflict, ing.item.Ref, ing.item.Origin, field, why+"; the canary gets no request there", remedy)
	}
	path, exact := cmp.Or(p.Path, "/"), p.PathType != nil && *p.PathType == netv1.PathTypeExact
	var main *location
	if h := e.hosts[host]; h != nil {
		if main = h.taken[locationKey{path, exact}]; main == nil && path == "/" && !exact && h.rest.written {
			main = h.rest
		}
	}
	switch {
	case p.Backend.Service == nil:
		tell("the backend is no Service", "name a Service as the backend")
	case main == nil:
		tell("no other Ingress has the path "+path+" of host "+host+" with this type", "give the main Ingress the same host, path and pathType")
	case main.canary != nil:
		tell("the path already has the canary "+main.canary.ingress.origin(main.canary.field).String(), "remove one of the two canaries")
	case main.ingress.item.Ref.Namespace == ing.item.Ref.Namespace && main.backend.Service.String() == p.Backend.Service.String():
		tell("the canary has the same Service as the main Ingress", "name another Service")
	default:
		main.canary = &location{path: path, exact: exact, ingress: ing, backend: &p.Backend, field: field, backendField: field + ".backend"}
	}
}

// withCanary makes of a finished route those that share its requests with its
// canary: by header, then by cookie, the rest by weight (ingress-nginx,
// route_to_alternative_balancer). A backend without endpoints shares nothing.
func (e *edge) withCanary(r *plan.Route, l *location, protocol string) []*plan.Route {
	main, ok := r.Action.(*plan.Forward)
	if l.canary == nil || !ok || !serves(main.To[0].Backend) {
		return []*plan.Route{r}
	}
	second := plan.Destination{Backend: e.backend(l.canary, protocol), Weight: 1, Origin: l.canary.ingress.origin(l.canary.field)}
	if !serves(second.Backend) {
		return []*plan.Route{r}
	}
	c := l.canary.ingress.canary
	var routes []*plan.Route
	add := func(to plan.Destination, conditions ...match.Condition) {
		x, f := *r, *main
		f.To = []plan.Destination{to}
		x.Rule.All = append(slices.Clip(r.Rule.All), conditions...)
		x.Place = r.Place + "; of one path the canary's header, its cookie, then its weight"
		x.Action = &f
		routes = append(routes, &x)
	}
	if c.header != "" {
		header := func(t match.Text) match.Condition {
			return match.Condition{Attr: match.Header, Name: strings.ToLower(c.header), Text: t}
		}
		exact := func(v string) match.Text { return match.Text{Op: match.Exact, Value: v} }
		switch {
		case c.value != "":
			add(second, header(exact(c.value)))
		case c.pattern != "":
			if t, err := match.NewRegex("(?s:.*)(?:" + c.pattern + ")(?s:.*)"); err == nil {
				add(second, header(t))
			}
		default:
			add(second, header(exact("always")))
			add(main.To[0], header(exact("never")))
		}
	}
	if c.cookie != "" {
		cookie := func(value string) match.Condition {
			t, _ := match.NewRegex("(?i)(.*[;,] *)?" + regexp.QuoteMeta(c.cookie) + "=(?-i:" + value + ")([;,].*)?")
			return match.Condition{Attr: match.Header, Name: "cookie", Text: t}
		}
		add(second, cookie("always"))
		add(main.To[0], cookie("never"))
	}
	total := max(c.total, 100)
	if w := min(max(c.weight, 0), total); w > 0 {
		first := main.To[0]
		first.Weight, second.Weight = uint32(total-w), uint32(w)
		main.To = []plan.Destination{second, first}
	}
	return append(routes, r)
}

// serves tells whether requests can go to a backend.
func serves(b *plan.Backend) bool {
	return b.Missing == "" && (b.Next != nil || len(b.Endpoints) > 0)
}
