package compile

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// redirects are what the annotations of an Ingress ask for about redirects.
type redirects struct {
	permanent, temporal         string // URLs
	permanentCode, temporalCode int    // 0: as NGINX does
	appRoot                     string
	www                         bool // from-to-www-redirect
	relative                    bool // relative-redirects
}

var (
	// redirectURL are the letters of a URL that annotations may redirect to
	// (ingress-nginx, parser.URLIsValidRegex).
	redirectURL = regexp.MustCompile(`^[-._~a-zA-Z0-9/:,?&=]*$`)
	// rootPath are those of app-root. "$" is let out: a variable would be empty.
	rootPath = regexp.MustCompile(`^/[-._~a-zA-Z0-9/:]*$`)
)

// set reads one annotation.
func (r *redirects) set(name, value string) (ok, known bool) {
	switch name {
	case "permanent-redirect":
		r.permanent, ok = value, redirectURL.MatchString(value)
	case "temporal-redirect":
		if ok = redirectURL.MatchString(value); ok {
			if u, err := url.Parse(value); err == nil && strings.HasPrefix(u.Scheme, "http") {
				r.temporal = value
			}
		}
	case "permanent-redirect-code":
		ok = redirectCode(value, 308, &r.permanentCode)
	case "temporal-redirect-code":
		ok = redirectCode(value, 307, &r.temporalCode)
	case "from-to-www-redirect":
		ok = truth(value, &r.www)
	case "app-root":
		if ok = rootPath.MatchString(value); ok {
			r.appRoot = value
		}
	default:
		return false, false
	}
	return ok, true
}

// redirectCode reads the status of a redirect; one out of range counts as none.
func redirectCode(s string, last int, to *int) bool {
	n, err := strconv.Atoi(s)
	if err == nil && 300 <= n && n <= last {
		*to = n
	}
	return err == nil
}

// away is the action that sends all requests of an Ingress to another URL, or nil.
// The temporal one wins.
func (r *redirects) away() plan.Action {
	to, code := r.permanent, cmp.Or(r.permanentCode, 301)
	if r.temporal != "" {
		to, code = r.temporal, cmp.Or(r.temporalCode, 302)
	}
	switch {
	case to == "":
		return nil
	case code == 300 || code > 303 && code < 307: // to NGINX's return no redirect, but a text
		d := &plan.Direct{Status: code, Body: to, Reason: "the Ingress answers so"}
		d.Header.Add("content-type", "text/html")
		return d
	}
	return &plan.Redirect{Code: code, URL: to, Relative: r.relative}
}

// appRoot is the route of a host that sends "/" to its app-root, or nil. Any
// Ingress of the host may set it; that of the first location counts (template,
// SERVER: the test stands before all locations).
func (e *edge) appRoot(paths []edgePath) *plan.Route {
	for _, p := range paths {
		if p.ingress == nil || p.ingress.appRoot == "" {
			continue
		}
		r := &plan.Route{Origin: p.ingress.origin(annotationField("app-root")), Place: "app-root: before all paths",
			Action: &plan.Redirect{Code: 302, Path: p.ingress.appRoot, NoQuery: true}}
		r.Rule.Path = match.Text{Op: match.Exact, Value: "/"}
		return r
	}
	return nil
}

// twins are the hosts with, or without, "www." of those whose Ingresses ask for
// from-to-www-redirect. A host that rules name is never one (BuildRedirects).
func (e *edge) twins() []*edgeHost {
	var twins []*edgeHost
	for _, name := range sortedKeys(e.hosts) {
		h := e.hosts[name]
		by := h.wwwRedirect()
		if by == nil || strings.HasPrefix(name, "*") {
			continue
		}
		from, ok := strings.CutPrefix(name, "www.")
		if !ok {
			from = "www." + name
		}
		if e.hosts[from] != nil {
			e.c.problem(problem.IngressHostPathConflict, by.item.Ref, by.item.Origin, annotationField("from-to-www-redirect"),
				from+" has rules of its own, so it is not redirected to "+name, "remove the annotation, or the rules of "+from)
			continue
		}
		t := &edgeHost{name: from, twinOf: name, secure: h.secure, rest: &location{path: "/", ingress: by, field: annotationField("from-to-www-redirect")}}
		if h.certificate != nil && covers(h.certificate, from) == nil {
			t.certificate = h.certificate
		}
		twins = append(twins, t)
	}
	return twins
}

// wwwRedirect is the Ingress with from-to-www-redirect that has a path of the host.
func (h *edgeHost) wwwRedirect() *ingress {
	all := append(slices.Clone(h.locations), h.rest)
	i := slices.IndexFunc(all, func(l *location) bool { return l.ingress != nil && l.ingress.www && l.written })
	if i < 0 {
		return nil
	}
	return all[i].ingress
}

// twinRoutes send every request of a twin to its host.
func (e *edge) twinRoutes(t *edgeHost) []*plan.Route {
	origin := t.rest.ingress.origin(t.rest.field)
	return []*plan.Route{{Origin: origin,
		Guards: []plan.Guard{&plan.NameRedirect{Code: e.config.redirectCode, Host: t.twinOf, Origin: origin}},
		Action: &plan.Direct{Status: 404, Reason: "every request is redirected"}}}
}
