package probe

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// Codes of findings.
const (
	EscapesPrefix   = "escapes-prefix"           // a URL outside of the application's prefix
	OtherApp        = "leads-to-another"         // a link that some other application's rule takes
	MixedContent    = "mixed-content"            // http or ws on a page of https: browsers block it
	WrongScheme     = "wrong-scheme"             // a redirect or link from https to http
	WrongHost       = "wrong-host"               // the page's host by another port
	BackendAddress  = "backend-address"          // a name or address that browsers do not reach
	Broken          = "broken"                   // what the page loads answers with an error
	CookiePath      = "cookie-path"              // a Set-Cookie that the browser does not send back, or sends to all
	CookieDomain    = "cookie-domain"            // a Set-Cookie that the browser refuses
	ForwardedPrefix = "forwarded-prefix-missing" // the prefix is taken away and no header tells it
)

// Finding is one thing that is wrong with what the application answers.
type Finding struct {
	Code     string           `json:"code"`
	Severity problem.Severity `json:"severity"` // an error breaks something, a warning may

	Page     string `json:"page"`               // the URL whose answer holds it
	Line     int    `json:"line,omitempty"`     // of that answer
	Element  string `json:"element"`            // "<script src>", "Location", "Set-Cookie session"
	Written  string `json:"written"`            // the URL or path as it stands there
	Target   string `json:"target,omitempty"`   // the URL that a browser makes of it
	Goes     string `json:"goes,omitempty"`     // where a request for that ends
	Message  string `json:"message"`            //
	Remedy   string `json:"remedy"`             //
	Manifest string `json:"manifest,omitempty"` // the line that cures it, FILE:LINE
	More     int    `json:"more,omitempty"`     // how often it stands elsewhere too

	kind Kind
}

// Scope is what references are judged by.
type Scope struct {
	Page   *url.URL // as the browser has it
	Prefix string   // of the application, with a slash at its end: "/myapp/", "/"
	Router Router   // nil: where requests go is not known
}

// within tells whether a path belongs to the application.
func (s *Scope) within(path string) bool {
	return s.Prefix == "/" || strings.HasPrefix(path, s.Prefix) || path+"/" == s.Prefix
}

// Judge tells what is wrong with a reference of an answer from the URL at, read
// relative to base; nil: nothing is.
func (s *Scope) Judge(ref Reference, at, base *url.URL) *Finding {
	f := &Finding{Page: at.String(), Line: ref.Line, Element: ref.Element, Written: ref.Written, kind: ref.Kind}
	u, err := resolve(base, ref.Written)
	if err != nil || ref.Written == "" || strings.HasPrefix(ref.Written, "#") {
		return nil // browsers make nothing of it
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil // data:, mailto:, javascript:
	}
	f.Target = u.String()
	switch {
	case u.Host == "": // "ws://" before a host that the script adds
		return s.scheme(f, u)
	case sameName(u, s.Page):
		return s.own(f, u)
	case unreachable(u.Hostname()):
		return f.say(BackendAddress, problem.Error, u.Host+" is an address inside of the cluster or of the server's own; browsers do not reach it")
	}
	if ref.Kind == Link || ref.Kind == Redirect || ref.Kind == Refresh {
		return nil // elsewhere is meant
	}
	return s.scheme(f, u)
}

// own judges a URL of the page's own host.
func (s *Scope) own(f *Finding, u *url.URL) *Finding {
	if port(u) != port(s.Page) && secure(u) == secure(s.Page) {
		return f.say(WrongHost, problem.Error, "the page is at "+s.Page.Host+", and this leads to "+u.Host+", which is another port")
	}
	if bad := s.scheme(f, u); bad != nil {
		return bad
	}
	if s.within(u.EscapedPath()) || f.kind == Socket && u.Path == "" {
		return nil
	}
	goes := s.goes(f, u)
	what := strings.Trim(f.Element, "<>") + " leads out of " + s.Prefix
	switch {
	case f.kind == Link && goes != nil && goes.Served && !goes.CatchAll():
		return f.say(OtherApp, problem.Info, what+", to another application: that may be meant")
	case f.kind == Link || f.kind == Refresh && goes != nil && goes.Served && !goes.CatchAll():
		return f.say(EscapesPrefix, problem.Warning, what)
	}
	return f.say(EscapesPrefix, problem.Error, what)
}

// goes asks where a URL leads.
func (s *Scope) goes(f *Finding, u *url.URL) *Route {
	if s.Router == nil {
		return nil
	}
	asked := *u
	asked.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	if asked.Scheme == "" {
		asked.Scheme = u.Scheme
	}
	r := s.Router.Route(&asked)
	if r != nil {
		f.Goes = r.Goes
	}
	return r
}

// scheme judges plain text on a page of https. Pictures are fetched by https instead, and
// links are followed.
func (s *Scope) scheme(f *Finding, u *url.URL) *Finding {
	if !secure(s.Page) || secure(u) {
		return nil
	}
	switch f.kind {
	case Link:
		if !sameName(u, s.Page) {
			return nil
		}
		return f.say(WrongScheme, problem.Warning, "the page is https, and the link says http")
	case Redirect, Refresh:
		return f.say(WrongScheme, problem.Error, "the page is https, and it sends browsers to http")
	case Image:
		return f.say(MixedContent, problem.Warning, "plain http on a page of https: browsers ask for it by https, or show a warning")
	}
	return f.say(MixedContent, problem.Error, "plain "+u.Scheme+" on a page of https: browsers block it")
}

func (f *Finding) say(code string, severity problem.Severity, message string) *Finding {
	f.Code, f.Severity, f.Message = code, severity, message
	return f
}

func secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "wss" }

func sameName(a, b *url.URL) bool { return strings.EqualFold(a.Hostname(), b.Hostname()) }

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case secure(u):
		return "443"
	}
	return "80"
}

// unreachable tells a host that only the cluster or the server itself reaches: a
// Service's name, a name without a dot, loopback, a private address.
func unreachable(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
	}
	return host == "localhost" || !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".cluster.local")
}

// registrable tells whether a cookie's Domain covers a host.
func registrable(domain, host string) bool {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	host = strings.ToLower(host)
	return domain == host || net.ParseIP(host) == nil && strings.HasSuffix(host, "."+domain)
}
