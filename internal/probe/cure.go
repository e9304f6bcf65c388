package probe

import (
	"net/url"
	"strings"
)

// cure writes the remedies of findings: the manifest's line where a manifest cures it,
// and otherwise the application's setting.
type cure struct {
	route *Route // nil: not known
	app   Application
	scope *Scope
}

func (c *cure) write(f *Finding) {
	switch f.Code {
	case OtherApp:
		f.Remedy = "nothing is to be done if that is meant"
	case EscapesPrefix:
		c.prefix(f)
	case Broken:
		f.Remedy = "the path is the application's own: look there; doorward explain " + f.Target + " tells which path it gets"
	case WrongScheme:
		c.proto(f)
	case MixedContent:
		c.proto(f)
		if u, err := url.Parse(f.Target); err == nil && u.Host != "" && !sameName(u, c.scope.Page) {
			f.Remedy = "load it by https, or serve it with the application"
		}
	case WrongHost, BackendAddress:
		f.Remedy = "have the application make its URLs of the Host that it gets, or write them without a host"
		if c.app.Setting != "" {
			f.Remedy = c.app.setting(c.scope.Prefix, c.scope.Page.Host) + "; or write URLs without a host"
		}
	case CookiePath:
		f.Remedy = "set the cookie with Path=" + c.scope.Prefix
		if c.app.Setting != "" {
			f.Remedy += "; " + c.app.setting(c.scope.Prefix, c.scope.Page.Host)
		}
	case CookieDomain:
		f.Remedy = "set the cookie without Domain"
		if f.Written == "Secure" {
			f.Remedy = "open the page by https"
		}
	case ForwardedPrefix:
		c.header(f)
	}
}

// prefix is for an application that does not know its prefix.
func (c *cure) prefix(f *Finding) {
	name := strings.TrimSuffix(c.scope.Prefix, "/")
	switch {
	case c.route == nil && c.app.Setting != "":
		f.Remedy = c.app.setting(c.scope.Prefix, c.scope.Page.Host)
	case c.route == nil:
		f.Remedy = "tell the application its prefix " + name + ", or have it link relatively; with -f or --admin the manifests' line is told"
	case c.app.Serves && c.route.Rewritten:
		f.Manifest = c.route.Place()
		f.Remedy = c.app.setting(c.scope.Prefix, c.scope.Page.Host) + "; it then serves the prefix itself, so remove rewrite from " + c.ruleName()
	case c.app.Setting != "":
		f.Remedy = c.app.setting(c.scope.Prefix, c.scope.Page.Host)
	case c.route.Rewritten && c.route.Forwarded == "":
		c.header(f)
		f.Remedy += ", and have the application read it"
	case c.route.Rewritten:
		f.Remedy = "the application gets X-Forwarded-Prefix: " + c.route.Forwarded + " and does not use it: have it do so, or link relatively (static/app.js for /static/app.js)"
	default:
		f.Remedy = "the application gets its paths with " + name + ": set that as its base path (root_path, base URL, context path)"
	}
}

// header is the line that tells an application its prefix.
func (c *cure) header(f *Finding) {
	f.Manifest = c.route.Place()
	f.Remedy = "headers: {request: {set: {X-Forwarded-Prefix: " + strings.TrimSuffix(c.scope.Prefix, "/") + "}}} in " + c.ruleName()
	if strings.HasPrefix(c.route.Object, "Ingress ") {
		f.Remedy = "nginx.ingress.kubernetes.io/x-forwarded-prefix: " + strings.TrimSuffix(c.scope.Prefix, "/") + " on " + c.route.Object
	}
}

// proto is for an application that does not know that its page is https.
func (c *cure) proto(f *Finding) {
	switch {
	case c.route != nil && c.route.Proto == "http":
		f.Remedy = "the application is told X-Forwarded-Proto: http, as the gateway does not believe the edge: gatewayTopology: {numTrustedProxies: 1} in defaultConfig of MeshConfig"
	case c.app.Name == "FastAPI" || c.app.Name == "vLLM":
		f.Remedy = "uvicorn --proxy-headers --forwarded-allow-ips='*', so that it believes X-Forwarded-Proto"
	default:
		f.Remedy = "have the application believe X-Forwarded-Proto: https (trust proxy headers), or write URLs without a scheme"
	}
}

// ruleName is the rule of the route: "VirtualService myapp/myapp-vs spec.http[1]".
func (c *cure) ruleName() string {
	return strings.TrimSpace(c.route.Object + " " + rule(c.route.Field))
}
