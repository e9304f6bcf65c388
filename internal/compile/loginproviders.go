package compile

import (
	"encoding/pem"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	doorwardv1alpha1 "github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

const (
	sessionLifetime    = 7 * 24 * time.Hour // as oauth2-proxy has it
	maxSessionLifetime = 90 * 24 * time.Hour
	minCookieSecret    = 16 // bytes
)

// login is a LoginProvider with what is wrong with it: one that is broken lets nobody in.
type login struct {
	*plan.LoginProvider
	broken string
	asked  bool // some policy asks it
}

// loginFor finds the LoginProvider that a CUSTOM policy's provider names: in the policy's
// namespace, then in the root namespace. It is nil when there is none.
func (c *compiler) loginFor(namespace, provider string) *login {
	for _, ns := range []string{namespace, c.mesh.rootNamespace} {
		if l := c.logins[name{ns, provider}]; l != nil {
			l.asked = true
			return l
		}
	}
	return nil
}

// readLoginProviders reads the LoginProviders.
func (c *compiler) readLoginProviders() {
	c.logins = map[name]*login{}
	for _, item := range c.set.LoginProviders.All() {
		b := &loginBuilder{c: c, item: item, login: &login{LoginProvider: &plan.LoginProvider{
			Key:    item.Ref.Namespace + "/" + item.Ref.Name,
			Origin: plan.Origin{Ref: item.Ref, Origin: item.Origin},
		}}}
		b.read(&item.Object.Spec)
		c.logins[name{item.Ref.Namespace, item.Ref.Name}] = b.login
	}
}

// lintLoginProviders tells of logins that nobody is asked to.
func (c *compiler) lintLoginProviders() {
	for _, item := range c.set.LoginProviders.All() {
		if c.logins[name{item.Ref.Namespace, item.Ref.Name}].asked {
			continue
		}
		c.problem(problem.LoginProviderUnused, item.Ref, item.Origin, "metadata.name",
			"no CUSTOM AuthorizationPolicy asks the provider "+strconv.Quote(item.Ref.Name)+", so nobody is sent to this login",
			"write action: CUSTOM and provider.name: "+item.Ref.Name+" into an AuthorizationPolicy of namespace "+item.Ref.Namespace+" (or, with the LoginProvider in "+c.mesh.rootNamespace+", of any)")
	}
}

// loginBuilder reads one LoginProvider.
type loginBuilder struct {
	c     *compiler
	item  object.Item[*doorwardv1alpha1.LoginProvider]
	login *login
}

// bad notes a mistake that closes the login.
func (b *loginBuilder) bad(field, message, remedy string) {
	if b.login.broken == "" {
		b.login.broken = b.item.Ref.String() + " spec." + field + ": " + message
	}
	b.c.problem(problem.LoginProviderInvalid, b.item.Ref, b.item.Origin, "spec."+field, message+"; what asks this login is denied", remedy)
}

func (b *loginBuilder) read(s *doorwardv1alpha1.LoginProviderSpec) {
	p := b.login.LoginProvider
	p.ClientID, p.Issuer, p.AllowUnverifiedEmail = s.ClientID, s.Issuer, s.AllowUnverifiedEmail
	b.issuer(s.Issuer)
	if s.ClientID == "" {
		b.bad("clientID", "there is no client", "write clientID: the client that the provider knows")
	}
	p.ClientSecret = b.secret("clientSecretRef", s.ClientSecretRef)
	if p.CA = b.secret("caCertRef", s.CACertRef); s.CACertRef != nil && p.CA != "" {
		if block, _ := pem.Decode([]byte(p.CA)); block == nil || block.Type != "CERTIFICATE" {
			b.bad("caCertRef", "the Secret's key holds no certificate", "put certificates in PEM there")
		}
	}
	p.AuthorizationURL = b.place("authorizationURL", s.AuthorizationURL)
	p.Scopes = b.scopes(s.Scopes)
	p.Callback = b.callback(s.RedirectPath)
	p.GroupsClaim = or(s.GroupsClaim, "groups")
	p.SessionLifetime = b.lifetime(s)
	b.cookie(s.Cookie)
	if l := s.Logout; l != nil {
		p.PostLogoutRedirect = b.place("logout.postLogoutRedirect", l.PostLogoutRedirect)
		p.LocalLogout, p.Backchannel = l.LocalOnly, l.Backchannel
	}
	on := func(v *bool) bool { return v == nil || *v }
	p.Authorization, p.XAuthRequest = s.Headers == nil || on(s.Headers.Authorization), s.Headers == nil || on(s.Headers.XAuthRequest)
}

func (b *loginBuilder) issuer(issuer string) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		b.bad("issuer", strconv.Quote(issuer)+" is no issuer: an http or https URL without query", "write the issuer as its tokens name it, as in https://cluster.example.com/auth/realms/main")
	}
}

// secret reads a key of a Secret of the namespace.
func (b *loginBuilder) secret(field string, ref *doorwardv1alpha1.SecretKeyRef) string {
	if ref == nil {
		return ""
	}
	namespace := b.item.Ref.Namespace
	secret, ok := b.c.set.Secrets.Get(namespace, ref.Name)
	if !ok {
		var names []string
		for _, s := range b.c.set.Secrets.In(namespace) {
			names = append(names, s.Ref.Name)
		}
		b.bad(field+".name", "namespace "+namespace+" has no Secret "+strconv.Quote(ref.Name)+"; there is "+some(names, "none")+nearest(ref.Name, names), "add the Secret, or correct the name")
		return ""
	}
	value := strings.TrimSpace(string(secret.Object.Data[ref.Key]))
	if value == "" {
		keys := sortedKeys(secret.Object.Data)
		b.bad(field+".key", "Secret "+ref.Name+" has no key "+strconv.Quote(ref.Key)+" with a value; it has "+some(keys, "none")+nearest(ref.Key, keys), "name a key of the Secret")
		return ""
	}
	return value
}

// place reads a URL, or a path of the host asked for.
func (b *loginBuilder) place(field, text string) string {
	u, err := url.Parse(text)
	absolute := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	local := err == nil && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !strings.Contains(text, `\`)
	if text != "" && !absolute && !local {
		b.bad(field, strconv.Quote(text)+" is neither an http or https URL nor a path", "write a URL, or a path that begins with one slash")
	}
	return text
}

func (b *loginBuilder) scopes(list []string) []string {
	if len(list) == 0 {
		return []string{"openid", "profile", "email"}
	}
	for i, s := range list {
		if s == "" || strings.ContainsAny(s, " \"\\") {
			b.bad("scopes["+strconv.Itoa(i)+"]", strconv.Quote(s)+" is no scope", "write one scope an entry, as in [openid, profile, email]")
		}
	}
	if !slices.Contains(list, "openid") {
		list = append([]string{"openid"}, list...)
	}
	return list
}

func (b *loginBuilder) callback(p string) string {
	p = or(p, "/oauth2/callback")
	if p != path.Clean(p) || !strings.HasPrefix(p, "/") || path.Dir(p) == "/" || strings.ContainsAny(p, "?#%;\\ ") {
		b.bad("redirectPath", strconv.Quote(p)+" is no path for the login: its other pages lie beside it", "write a path of two plain elements, as in /oauth2/callback")
		return "/oauth2/callback"
	}
	return p
}

func (b *loginBuilder) lifetime(s *doorwardv1alpha1.LoginProviderSpec) time.Duration {
	if s.SessionLifetime == nil {
		return sessionLifetime
	}
	d := s.SessionLifetime.Duration
	if d < time.Minute || d > maxSessionLifetime {
		b.bad("sessionLifetime", d.String()+" is not between 1m and "+maxSessionLifetime.String(), "write sessionLifetime: 24h, for example")
	}
	return d
}

func (b *loginBuilder) cookie(s *doorwardv1alpha1.LoginCookie) {
	p := b.login.LoginProvider
	p.Cookie = "doorward_session"
	if s == nil {
		return
	}
	p.Cookie, p.Domain = or(s.Name, p.Cookie), s.Domain
	if !word(p.Cookie, "_-.") || len(p.Cookie) > 64 || strings.HasPrefix(p.Cookie, "__Host-") && p.Domain != "" {
		b.bad("cookie.name", strconv.Quote(p.Cookie)+" cannot name the cookie", "write letters, digits, _ and -, at most 64; a __Host- cookie has no domain")
	}
	if p.Domain != "" && !word(p.Domain, "-.") {
		b.bad("cookie.domain", strconv.Quote(p.Domain)+" is no domain", "write a domain, as in example.com")
	}
	text := b.secret("cookie.secretRef", s.SecretRef)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(line) < minCookieSecret {
			b.bad("cookie.secretRef", fmt.Sprintf("a secret of %d bytes can be guessed; %d are the least", len(line), minCookieSecret), "make one with: openssl rand -base64 32")
		}
		p.Secrets = append(p.Secrets, line)
	}
}

// word tells whether a text is of letters, digits and the other characters.
func word(text, others string) bool {
	return strings.IndexFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r))
	}) < 0
}

// findLoginHosts finds the Services that issuers are, when everything else is compiled.
func (c *compiler) findLoginHosts() {
	for _, l := range c.logins {
		u, err := url.Parse(l.Issuer)
		if l.broken != "" || err != nil {
			continue
		}
		var missing string
		l.Backend, missing = c.serviceOfURL(u)
		if missing != "" {
			c.problem(problem.LoginProviderInvalid, l.Origin.Ref, l.Origin.Origin, "spec.issuer", "the issuer cannot be reached at "+u.Host+": "+missing,
				"correct the host and port of the issuer")
		}
	}
}
