package compile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// edgePath is a rule of the edge: one exact path or one prefix.
type edgePath struct {
	path  string
	exact bool
	*location
	// slash answers 301 with the path and a slash: the location takes only what
	// is below.
	slash bool
	// status, if set, is the answer of the edge itself.
	status int
}

// routes are the routes of a host: the longest path first, an exact one before
// the prefix of its length (NGINX's choice of a location, told as an order).
func (e *edge) routes(h *edgeHost) []*plan.Route {
	if h.twinOf != "" {
		return e.twinRoutes(h)
	}
	if h.patterned() {
		return e.patternRoutes(h)
	}
	paths := e.cut(h)
	slices.SortStableFunc(paths, func(a, b edgePath) int {
		exact := func(p edgePath) int {
			if p.exact {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), exact(a)-exact(b), cmp.Compare(a.path, b.path))
	})
	routes := make([]*plan.Route, 0, len(paths)+1)
	if r := e.appRoot(paths); r != nil {
		routes = append(routes, r)
	}
	for _, p := range paths {
		r := &plan.Route{Place: "the longest path first, an exact one before a prefix"}
		r.Rule.Path = match.Text{Op: match.Prefix, Value: p.path}
		if p.exact {
			r.Rule.Path.Op = match.Exact
		}
		routes = append(routes, e.route(h, r, p)...)
	}
	return routes
}

// cut makes exact and prefix rules of the locations: Prefix /foo covers /foo
// and what is below /foo/ (ingress-nginx, updateServerLocations). A location
// that ends in a slash answers its path without it with 301 where nothing else
// covers just that (NGINX, auto_redirect).
func (e *edge) cut(h *edgeHost) []edgePath {
	taken := map[locationKey]*location{}
	var paths []edgePath
	add := func(p edgePath) {
		k := locationKey{p.path, p.exact}
		if winner := taken[k]; winner != nil {
			if !p.slash {
				e.conflict(p.ingress, p.field, winner, h.name+p.path)
			}
			return
		}
		taken[k] = p.location
		paths = append(paths, p)
	}
	for _, l := range h.locations {
		if l.exact {
			add(edgePath{path: l.path, exact: true, location: l})
		}
	}
	for _, l := range h.locations {
		if l.exact {
			continue
		}
		if taken[locationKey{l.path, true}] == nil {
			add(edgePath{path: l.path, exact: true, location: l})
		}
		add(edgePath{path: strings.TrimSuffix(l.path, "/") + "/", location: l})
	}
	add(edgePath{path: "/", location: h.rest})
	for _, p := range paths {
		if short, ok := strings.CutSuffix(p.path, "/"); ok && short != "" && e.whyClosed(p.location) == "" {
			add(edgePath{path: short, exact: true, location: p.location, slash: true})
		}
	}
	if h.name == anyHost {
		paths = append(paths, edgePath{path: "/healthz", location: &location{}, status: 200},
			edgePath{path: "/nginx_status", location: &location{}, status: 403})
	}
	return paths
}

// whyClosed tells why a location may answer only 503, or "".
func (e *edge) whyClosed(l *location) string {
	switch {
	case l.ingress == nil:
		return ""
	case l.ingress.closed != "":
		return l.ingress.closed
	}
	return e.config.closed
}

// route finishes the route of one rule; AUTO_HTTP needs two, by the scheme.
func (e *edge) route(h *edgeHost, r *plan.Route, p edgePath) []*plan.Route {
	s := &e.config.settings
	if p.ingress != nil {
		s = &p.ingress.settings
		r.Origin = p.ingress.origin(p.field)
	}
	closed := e.whyClosed(p.location)
	if size := s.bodySize; closed != "" {
		r.Guards = append(r.Guards, &plan.BodyLimit{Bytes: defaultBodySize, Origin: r.Origin})
	} else if size >= 0 {
		r.Guards = append(r.Guards, &plan.BodyLimit{Bytes: size, Origin: r.Origin})
	}
	switch {
	case p.status != 0:
		r.Action = &plan.Direct{Status: p.status, Reason: "the edge's own answer for " + p.path}
		return []*plan.Route{r}
	case closed != "":
		r.Action = &plan.Direct{Status: 503, Reason: closed}
		return []*plan.Route{r}
	case p.slash:
		r.Action = &plan.Redirect{Code: 301, Path: match.EscapeNGINX(p.path) + "/", AddSlash: true, Relative: s.relative}
		return []*plan.Route{r}
	}
	if g := s.cors.guard(); g != nil {
		r.Guards, r.Filters = append(r.Guards, g), append(r.Filters, g)
	}
	if p.ingress != nil && len(p.ingress.answer) > 0 {
		r.Filters = append(r.Filters, &plan.AnswerHeaders{Set: p.ingress.answer})
	}
	if away := s.away(); away != nil && p.ingress != nil && !p.bare {
		r.Action = away
		return []*plan.Route{r}
	}
	if g := e.httpsRedirect(h, p, s); g != nil {
		g.Origin = r.Origin
		r.Guards = append(r.Guards, g)
	}
	if p.ingress != nil && p.ingress.users != nil && !e.config.listed(e.config.noAuth, p.path) {
		// The application does not learn the password (template: Authorization "").
		r.Filters = append(r.Filters, &plan.HeaderRoute{Headers: plan.Headers{Request: plan.HeaderEdits{Remove: []string{"authorization"}}}})
	}
	if p.backend == nil {
		r.Guards = append(r.Guards, e.access(h, p.ingress, p.path, s, nil, r.Origin)...)
		r.Action = &plan.Direct{Status: 404, Reason: "no rule of host " + h.name + " covers the path"}
		return []*plan.Route{r}
	}
	return e.forward(h, r, p, s)
}

// httpsRedirect is the guard of a location that sends plain requests to https,
// or nil. Challenges of ACME stay plain where a rule names their path.
func (e *edge) httpsRedirect(h *edgeHost, p edgePath, s *settings) *plan.HTTPSRedirect {
	if p.ingress == nil || p.bare {
		return nil
	}
	if e.config.listed(e.config.noRedirect, p.path) {
		return nil
	}
	why := ""
	switch {
	case s.forceSSLRedirect:
		why = "force-ssl-redirect"
	case s.sslRedirect && e.certified(h):
		why = "the host has a certificate"
	default:
		return nil
	}
	g := &plan.HTTPSRedirect{Code: e.config.redirectCode, KeepSlash: s.keepSlash, Why: why}
	if s.portInRedirects {
		g.Port = cmp.Or(e.c.opts.HTTPSPort, 443)
	}
	return g
}

// forward makes the route forward to its Service.
func (e *edge) forward(h *edgeHost, r *plan.Route, p edgePath, s *settings) []*plan.Route {
	to := func(protocol string) *plan.Forward {
		b := e.backend(p.location, protocol)
		return &plan.Forward{
			To:      []plan.Destination{{Backend: b, Weight: 1, Origin: r.Origin}},
			Limits:  plan.Limits{Connect: s.connect, Send: s.send, Read: s.read},
			Retry:   s.retry,
			Host:    e.upstreamHost(p.location, s),
			Rewrite: e.rewrite(p, s),
		}
	}
	finish := func(r *plan.Route, protocol string) {
		f := to(protocol)
		if p.ingress.defaultBackend != "" && !serves(f.To[0].Backend) {
			if b := e.standIn(p.location); b != nil {
				f.To[0].Backend = b
				r.Filters = append(slices.Clip(r.Filters), p.location.told())
			}
		}
		r.Guards = append(slices.Clip(r.Guards), e.access(h, p.ingress, p.path, s, f.To[0].Backend, r.Origin)...)
		r.Action = f
	}
	if s.protocol != autoHTTP {
		finish(r, s.protocol)
		return e.withCanary(r, p.location, s.protocol)
	}
	secure := *r
	secure.Rule.All = []match.Condition{{Attr: match.Scheme, Text: match.Text{Op: match.Exact, Value: "https"}}}
	finish(&secure, overTLS)
	finish(r, plainHTTP)
	return append(e.withCanary(&secure, p.location, overTLS), e.withCanary(r, p.location, plainHTTP)...)
}

// upstreamHost is the Host that upstream-vhost gives requests, "" for the client's.
// Of NGINX's variables those count that the location knows.
func (e *edge) upstreamHost(l *location, s *settings) string {
	if !strings.Contains(s.vhost, "$") {
		return s.vhost
	}
	switch s.vhost {
	case "$host", "$http_host", "$best_http_host":
		return ""
	}
	svc := l.backend.Service
	port := svc.Port.Name
	if svc.Port.Number != 0 {
		port = strconv.Itoa(int(svc.Port.Number))
	}
	item := l.ingress.item
	host := strings.NewReplacer("$namespace", item.Ref.Namespace, "$ingress_name", item.Ref.Name,
		"$service_name", svc.Name, "$service_port", port).Replace(s.vhost)
	if strings.Contains(host, "$") {
		e.c.problem(problem.NotCarriedOut, item.Ref, item.Origin, annotationField("upstream-vhost"),
			"the variables of "+strconv.Quote(s.vhost)+" are not known; requests keep the client's Host",
			"use $service_name, $service_port, $namespace and $ingress_name only")
		return ""
	}
	return host
}
