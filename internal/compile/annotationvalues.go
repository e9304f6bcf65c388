package compile

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// set reads a setting that annotations and the controller's ConfigMap call by one
// name. known tells whether it is one; ok, whether its value is good.
func (s *settings) set(name, value string) (ok, known bool) {
	switch name {
	case "ssl-redirect":
		ok = truth(value, &s.sslRedirect)
	case "force-ssl-redirect":
		ok = truth(value, &s.forceSSLRedirect)
	case "preserve-trailing-slash":
		ok = truth(value, &s.keepSlash)
	case "use-port-in-redirects":
		ok = truth(value, &s.portInRedirects)
	case "proxy-body-size":
		ok = size(value, &s.bodySize)
	case "proxy-connect-timeout":
		ok = timeout(value, &s.connect)
	case "proxy-send-timeout":
		ok = timeout(value, &s.send)
	case "proxy-read-timeout":
		ok = timeout(value, &s.read)
	case "relative-redirects":
		ok = truth(value, &s.relative)
	case "proxy-next-upstream":
		ok = nextUpstream(value, &s.retry)
	case "proxy-next-upstream-tries":
		var n int
		if ok = number(value, 1, 100, &n); ok {
			s.retry.Attempts = n - 1
		}
	case "whitelist-source-range":
		var list []netip.Prefix
		if ok = prefixes(value, &list); ok && !s.allowlist {
			s.allow = list
		}
	case "denylist-source-range":
		ok = prefixes(value, &s.deny)
	default:
		return false, false
	}
	return ok, true
}

// setOwn reads a setting that only annotations have.
func (s *settings) setOwn(name, value string) (ok, known bool) {
	for _, set := range [...]func(name, value string) (ok, known bool){s.redirects.set, s.patterns.set, s.cors.set, s.canary.set, s.limits.set, s.authURL.set, s.affinity.set, s.basic.set, s.proxySSL.set} {
		if ok, known = set(name, value); known {
			return ok, true
		}
	}
	switch name {
	case "allowlist-source-range":
		ok = prefixes(value, &s.allow)
		s.allowlist = ok && len(s.allow) > 0
	case "default-backend":
		if ok = serviceName.MatchString(value) && len(value) < 64; ok {
			s.defaultBackend = value
		}
	case "custom-headers":
		if ok = objectName.MatchString(value); ok {
			s.customHeaders = value
		}
	case "server-alias":
		if ok = serverNames.MatchString(value); ok {
			s.aliases = list(value)
		}
	case "upstream-vhost":
		if ok = serverNames.MatchString(value) && !strings.Contains(value, ","); ok {
			s.vhost = value
		}
	default:
		return false, false
	}
	return ok, true
}

// serverNames are the letters of server names and patterns of them (ingress-nginx,
// parser.ValidateServerName), joined by commas.
var serverNames = regexp.MustCompile(`^[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\, ]*$`)

// badValue is what becomes of an Ingress when an annotation that is carried out
// has a value of the wrong kind; ignored: it counts as none.
func badValue(name string) treatment {
	switch name {
	case "permanent-redirect", "permanent-redirect-code", "temporal-redirect", "temporal-redirect-code",
		"from-to-www-redirect", "relative-redirects", "server-alias", "upstream-vhost", "x-forwarded-prefix", "default-backend",
		"limit-rps", "limit-rpm", "limit-connections", "limit-allowlist", "limit-whitelist", "auth-url", "upstream-hash-by",
		"auth-type", "auth-secret-type", "auth-realm", "proxy-ssl-secret":
		return drops
	case "allowlist-source-range", "whitelist-source-range", "denylist-source-range", "custom-headers",
		"auth-method", "auth-response-headers", "auth-request-redirect", "auth-secret":
		return closes
	}
	return ignored
}

// serviceName is the form of a Service's name.
var serviceName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// objectName is how annotations name an object, with its namespace or without.
var objectName = regexp.MustCompile(`^[-._~a-zA-Z0-9/:]+$`)

// carry reads an annotation that is carried out.
func (r *annotationReader) carry(name, value string) {
	ok, known := r.settings.set(name, value)
	if !known {
		ok, _ = r.setOwn(name, value)
	}
	if name == "backend-protocol" {
		switch p := strings.ToUpper(value); p {
		case plainHTTP, overTLS, grpc, grpcTLS, autoHTTP:
			r.protocol, ok = p, true
		case "FCGI":
			r.close(name, "backend-protocol FCGI is not carried out")
			return
		}
	}
	if ok {
		return
	}
	what := strconv.Quote(value) + " is no value of " + name
	switch badValue(name) {
	case drops:
		r.dropped = true
		r.tell(problem.Error, problem.IngressAnnotationValue, name,
			what+"; the whole Ingress is dropped, as ingress-nginx does", wantedValue(name))
	case closes:
		r.shut(what)
		r.tell(problem.Error, problem.IngressAnnotationValue, name,
			what+"; all paths of the Ingress answer 503, as ingress-nginx has it", wantedValue(name))
	default:
		r.tell(problem.Warning, problem.IngressAnnotationValue, name, what+"; the default is used", wantedValue(name))
	}
}

// wantedValue tells what values an annotation takes.
func wantedValue(name string) string {
	switch name {
	case "proxy-body-size":
		return "a number with k, m or g, such as 8m; 0 is no limit"
	case "proxy-connect-timeout", "proxy-send-timeout", "proxy-read-timeout":
		return "a number of seconds without unit, such as 60"
	case "backend-protocol":
		return "one of HTTP, HTTPS, GRPC, GRPCS, AUTO_HTTP"
	case "permanent-redirect", "temporal-redirect":
		return "a URL of letters, digits and -._~/:,?&=, such as https://www.example.com/"
	case "permanent-redirect-code", "temporal-redirect-code":
		return "a number such as 308"
	case "app-root":
		return "a path of letters, digits and -._~/:, such as /home"
	case "server-alias", "upstream-vhost":
		return "a host name"
	case "limit-rps", "limit-rpm", "limit-connections", "limit-burst-multiplier":
		return "a whole number, such as 5"
	case "proxy-ssl-secret":
		return "a Secret, as NAMESPACE/NAME"
	case "proxy-ssl-verify", "proxy-ssl-server-name":
		return "on or off"
	case "proxy-ssl-name":
		return "a host name"
	case "auth-type":
		return "basic"
	case "auth-secret":
		return "a Secret of the namespace"
	case "auth-secret-type":
		return "auth-file or auth-map"
	case "auth-realm":
		return "letters, digits, blanks and -._~/:"
	case "affinity":
		return "cookie"
	case "affinity-mode":
		return "balanced or persistent"
	case "session-cookie-expires", "session-cookie-max-age":
		return "a number of seconds without unit, such as 3600"
	case "session-cookie-samesite":
		return "None, Lax or Strict"
	case "session-cookie-name", "session-cookie-path", "session-cookie-domain":
		return "letters, digits and -._~"
	case "upstream-hash-by":
		return "a variable, such as $request_uri"
	case "auth-url", "auth-signin":
		return "a URL, such as http://NAME.NAMESPACE.svc.cluster.local/check"
	case "auth-method":
		return "a method in capitals, such as GET"
	case "auth-response-headers":
		return "names of headers joined by commas"
	case "auth-signin-redirect-param", "auth-request-redirect":
		return "letters, digits and -._~/:,?&="
	case "satisfy":
		return "any or all"
	case "proxy-next-upstream":
		return "off, or some of error, timeout, invalid_header, http_500, http_502, http_503, http_504, http_403, http_404, http_429 and non_idempotent"
	case "proxy-next-upstream-tries":
		return "a number from 1 to 100"
	case "allowlist-source-range", "whitelist-source-range", "denylist-source-range", "limit-allowlist", "limit-whitelist":
		return "addresses and ranges, joined by commas, such as 10.0.0.0/8"
	case "default-backend":
		return "a Service of the namespace"
	case "custom-headers":
		return "a ConfigMap, as NAMESPACE/NAME"
	case "cors-allow-origin":
		return "origins joined by commas, such as https://*.example.com, or *"
	case "cors-allow-methods", "cors-allow-headers", "cors-expose-headers":
		return "names joined by commas"
	case "cors-max-age":
		return "a number of seconds without unit, such as 600"
	case "canary-weight", "canary-weight-total":
		return "a whole number, such as 20"
	case "canary-by-header", "canary-by-header-value", "canary-by-cookie":
		return "letters, digits and -._~/:"
	case "canary-by-header-pattern":
		return "an expression of RE2"
	case "rewrite-target", "x-forwarded-prefix":
		return "a path of letters, digits and -._~/:, with groups of the path as $1"
	}
	return "true or false"
}

// truth reads a truth value as Go's ParseBool does.
func truth(s string, to *bool) bool {
	b, err := strconv.ParseBool(s)
	if err == nil {
		*to = b
	}
	return err == nil
}

// timeout reads a whole number of seconds.
func timeout(s string, to *time.Duration) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return false
	}
	*to = time.Duration(n) * time.Second
	return true
}

var nginxSize = regexp.MustCompile(`^[0-9]+[kKmMgG]?$`)

// size reads a size of NGINX in bytes; 0 is no limit, told as -1.
func size(s string, to *int64) bool {
	if !nginxSize.MatchString(s) {
		return false
	}
	shift := 0
	switch s[len(s)-1] {
	case 'k', 'K':
		shift = 10
	case 'm', 'M':
		shift = 20
	case 'g', 'G':
		shift = 30
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > (1<<62)>>shift {
		return false
	}
	if *to = n << shift; n == 0 {
		*to = -1
	}
	return true
}

// nextUpstream reads when another endpoint is tried (NGINX, proxy_next_upstream).
func nextUpstream(s string, to *plan.Retry) bool {
	var on plan.RetryOn
	var codes []int
	once := to.IdempotentOnly
	for _, word := range strings.Fields(s) {
		switch word {
		case "off", "invalid_header":
		case "error":
			on |= plan.OnConnectFailure | plan.OnReset | plan.OnResetBeforeRequest
		case "timeout":
			on |= plan.OnTimeout
		case "non_idempotent":
			once = false
		case "http_500", "http_502", "http_503", "http_504", "http_403", "http_404", "http_429":
			n, _ := strconv.Atoi(word[len("http_"):])
			on, codes = on|plan.OnRetriableStatus, append(codes, n)
		default:
			return false
		}
	}
	to.On, to.Codes, to.IdempotentOnly = on, codes, once
	return true
}
