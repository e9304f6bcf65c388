package probe

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// JudgeCookies tells which cookies of an answer browsers refuse, do not send back to
// the application, or send to all others too (RFC 6265, section 5).
func (s *Scope) JudgeCookies(h http.Header, at *url.URL) []*Finding {
	var found []*Finding
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if ofLogin(c.Name) || c.MaxAge < 0 {
			continue // not the application's; or it is taken back
		}
		f := &Finding{Page: at.String(), Element: "Set-Cookie " + c.Name, Written: c.Path}
		switch {
		case c.Domain != "" && !registrable(c.Domain, s.Page.Hostname()):
			f.Written = c.Domain
			f.say(CookieDomain, problem.Error, "Domain="+c.Domain+" is not the page's host "+s.Page.Hostname()+": browsers refuse the cookie")
		case c.Secure && !secure(s.Page):
			f.Written = "Secure"
			f.say(CookieDomain, problem.Warning, "the cookie is Secure and the page is plain http: browsers refuse it")
		case strings.HasPrefix(c.Path, "/") && !covers(c.Path, s.Prefix):
			f.say(CookiePath, problem.Error, "Path="+c.Path+" is not above "+s.Prefix+": browsers do not send the cookie back to the application")
		case c.Path == "/" && s.Prefix != "/" && !strings.HasPrefix(c.Name, "__Host-"):
			f.say(CookiePath, problem.Warning, "Path=/ has browsers send the cookie to every application of the host, and lets those set it")
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// covers tells whether browsers send a cookie of a path to all below a prefix.
func covers(path, prefix string) bool {
	return path == "/" || path == prefix || path+"/" == prefix || strings.HasPrefix(prefix, strings.TrimSuffix(path, "/")+"/")
}

// ofLogin tells the cookies of the platform's login.
func ofLogin(name string) bool {
	return strings.HasPrefix(name, "_oauth2_proxy") || strings.Contains(name, "doorward")
}
