package compile

import (
	"strconv"
	"strings"
	"time"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// annotationPrefix begins the names of the annotations that the edge reads.
const annotationPrefix = "nginx.ingress.kubernetes.io/"

func annotationField(name string) string {
	return "metadata.annotations[" + annotationPrefix + name + "]"
}

// treatment is what becomes of an annotation.
type treatment uint8

const (
	// carried is carried out.
	carried treatment = iota
	// accepted has no effect that could be seen here, such as the sizes of buffers.
	accepted
	// ignored is not carried out and leaves nothing open: a warning.
	ignored
	// closes is not carried out and protects something: the paths answer 503.
	closes
	// drops is never carried out: ingress-nginx drops the whole Ingress, too.
	drops
)

// annotationRow is one annotation of ingress-nginx. A value that means same is
// what Doorward does anyway.
type annotationRow struct {
	how   treatment
	names string // without prefix, separated by blanks
	same  string
}

// annotationRows is the one table of annotations.
func annotationRows() []annotationRow {
	return []annotationRow{
		{carried, "ssl-redirect force-ssl-redirect preserve-trailing-slash use-port-in-redirects backend-protocol proxy-body-size", ""},
		{carried, "proxy-connect-timeout proxy-send-timeout proxy-read-timeout", ""},
		{carried, "app-root permanent-redirect permanent-redirect-code temporal-redirect temporal-redirect-code from-to-www-redirect relative-redirects", ""},
		{carried, "default-backend server-alias upstream-vhost use-regex rewrite-target x-forwarded-prefix", ""},
		{carried, "allowlist-source-range whitelist-source-range denylist-source-range custom-headers", ""},
		{carried, "enable-cors cors-allow-origin cors-allow-methods cors-allow-headers cors-expose-headers cors-allow-credentials cors-max-age", ""},

		{carried, "limit-rps limit-rpm limit-connections limit-burst-multiplier limit-allowlist limit-whitelist", ""},
		{carried, "auth-url auth-method auth-signin auth-signin-redirect-param auth-response-headers auth-request-redirect satisfy", ""},
		{carried, "proxy-ssl-secret proxy-ssl-verify proxy-ssl-name proxy-ssl-server-name", ""},
		{carried, "auth-type auth-secret auth-secret-type auth-realm", ""},
		{carried, "affinity affinity-mode session-cookie-name session-cookie-path session-cookie-domain session-cookie-expires", ""},
		{carried, "session-cookie-max-age session-cookie-samesite session-cookie-secure upstream-hash-by", ""},
		{carried, "proxy-next-upstream proxy-next-upstream-tries", ""},
		{carried, "canary canary-by-header canary-by-header-value canary-by-header-pattern canary-by-cookie canary-weight canary-weight-total", ""},

		{accepted, "proxy-buffer-size proxy-buffers-number proxy-busy-buffers-size proxy-max-temp-file-size client-body-buffer-size", ""},
		{accepted, "auth-keepalive auth-keepalive-requests auth-keepalive-timeout", ""},
		{accepted, "proxy-request-buffering proxy-buffering service-upstream http2-push-preload enable-rewrite-log enable-global-auth", ""},

		{ignored, "proxy-http-version", "1.1"},
		{ignored, "load-balance", "round_robin"},
		{ignored, "ssl-passthrough", "false"},
		{ignored, "proxy-redirect-from proxy-redirect-to proxy-cookie-domain proxy-cookie-path", "off"},
		{ignored, "proxy-ssl-verify-depth", ""},
		{ignored, "ssl-ciphers ssl-prefer-server-ciphers proxy-ssl-ciphers proxy-ssl-protocols", ""},
		{ignored, "limit-rate limit-rate-after", "0"},
		{ignored, "proxy-next-upstream-timeout", "0"},
		{ignored, "connection-proxy-header custom-http-errors disable-proxy-intercept-errors", ""},
		{ignored, "affinity-canary-behavior", ""},
		{ignored, "session-cookie-conditional-samesite-none session-cookie-change-on-failure upstream-hash-by-subset", "false"},
		{ignored, "upstream-hash-by-subset-size", ""},
		{ignored, "auth-proxy-set-headers auth-cache-key auth-cache-duration", ""},
		{ignored, "auth-always-set-cookie auth-keepalive-share-vars", "false"},
		{ignored, "mirror-target mirror-host mirror-request-body", ""},
		{ignored, "enable-access-log", "true"},
		{ignored, "enable-opentelemetry opentelemetry-trust-incoming-span opentelemetry-operation-name", ""},
		{ignored, "modsecurity-transaction-id fastcgi-index fastcgi-params-configmap", ""},
		// Removed from ingress-nginx, still met in manifests.
		{ignored, "enable-influxdb influxdb-measurement influxdb-port influxdb-host influxdb-server-name enable-opentracing opentracing-trust-incoming-span", ""},
		{ignored, "global-rate-limit global-rate-limit-window global-rate-limit-key global-rate-limit-ignored-cidrs", ""},
		{ignored, "secure-backends secure-verify-ca-secret base-url-scheme add-base-url grpc-backend session-cookie-hash", ""},

		// Without these, paths would be open that are not meant to be.
		{closes, "auth-tls-secret auth-tls-verify-client auth-tls-match-cn auth-tls-verify-depth auth-tls-error-page", ""},
		{closes, "auth-tls-pass-certificate-to-upstream", "false"},
		{closes, "enable-modsecurity enable-owasp-core-rules", "false"},

		{drops, "configuration-snippet server-snippet stream-snippet auth-snippet modsecurity-snippet", ""},
	}
}

// byName is a table by name.
func byName(rows []annotationRow) map[string]annotationRow {
	x := map[string]annotationRow{}
	for _, row := range rows {
		for _, n := range strings.Fields(row.names) {
			x[n] = row
		}
	}
	return x
}

// settings are what the annotations of an Ingress ask for, over the defaults
// of the controller's ConfigMap.
type settings struct {
	sslRedirect, forceSSLRedirect, keepSlash, portInRedirects bool

	bodySize            int64 // bytes; -1 is no limit
	connect, send, read time.Duration
	protocol            string
	redirects
	patterns
	sourceRanges
	cors
	canary
	limits
	authURL
	affinity
	basic
	proxySSL
	retry          plan.Retry
	defaultBackend string   // a Service of the namespace
	customHeaders  string   // the ConfigMap, NAMESPACE/NAME
	aliases        []string // server-alias
	vhost          string   // upstream-vhost

	closed  string // why its paths answer 503, or ""
	dropped bool   // the Ingress counts as absent
}

// readAnnotations reads the annotations of an Ingress.
func (e *edge) readAnnotations(item object.Item[*netv1.Ingress]) settings {
	r := annotationReader{edge: e, item: item, settings: e.config.settings}
	all := item.Object.Annotations
	for _, key := range sortedKeys(all) {
		if name, ok := strings.CutPrefix(key, annotationPrefix); ok {
			r.one(name, trimLines(all[key]))
		} else {
			r.foreign(key)
		}
	}
	if why := r.unknownVariables(); why != "" {
		r.close("rewrite-target", why)
	}
	return r.settings
}

// trimLines trims a value line by line, as ingress-nginx does.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, "\n")
}

// annotationReader reads the annotations of one Ingress.
type annotationReader struct {
	*edge
	item object.Item[*netv1.Ingress]
	settings
}

func (r *annotationReader) tell(severity problem.Severity, code, name, message, remedy string) {
	r.c.problemAs(severity, code, r.item.Ref, r.item.Origin, annotationField(name), message, remedy)
}

// one reads one annotation; an empty value counts as none.
func (r *annotationReader) one(name, value string) {
	row, known := r.config.annotations[name]
	switch {
	case !known:
		r.tell(problem.Warning, problem.IngressAnnotationUnknown, name,
			"ingress-nginx knows no annotation "+annotationPrefix+name+nearest(name, sortedKeys(r.config.annotations))+"; it does nothing",
			"correct the name or remove it")
	case value == "" || row.how == accepted || row.same != "" && sameValue(value, row.same):
	case row.how == carried:
		r.carry(name, value)
	case row.how == closes:
		r.close(name, "the annotation "+name+" is not carried out, and without it paths would be open that it guards")
	case row.how == drops:
		r.dropped = true
		r.tell(problem.Error, problem.NotCarriedOut, name,
			"the annotation is not carried out: the whole Ingress is dropped, as ingress-nginx does at its default risk level", "remove the annotation")
	default:
		r.tell(problem.Warning, problem.NotCarriedOut, name, "the annotation is not carried out; requests are served without it",
			"remove it, or do without what it asks for")
	}
}

// sameValue tells whether a value means the default: by its letters, or as a
// truth value.
func sameValue(value, same string) bool {
	if value == same {
		return true
	}
	a, err := strconv.ParseBool(value)
	b, err2 := strconv.ParseBool(same)
	return err == nil && err2 == nil && a == b
}

// shut keeps the first reason why the paths answer 503.
func (r *annotationReader) shut(why string) {
	if r.closed == "" {
		r.closed = why
	}
}

// close makes the paths of the Ingress answer 503.
func (r *annotationReader) close(name, why string) {
	r.shut(why)
	r.tell(problem.Error, problem.NotCarriedOut, name, why+": all paths of the Ingress answer 503", "remove the annotation, and guard the paths in another way")
}

// foreign reports an annotation whose prefix looks like ours and is not.
func (r *annotationReader) foreign(key string) {
	domain, name, _ := strings.Cut(key, "/")
	if _, known := r.config.annotations[name]; known && (domain == "ingress.kubernetes.io" || nearest(domain+"/", []string{annotationPrefix}) != "") {
		r.c.problem(problem.IngressAnnotationUnknown, r.item.Ref, r.item.Origin, "metadata.annotations["+key+"]",
			"annotations of the edge begin with "+annotationPrefix+", not with "+domain+"/; it does nothing", annotationPrefix+name)
	}
}
