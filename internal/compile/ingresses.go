package compile

import (
	"cmp"
	"crypto/tls"
	"regexp"
	"slices"
	"strconv"
	"strings"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// edge is the state of compiling all Ingresses into the one edge listener, the
// way ingress-nginx makes its servers and locations of them.
type edge struct {
	c         *compiler
	config    edgeConfig
	ingresses []*ingress // in the order in which they claim hosts and paths
	canaries  []*ingress // those that only offer second backends, in the same order
	hosts     map[string]*edgeHost
	backends  map[target]*plan.Backend
	keys      map[string]bool // of backends
	// authBackends are those that auth-url asks, by key.
	authBackends map[string]*plan.Backend
	// certificates are those of Secrets that were read.
	certificates map[name]*tls.Certificate
}

// ingress is a served Ingress and what its annotations ask for.
type ingress struct {
	item object.Item[*netv1.Ingress]
	settings
	answer     header.Fields   // custom-headers
	authorizer *plan.EdgeAuth  // auth-url
	users      *plan.BasicAuth // auth-type
	// upstreamTLS is how HTTPS backends are spoken to (proxy-ssl-secret); nil: nothing is
	// sent and nothing verified.
	upstreamTLS *plan.UpstreamTLS
}

func (i *ingress) origin(field string) plan.Origin {
	return plan.Origin{Ref: i.item.Ref, Origin: i.item.Origin, Field: field}
}

// edgeHost is a server of the edge: a host name and its locations.
type edgeHost struct {
	name string
	// rest takes what no other location does; a rule for Prefix "/" takes its place.
	rest      *location
	locations []*location
	taken     map[locationKey]*location
	// secure says that the host has a certificate: its own or the default one.
	secure      bool
	certificate *tls.Certificate
	aliases     []string                    // further names (server-alias)
	asks        map[*ingress]*plan.EdgeAuth // whom its Ingresses ask about their requests by $host
	twinOf      string                      // the host that all requests are sent to (from-to-www-redirect)
}

// locationKey is what two locations of a host must not share.
type locationKey struct {
	path  string
	exact bool
}

// location is one path of a host as the controller sees it, before it is cut
// into exact and prefix rules.
type location struct {
	path  string
	exact bool
	// ingress is nil for the rest of the hosts that nobody named.
	ingress *ingress
	// backend is nil where the controller's default backend answers: 404.
	backend *netv1.IngressBackend
	// field is where the rule is written, backendField its backend.
	field, backendField string
	// written says that a rule asks for it, not the shape of a server.
	written bool
	// bare leaves the https redirect out (the catch-all of spec.defaultBackend).
	bare bool
	// canary is the location of a canary Ingress that takes a share; nil none.
	canary *location
}

const defaultBackendField = "spec.defaultBackend"

// anyHost is the host of rules without host, and of requests for hosts that no
// rule names.
const anyHost = "*"

func (c *compiler) readIngresses() {
	e := &edge{c: c, hosts: map[string]*edgeHost{}, backends: map[target]*plan.Backend{}, keys: map[string]bool{},
		certificates: map[name]*tls.Certificate{}, authBackends: map[string]*plan.Backend{}}
	e.readConfig()
	e.collect()
	e.makeHosts()
	e.makeLocations()
	e.joinCanaries()
	e.lintDefaultBackends()
	e.readTLS()
	e.nameHosts()
	c.listeners[plan.Edge] = e.listener()
}

// collect reads the Ingresses that the edge serves: the oldest first, those of
// one age by name, the last first (ingress-nginx, store sortIngressSlice).
func (e *edge) collect() {
	classes := e.c.readClasses()
	for _, item := range e.c.set.Ingresses.All() {
		if !e.c.serves(classes, item) || e.dangerous(item) {
			continue
		}
		ing := &ingress{item: item, settings: e.readAnnotations(item)}
		switch {
		case ing.dropped:
		case ing.canary.on:
			e.canaries = append(e.canaries, ing)
		default:
			e.readCustomHeaders(ing)
			e.readAuth(ing)
			e.readBasic(ing)
			e.readProxySSL(ing)
			e.noStandIn(ing)
			e.ingresses = append(e.ingresses, ing)
		}
	}
	for _, list := range [][]*ingress{e.ingresses, e.canaries} {
		slices.SortStableFunc(list, func(a, b *ingress) int {
			x, y := a.item.Object.CreationTimestamp, b.item.Object.CreationTimestamp
			return cmp.Or(x.Compare(y.Time),
				cmp.Compare(b.item.Ref.Namespace+"/"+b.item.Ref.Name, a.item.Ref.Namespace+"/"+a.item.Ref.Name))
		})
	}
}

// dangerousText is what no path, host or Secret name may hold (ingress-nginx,
// --deep-inspect): text made to break out of a generated configuration.
var dangerousText = regexp.MustCompile(`(?s)\s*alias\s*.*;|\s*root\s*.*;|/etc/(passwd|shadow|group|nginx|ingress-controller)|/var/run/secrets|_by_lua`)

// dangerous reports an Ingress that the controller drops whole for one of its texts.
func (e *edge) dangerous(item object.Item[*netv1.Ingress]) bool {
	found := false
	check := func(text, field string) {
		if !found && dangerousText.MatchString(text) {
			found = true
			e.c.problem(problem.Schema, item.Ref, item.Origin, field,
				strconv.Quote(text)+" looks like an attack on the controller; the whole Ingress is dropped, as ingress-nginx does",
				"remove the path, host or Secret name")
		}
	}
	spec := &item.Object.Spec
	for i, r := range spec.Rules {
		check(r.Host, ruleField(i)+".host")
		if r.HTTP == nil {
			continue
		}
		for j, p := range r.HTTP.Paths {
			check(p.Path, pathField(i, j)+".path")
		}
	}
	for i, t := range spec.TLS {
		check(t.SecretName, tlsField(i)+".secretName")
		for _, h := range t.Hosts {
			check(h, tlsField(i)+".hosts")
		}
	}
	return found
}

func ruleField(i int) string    { return "spec.rules[" + strconv.Itoa(i) + "]" }
func pathField(i, j int) string { return ruleField(i) + ".http.paths[" + strconv.Itoa(j) + "]" }
func tlsField(i int) string     { return "spec.tls[" + strconv.Itoa(i) + "]" }

// hostName is the name under which the edge knows the host of a rule.
func hostName(host string) string {
	if host == "" {
		return anyHost
	}
	return match.HostName(host)
}

// makeHosts makes a server of every host. Its rest carries the settings and the
// defaultBackend of the Ingress that names the host first.
func (e *edge) makeHosts() {
	catchAll := &location{path: "/"}
	e.hosts[anyHost] = &edgeHost{name: anyHost, secure: true, rest: catchAll}
	for _, ing := range e.ingresses {
		spec := &ing.item.Object.Spec
		var backend *netv1.IngressBackend
		if spec.DefaultBackend != nil && spec.DefaultBackend.Service != nil {
			backend = spec.DefaultBackend
		}
		if backend != nil && len(spec.Rules) == 0 {
			e.catchAll(catchAll, ing, backend)
		}
		for i, r := range spec.Rules {
			name := hostName(r.Host)
			if e.hosts[name] == nil {
				e.hosts[name] = &edgeHost{name: name,
					rest: &location{path: "/", ingress: ing, backend: backend, field: ruleField(i), backendField: defaultBackendField}}
			}
		}
	}
}

// catchAll makes the backend of an Ingress without rules the answer for every
// host and path that no rule takes.
func (e *edge) catchAll(l *location, ing *ingress, backend *netv1.IngressBackend) {
	if l.written {
		e.conflict(ing, defaultBackendField, l, "the catch-all backend")
		return
	}
	*l = location{path: "/", ingress: ing, backend: backend, field: defaultBackendField, backendField: defaultBackendField,
		written: true, bare: true}
}

// lintDefaultBackends reports those that do not exist, also where rules leave them
// nothing to answer.
func (e *edge) lintDefaultBackends() {
	for _, ing := range e.ingresses {
		b := ing.item.Object.Spec.DefaultBackend
		covered := b != nil && b.Service != nil && len(ing.item.Object.Spec.Rules) > 0
		for _, r := range ing.item.Object.Spec.Rules {
			covered = covered && e.hosts[hostName(r.Host)].rest.backendField != defaultBackendField
		}
		if covered && e.c.service(ing.item.Ref.Namespace, b.Service.Name) == nil {
			e.c.problem(problem.IngressServiceNotFound, ing.item.Ref, ing.item.Origin, defaultBackendField+".service.name",
				"no Service "+b.Service.Name+" in namespace "+ing.item.Ref.Namespace+"; the rules leave it nothing to answer", "name a Service of the Ingress' own namespace, or remove it")
		}
	}
}

// makeLocations puts every path of every rule into its host; the first one of a
// path and type keeps it.
func (e *edge) makeLocations() {
	for _, ing := range e.ingresses {
		for i, r := range ing.item.Object.Spec.Rules {
			if r.HTTP == nil {
				continue
			}
			h := e.hosts[hostName(r.Host)]
			for j := range r.HTTP.Paths {
				e.addPath(h, ing, &r.HTTP.Paths[j], pathField(i, j))
			}
		}
	}
}

func (e *edge) addPath(h *edgeHost, ing *ingress, p *netv1.HTTPIngressPath, field string) {
	if p.Backend.Service == nil {
		e.c.problem(problem.NotCarriedOut, ing.item.Ref, ing.item.Origin, field+".backend",
			"the backend is no Service; ingress-nginx skips the path, which then answers 404", "name a Service as the backend")
		return
	}
	l := &location{path: cmp.Or(p.Path, "/"), exact: p.PathType != nil && *p.PathType == netv1.PathTypeExact,
		ingress: ing, backend: &p.Backend, field: field, backendField: field + ".backend", written: true}
	if l.path[0] != '/' {
		e.c.problem(problem.Schema, ing.item.Ref, ing.item.Origin, field+".path",
			"the path "+strconv.Quote(l.path)+" does not begin with /; no request has such a path", "begin the path with /")
		return
	}
	if l.path == "/" && !l.exact {
		if h.rest.written {
			e.conflict(ing, field, h.rest, h.name+"/")
			return
		}
		h.rest = l
		return
	}
	if other := h.taken[locationKey{l.path, l.exact}]; other != nil {
		e.conflict(ing, field, other, h.name+l.path)
		return
	}
	if h.taken == nil {
		h.taken = map[locationKey]*location{}
	}
	h.taken[locationKey{l.path, l.exact}] = l
	h.locations = append(h.locations, l)
}

// conflict reports a claim that comes too late, on both Ingresses.
func (e *edge) conflict(ing *ingress, field string, winner *location, what string) {
	const rule, remedy = "; of two the older Ingress wins, of one age the one whose name sorts last", "remove one of the two paths"
	e.c.problem(problem.IngressHostPathConflict, ing.item.Ref, ing.item.Origin, field,
		what+" is already taken by "+winner.ingress.origin(winner.field).String()+rule, remedy)
	if winner.ingress != ing {
		e.c.problem(problem.IngressHostPathConflict, winner.ingress.item.Ref, winner.ingress.item.Origin, winner.field,
			what+" is wanted by "+ing.origin(field).String()+" too"+rule, remedy)
	}
}

// listener makes the listener of all hosts.
func (e *edge) listener() *plan.Listener {
	chain := &plan.Chain{Certificate: e.c.opts.DefaultCertificate, Certificates: map[string]*tls.Certificate{}, From: map[string]plan.Origin{}}
	for _, name := range sortedKeys(e.hosts) {
		h := e.hosts[name]
		routes := e.routes(h)
		for _, n := range append([]string{name}, h.aliases...) {
			chain.Hosts = append(chain.Hosts, &plan.Host{Name: n, Routes: routes})
			if h.secure && n != anyHost && h.certificate != nil && (n == name || covers(h.certificate, n) == nil) {
				chain.Certificates[n] = h.certificate
				if from, written := e.c.certificates[h.certificate]; written {
					chain.From[n] = from
				}
			}
		}
	}
	settings := e.config.edge
	return &plan.Listener{Key: plan.Edge, Dialect: plan.NGINX, Form: match.FormNGINX, Port: 80,
		Chains: []*plan.Chain{chain}, Edge: &settings}
}

// certified tells whether requests for the host come with a certificate of
// their name: the host's own, or that of the wildcard above it.
func (e *edge) certified(h *edgeHost) bool {
	if h.name == anyHost {
		return false
	}
	if h.secure {
		return true
	}
	i := strings.IndexByte(h.name, '.')
	if i < 0 {
		return false
	}
	above := e.hosts["*"+h.name[i:]]
	return above != nil && above.secure
}
