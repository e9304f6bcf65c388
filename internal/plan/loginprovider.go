package plan

import (
	"path"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// LoginProvider is a login at an OpenID Connect provider (doorward.dev LoginProvider).
type LoginProvider struct {
	// Key is NAMESPACE/NAME. Sessions hang on it over plans.
	Key    string
	Origin Origin
	Issuer string
	// Backend has the endpoints of the issuer's host and port where that is a Service
	// of the manifests; nil goes by DNS.
	Backend *Backend
	// CA holds certificates (PEM) that the issuer's is verified by beside the system's.
	CA string
	// AuthorizationURL replaces the discovered one: a URL, or a path of the client's host.
	AuthorizationURL       string
	ClientID, ClientSecret string
	Scopes                 []string
	Callback               string // the path that logins come back to
	GroupsClaim            string
	AllowUnverifiedEmail   bool
	SessionLifetime        time.Duration
	// Cookie is the name of the session's cookie, Domain its domain ("" the host alone).
	Cookie, Domain string
	// Secrets seal cookies: the first seals, all of them open. None: keys that the
	// world makes.
	Secrets []string
	// PostLogoutRedirect is a URL, or a path of the client's host; "" none.
	PostLogoutRedirect string
	LocalLogout        bool // not at the provider as well
	Backchannel        bool // takes logouts from the provider
	// Authorization and XAuthRequest are the headers that tell applications of the user.
	Authorization, XAuthRequest bool
}

// LoginPage is a page of the login itself.
type LoginPage uint8

const (
	NoLoginPage LoginPage = iota
	LoginCallback
	LoginStart
	LoginSignIn
	LoginSignOut
	LoginAuth
	LoginUserInfo
	LoginBackchannel
)

// Path is the path of a page: those but the callback lie beside it, under the names
// that oauth2-proxy gives them.
func (p *LoginProvider) Path(page LoginPage) string {
	if page == LoginCallback {
		return p.Callback
	}
	dir := path.Dir(p.Callback)
	if dir != "/" {
		dir += "/"
	}
	return dir + [...]string{LoginStart: "start", LoginSignIn: "sign_in", LoginSignOut: "sign_out", LoginAuth: "auth",
		LoginUserInfo: "userinfo", LoginBackchannel: "backchannel-logout"}[page]
}

// page tells which page of the login a path is.
func (p *LoginProvider) page(of string) LoginPage {
	dir := path.Dir(p.Callback)
	if !strings.HasPrefix(of, dir) {
		return NoLoginPage
	}
	for page := LoginCallback; page <= LoginBackchannel; page++ {
		if of == p.Path(page) && (page != LoginBackchannel || p.Backchannel) {
			return page
		}
	}
	return NoLoginPage
}

// userHeaders are the headers that tell applications of the user, beside Authorization.
var userHeaders = [...]string{"x-auth-request-user", "x-auth-request-email", "x-auth-request-groups",
	"x-auth-request-preferred-username", "x-auth-request-access-token"}

// Visit is a request as a login sees it.
type Visit struct {
	// Page is the page of the login that is asked for; NoLoginPage wants in elsewhere.
	Page LoginPage
	// Navigation says that a person's browser opens a page, so that it can be sent to
	// log in. Everything else is told 401.
	Navigation bool
	// Scheme, Host and Target are as the outermost hop saw them: what the client's
	// address bar says.
	Scheme, Host, Target string
	// Query is that of the request at this hop.
	Method, Query string
	// Cookies are the login's own.
	Cookies header.Fields
	// Request is the request itself. The world fills Body for LoginBackchannel.
	Request *match.Request
	Body    []byte
}

// Entry is the answer of a login to a visit.
type Entry struct {
	// Reply ends the walk; nil lets the request in.
	Reply *Reply
	// Set are the headers that tell the application of the user.
	Set header.Fields
	// Cookies are Set-Cookie lines of the answer, whoever gives it.
	Cookies []string
	Why     string // for people
}

// takeCookies removes the login's own cookies from a request and returns them. No
// application needs them.
func (p *LoginProvider) takeCookies(f *header.Fields) (own header.Fields) {
	for i := range *f {
		line := &(*f)[i]
		if line.Name != "cookie" || !strings.Contains(line.Value, p.Cookie) {
			continue
		}
		var kept strings.Builder
		for rest := line.Value; rest != ""; {
			var one string
			one, rest, _ = strings.Cut(rest, ";")
			one = strings.Trim(one, " \t")
			if name, value, _ := strings.Cut(one, "="); p.owns(strings.TrimRight(name, " \t")) {
				own.Add(strings.TrimRight(name, " \t"), strings.Trim(value, " \t\""))
				continue
			}
			if one == "" {
				continue
			}
			if kept.Len() > 0 {
				kept.WriteString("; ")
			}
			kept.WriteString(one)
		}
		line.Value = kept.String()
	}
	if own != nil {
		dropEmptyCookies(f)
	}
	return own
}

func dropEmptyCookies(f *header.Fields) {
	kept := (*f)[:0]
	for _, line := range *f {
		if line.Name != "cookie" || line.Value != "" {
			kept = append(kept, line)
		}
	}
	clear((*f)[len(kept):])
	*f = kept
}

// owns tells whether a cookie is the login's: the session NAME, its parts NAME_0 …,
// or a login under way NAME_login_0 ….
func (p *LoginProvider) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, p.Cookie)
	if !ok || rest == "" {
		return ok
	}
	rest = strings.TrimPrefix(rest, "_login")
	return len(rest) == 2 && rest[0] == '_' && '0' <= rest[1] && rest[1] <= '9'
}

// navigation tells whether a person's browser opens a page: it says so itself, or, an
// older one, asks for HTML.
func navigation(r *match.Request) bool {
	if r.Method != "GET" || r.Header.Has("sec-websocket-key") {
		return false
	}
	if mode, says := r.Header.Get("sec-fetch-mode"); says {
		return mode == "navigate"
	}
	accept, _ := r.Header.Joined("accept", ",")
	return strings.Contains(strings.ToLower(accept), "text/html")
}
