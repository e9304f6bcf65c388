package compile

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// edgeConfig are the settings of the whole edge.
type edgeConfig struct {
	settings                             // defaults of the annotations
	annotations map[string]annotationRow // the table

	edge         plan.EdgeSettings
	hsts         hsts
	redirectCode int
	limitStatus  int      // of who asks too often
	connStatus   int      // of who asks too much at once
	noRedirect   []string // paths of rules that are not redirected to https
	noAuth       []string // paths of rules that nobody is asked about
	realIP       bool
	trusted      []netip.Prefix
	closed       string // why no path may be served, or ""
	// allowedHeaders are what custom-headers may set.
	allowedHeaders []string
}

// hsts are the parts of Strict-Transport-Security.
type hsts struct {
	on, subdomains, preload bool
	maxAge                  string // seconds
}

// value is the field's value, "" for none.
func (h hsts) value() string {
	if !h.on {
		return ""
	}
	v := "max-age=" + h.maxAge
	if h.subdomains {
		v += "; includeSubDomains"
	}
	if h.preload {
		v += "; preload"
	}
	return v
}

// defaultBodySize is proxy-body-size where nothing is said: 1m.
const defaultBodySize = 1 << 20

// defaultConfig is a controller without ConfigMap (ingress-nginx, config NewDefault).
func defaultConfig() edgeConfig {
	return edgeConfig{
		settings: settings{sslRedirect: true, bodySize: defaultBodySize, protocol: plainHTTP,
			connect: 5 * time.Second, send: time.Minute, read: time.Minute, cors: defaultCORS(), limits: limits{multiplier: 5},
			retry: plan.Retry{Attempts: 2, IdempotentOnly: true, SameEndpoint: true,
				On: plan.OnConnectFailure | plan.OnReset | plan.OnResetBeforeRequest | plan.OnTimeout}},
		annotations:  byName(annotationRows()),
		edge:         plan.EdgeSettings{ForwardedFor: "x-forwarded-for", HeaderBuffers: 4, HeaderBufferSize: 8 << 10},
		hsts:         hsts{on: true, subdomains: true, maxAge: "31536000"},
		redirectCode: 308,
		limitStatus:  503,
		connStatus:   503,
		noRedirect:   []string{"/.well-known/acme-challenge"},
		noAuth:       []string{"/.well-known/acme-challenge"},
		trusted:      []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)},
	}
}

// listed tells whether the path of a rule begins with one of the list
// (ingress-nginx, isLocationInLocationList).
func (*edgeConfig) listed(list []string, path string) bool {
	return slices.ContainsFunc(list, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// controllerConfigMaps are where the usual ways of installing ingress-nginx put
// its ConfigMap: its chart and manifests, those of old, and MicroK8s. The first
// that is there counts.
func controllerConfigMaps() []name {
	return []name{
		{"ingress-nginx", "ingress-nginx-controller"},
		{"ingress-nginx", "nginx-configuration"},
		{"ingress", "nginx-load-balancer-microk8s-conf"},
		{"kube-system", "ingress-nginx-controller"},
	}
}

// configReader reads the controller's ConfigMap.
type configReader struct {
	c    *compiler
	item object.Item[*corev1.ConfigMap]
	*edgeConfig
}

func (e *edge) readConfig() {
	e.config = defaultConfig()
	var in *name
	for _, n := range controllerConfigMaps() {
		item, ok := e.c.set.ConfigMaps.Get(n.namespace, n.name)
		switch {
		case ok && in == nil:
			in = &n
			r := configReader{e.c, item, &e.config}
			r.readAll()
		case ok:
			e.c.problemAs(problem.Warning, problem.NotCarriedOut, item.Ref, item.Origin, "", "the edge already takes its settings from ConfigMap "+in.String(), "keep one of the two")
		}
	}
	x := &e.config
	x.edge.HSTS = x.hsts.value()
	if x.realIP || x.edge.TrustForwarded {
		x.edge.Trusted = x.trusted
	}
}

func (r *configReader) readAll() {
	keys := byName(configKeys())
	for _, key := range sortedKeys(r.item.Object.Data) {
		value := strings.TrimSpace(r.item.Object.Data[key])
		if value == "" {
			continue
		}
		row, known := keys[key]
		switch {
		case !known:
			r.tell(problem.Warning, problem.IngressAnnotationUnknown, key, "the controller knows no key "+key+nearest(key, sortedKeys(keys))+"; it does nothing", "correct the key or remove it")
		case row.how == carried:
			if ok := r.carry(key, value); !ok && badValue(key) == closes {
				r.edgeConfig.closed = strconv.Quote(value) + " is no value of the key " + key + " of the controller's ConfigMap"
				r.tell(problem.Error, problem.IngressAnnotationValue, key, r.edgeConfig.closed+": every Ingress answers 503", "correct the value")
			} else if !ok {
				r.tell(problem.Warning, problem.IngressAnnotationValue, key, strconv.Quote(value)+" is no value of "+key+"; the default is used", "correct the value")
			}
		case row.how == accepted || row.same != "" && sameValue(value, row.same):
		case row.how == closes:
			r.closed = "the key " + key + " of the controller's ConfigMap is not carried out, and without it paths would be open that it guards"
			r.tell(problem.Error, problem.NotCarriedOut, key, r.closed+": every Ingress answers 503", "remove the key, and guard the paths in another way")
		default:
			r.tell(problem.Warning, problem.NotCarriedOut, key, "the key is not carried out; requests are served without it", "remove it, or do without what it asks for")
		}
	}
}

func (r *configReader) tell(severity problem.Severity, code, key, message, remedy string) {
	r.c.problemAs(severity, code, r.item.Ref, r.item.Origin, "data["+key+"]", message, remedy)
}

// carry reads a key that is carried out, and tells whether its value is good.
func (r *configReader) carry(key, value string) (ok bool) {
	if ok, known := r.settings.set(key, value); known {
		return ok
	}
	switch key {
	case "retry-non-idempotent":
		var all bool
		ok = truth(value, &all)
		r.retry.IdempotentOnly = !all
	case "http-redirect-code":
		var n int
		if ok = number(value, 301, 308, &n) && n != 304 && n != 305 && n != 306; ok {
			r.redirectCode = n
		}
	case "limit-conn-status-code":
		ok = number(value, 400, 599, &r.connStatus)
	case "no-auth-locations":
		r.noAuth, ok = list(value), true
	case "limit-req-status-code":
		ok = number(value, 400, 599, &r.limitStatus)
	case "global-allowed-response-headers":
		r.allowedHeaders, ok = list(value), true
	case "no-tls-redirect-locations":
		r.noRedirect, ok = list(value), true
	default:
		return r.carryHeaders(key, value)
	}
	return ok
}

// carryHeaders reads the keys about header fields and addresses.
func (r *configReader) carryHeaders(key, value string) (ok bool) {
	x := &r.edge
	switch key {
	case "hsts":
		ok = truth(value, &r.hsts.on)
	case "hsts-include-subdomains":
		ok = truth(value, &r.hsts.subdomains)
	case "hsts-preload":
		ok = truth(value, &r.hsts.preload)
	case "hsts-max-age":
		var n int
		if ok = number(value, 0, 1<<31-1, &n); ok {
			r.hsts.maxAge = value
		}
	case "use-forwarded-headers":
		ok = truth(value, &x.TrustForwarded)
	case "compute-full-forwarded-for":
		ok = truth(value, &x.FullForwardedFor)
	case "enable-real-ip":
		ok = truth(value, &r.realIP)
	case "forwarded-for-header":
		x.ForwardedFor, ok = strings.ToLower(value), true
	case "proxy-real-ip-cidr":
		ok = prefixes(value, &r.trusted)
	case "enable-underscores-in-headers":
		ok = truth(value, &x.Underscores)
	case "generate-request-id":
		var on bool
		ok = truth(value, &on)
		x.NoRequestID = ok && !on
	case "proxy-add-original-uri-header":
		ok = truth(value, &x.OriginalURI)
	case "large-client-header-buffers":
		count, each, _ := strings.Cut(value, " ")
		var n int
		var bytes int64
		if ok = number(count, 1, 1000, &n) && size(strings.TrimSpace(each), &bytes) && bytes > 0 && bytes <= 1<<20; ok {
			x.HeaderBuffers, x.HeaderBufferSize = n, int(bytes)
		}
	}
	return ok
}

// number reads a whole number within bounds.
func number(s string, low, high int, to *int) bool {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return false
	}
	*to = n
	return true
}

// list cuts a list at its commas.
func list(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// prefixes reads a list of addresses and CIDRs. One bad entry spoils the list.
func prefixes(s string, to *[]netip.Prefix) bool {
	var out []netip.Prefix
	for _, part := range list(s) {
		p, err := netip.ParsePrefix(part)
		if a, err2 := netip.ParseAddr(part); err != nil && err2 == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return false
		}
		out = append(out, p.Masked())
	}
	*to = out
	return true
}
