package compile

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// authURL is what the annotations of an Ingress ask for about external
// authentication.
type authURL struct {
	url, method     string
	signin, param   string
	answerHeaders   []string // auth-response-headers, in lower case
	requestRedirect string
	any             bool // satisfy: any
}

var (
	variableURL = regexp.MustCompile(`^[-._~a-zA-Z0-9/:,?&=$ ]*$`)
	authMethod  = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|CONNECT|OPTIONS|TRACE)$`)
)

// set reads one annotation.
func (a *authURL) set(name, value string) (ok, known bool) {
	text := func(to *string, form *regexp.Regexp) bool {
		ok := form.MatchString(value)
		if ok {
			*to = value
		}
		return ok
	}
	switch name {
	case "auth-url":
		ok = text(&a.url, variableURL)
	case "auth-method":
		ok = text(&a.method, authMethod)
	case "auth-signin":
		ok = text(&a.signin, variableURL)
	case "auth-signin-redirect-param":
		ok = text(&a.param, redirectURL)
	case "auth-request-redirect":
		ok = text(&a.requestRedirect, redirectURL)
	case "auth-response-headers":
		if ok = corsHeaders.MatchString(value); ok {
			for _, h := range list(value) {
				ok = ok && answerHeader.MatchString(h)
				a.answerHeaders = append(a.answerHeaders, strings.ToLower(h))
			}
		}
	case "satisfy":
		if ok = value == "any" || value == "all"; ok {
			a.any = value == "any"
		}
	default:
		return false, false
	}
	return ok, true
}

// authTimeout is how long NGINX waits for an answer (proxy_read_timeout).
const authTimeout = time.Minute

// readAuth finds whom auth-url asks: a Service, by its full name. What cannot be
// asked closes the Ingress.
func (e *edge) readAuth(ing *ingress) {
	if ing.url == "" {
		return
	}
	provider, why := e.authProvider(ing)
	if why == "" {
		ing.authorizer = provider
		return
	}
	if ing.closed == "" {
		ing.closed = "auth-url cannot be asked: " + why
	}
	e.c.problemAs(problem.Error, problem.NotCarriedOut, ing.item.Ref, ing.item.Origin, annotationField("auth-url"),
		why+"; all paths of the Ingress answer 503", "name a Service, as http://NAME.NAMESPACE."+clusterDomain+":PORT/PATH, or a path of the same host, as https://$host/PATH")
}

func (e *edge) authProvider(ing *ingress) (p *plan.EdgeAuth, why string) {
	u, err := url.Parse(ing.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, ing.url + " is no URL of http or https"
	case (u.Host == "$host" || u.Host == "$http_host") && !strings.Contains(u.Path+u.RawQuery, "$"):
		return e.newAuth(ing, u, nil), "" // whom a host's own rules lead to is known later
	case strings.Contains(ing.url, "$"):
		return nil, "the variables of " + ing.url + " are not carried out"
	}
	name, rest, _ := strings.Cut(u.Hostname(), ".")
	namespace, domain, _ := strings.Cut(rest, ".")
	s := e.c.service(namespace, name)
	if domain != clusterDomain || s == nil {
		return nil, "there is no Service " + u.Hostname()
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n, _ := strconv.Atoi(port)
	sp := s.port(int32(n))
	if sp == nil || loopback(s.item.Object) != "" {
		return nil, "Service " + namespace + "/" + name + " has no port " + port
	}
	b := &plan.Backend{Key: "auth " + namespace + "/" + name + ":" + port + " " + u.Scheme, Service: object.Ref{Kind: "Service", Namespace: namespace, Name: name},
		Port: n, Balance: plan.RoundRobin, Mutual: plan.MutualNever, Origin: plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin}}
	if s.gateway {
		return nil, "Service " + namespace + "/" + name + " is a gateway's"
	}
	if u.Scheme == "https" {
		b.TLS = &plan.UpstreamTLS{Digest: "edge", Name: u.Hostname()}
	}
	if known := e.authBackends[b.Key]; known != nil {
		b = known
	} else {
		e.c.settle(b, s, sp, nil)
		e.authBackends[b.Key] = b
	}
	return e.newAuth(ing, u, b), ""
}

// newAuth makes the guard of an Ingress. Without a backend it asks the host of the
// request itself.
func (e *edge) newAuth(ing *ingress, u *url.URL, b *plan.Backend) *plan.EdgeAuth {
	target := or(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	origin := ing.origin(annotationField("auth-url"))
	p := &plan.EdgeAuth{
		Provider: &plan.Provider{Name: "auth-url of Ingress " + ing.item.Ref.Namespace + "/" + ing.item.Ref.Name, Origin: origin, Backend: b,
			Timeout: authTimeout, Edge: true, StatusOnError: 500},
		Method: or(ing.method, "GET"), Told: ing.method != "", Host: u.Hostname(), Target: target,
		Headers: ing.answerHeaders, Redirect: ing.requestRedirect, Origin: origin,
	}
	if b == nil {
		p.Host, p.Scheme = "", u.Scheme
	}
	for _, h := range ing.answerHeaders {
		p.Provider.UpstreamOnAllow = append(p.Provider.UpstreamOnAllow, match.Text{Op: match.Exact, Value: h})
	}
	p.Signin = e.signin(ing)
	return p
}

// authAt is the guard of an Ingress on one of its hosts: a URL of $host leads through
// the edge again, to what the host's rules have for its path. Where they have nothing
// that can be asked, each question fails: 500, as NGINX answers.
func (e *edge) authAt(h *edgeHost, ing *ingress) *plan.EdgeAuth {
	if ing.authorizer.Provider.Backend != nil {
		return ing.authorizer
	}
	if known := h.asks[ing]; known != nil {
		return known
	}
	a, provider := *ing.authorizer, *ing.authorizer.Provider
	a.Provider = &provider
	path, _, _ := strings.Cut(a.Target, "?")
	l := e.covering(h, path)
	why := ""
	switch {
	case l == nil || l.backend == nil:
		why = "no rule of host " + h.name + " covers " + path
	case l.ingress.authorizer != nil || l.ingress.users != nil || l.ingress.target != "" || l.ingress.away() != nil || e.whyClosed(l) != "":
		why = "the path " + path + " of host " + h.name + " is no plain one: it asks somebody itself, rewrites, redirects or is closed"
	default:
		provider.Backend = e.backend(l, l.ingress.protocol)
		if provider.Backend.Next != nil {
			why = "the path " + path + " of host " + h.name + " leads to a gateway"
		}
	}
	if why != "" {
		provider.Backend = &plan.Backend{Key: "auth " + h.name + path, Missing: why}
		e.c.problemAs(problem.Error, problem.NotCarriedOut, ing.item.Ref, ing.item.Origin, annotationField("auth-url"),
			why+"; all paths of the Ingress on the host answer 500", "name a Service, as http://NAME.NAMESPACE."+clusterDomain+":PORT/PATH")
	}
	if h.asks == nil {
		h.asks = map[*ingress]*plan.EdgeAuth{}
	}
	h.asks[ing] = &a
	return &a
}

// covering is the location of a host that takes a path.
func (e *edge) covering(h *edgeHost, path string) *location {
	best, length := h.rest, 0
	for _, l := range h.locations {
		short := strings.TrimSuffix(l.path, "/")
		fits := path == l.path || !l.exact && (path == short || strings.HasPrefix(path, short+"/"))
		if fits && !h.patterned() && (len(l.path) > length || l.exact && len(l.path) == length) {
			best, length = l, len(l.path)
		}
	}
	if h.patterned() {
		return nil
	}
	return best
}

// signinVariables are those that auth-signin may hold.
var signinVariables = regexp.MustCompile(`\$[a-z_]+`)

// signin is where a 401 sends people, with the place for the URL that they asked
// for (ingress-nginx, buildAuthSignURL); "" is nowhere.
func (e *edge) signin(ing *ingress) string {
	if ing.authURL.signin == "" {
		return ""
	}
	u, err := url.Parse(ing.authURL.signin)
	for _, v := range signinVariables.FindAllString(ing.authURL.signin, -1) {
		if !slices.Contains(plan.SigninVariables(), v) {
			err = strconv.ErrSyntax
		}
	}
	if err != nil {
		e.c.problem(problem.NotCarriedOut, ing.item.Ref, ing.item.Origin, annotationField("auth-signin"),
			ing.authURL.signin+" is no URL that can be carried out; who is not logged in gets 401", "use the variables "+strings.Join(plan.SigninVariables(), ", ")+" only")
		return ""
	}
	q, param := u.Query(), or(ing.param, "rd")
	to := "=$pass_access_scheme://$http_host$escaped_request_uri"
	switch {
	case len(q) == 0:
		return ing.authURL.signin + "?" + param + to
	case q.Get(param) != "":
		return ing.authURL.signin
	}
	return ing.authURL.signin + "&" + param + to
}
