package plan

import (
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

func TestLoginTakesItsCookies(t *testing.T) {
	p := &LoginProvider{Cookie: "kf"}
	for _, c := range []struct{ lines, kept, own []string }{
		{nil, nil, nil},
		{[]string{"a=1; b=2"}, []string{"a=1; b=2"}, nil},
		{[]string{"kf=x"}, nil, []string{"kf=x"}},
		{[]string{"a=1; kf=x; b=2"}, []string{"a=1; b=2"}, []string{"kf=x"}},
		{[]string{"kf_0=x;kf_1=y;a=1"}, []string{"a=1"}, []string{"kf_0=x", "kf_1=y"}},
		{[]string{"kf_login_0=x; kf_login_2=y"}, nil, []string{"kf_login_0=x", "kf_login_2=y"}},
		{[]string{"a=1", "kf=x", "b=2; kf=y"}, []string{"a=1", "b=2"}, []string{"kf=x", "kf=y"}},
		{[]string{"kfx=1; xkf=2; kf_x=3; kf_10=4; kf_login=5; KF=6"}, []string{"kfx=1; xkf=2; kf_x=3; kf_10=4; kf_login=5; KF=6"}, nil},
		{[]string{"kf ; kf = x ; =kf; a"}, []string{"=kf; a"}, []string{"kf=", "kf=x"}},
		{[]string{`kf="x"`}, nil, []string{"kf=x"}},
		{[]string{"a=kf=x"}, []string{"a=kf=x"}, nil},
	} {
		f := header.Fields{{Name: "accept", Value: "kf=x"}}
		for _, l := range c.lines {
			f.Add("cookie", l)
		}
		var own, kept []string
		for _, x := range p.takeCookies(&f) {
			own = append(own, x.Name+"="+x.Value)
		}
		for _, x := range f[1:] {
			kept = append(kept, x.Value)
		}
		if !slices.Equal(own, c.own) || !slices.Equal(kept, c.kept) {
			t.Errorf("%q: kept %q and took %q, want %q and %q", c.lines, kept, own, c.kept, c.own)
		}
		if f.Value("accept") != "kf=x" {
			t.Error("another field is changed")
		}
	}
}

func TestLoginPages(t *testing.T) {
	p := &LoginProvider{Callback: "/oauth2/callback"}
	for path, want := range map[string]LoginPage{
		"/oauth2/callback": LoginCallback, "/oauth2/start": LoginStart, "/oauth2/sign_in": LoginSignIn, "/oauth2/sign_out": LoginSignOut,
		"/oauth2/auth": LoginAuth, "/oauth2/userinfo": LoginUserInfo, "/oauth2/backchannel-logout": NoLoginPage,
		"/oauth2": NoLoginPage, "/oauth2/": NoLoginPage, "/oauth2/start/": NoLoginPage, "/oauth2/Start": NoLoginPage, "/": NoLoginPage, "": NoLoginPage,
	} {
		if got := p.page(path); got != want {
			t.Errorf("page(%q) = %d, want %d", path, got, want)
		}
	}
	p = &LoginProvider{Callback: "/a/b/cb", Backchannel: true}
	if got := p.page("/a/b/backchannel-logout"); got != LoginBackchannel {
		t.Errorf("beside another callback: %d", got)
	}
}

func TestNavigation(t *testing.T) {
	for _, c := range []struct {
		method string
		fields header.Fields
		want   bool
	}{
		{"GET", nil, false},
		{"GET", header.Fields{{Name: "sec-fetch-mode", Value: "navigate"}}, true},
		{"HEAD", header.Fields{{Name: "sec-fetch-mode", Value: "navigate"}}, false},
		{"POST", header.Fields{{Name: "sec-fetch-mode", Value: "navigate"}}, false},
		{"GET", header.Fields{{Name: "sec-fetch-mode", Value: "cors"}, {Name: "accept", Value: "text/html"}}, false},
		{"GET", header.Fields{{Name: "sec-fetch-mode", Value: "websocket"}}, false},
		{"GET", header.Fields{{Name: "accept", Value: "application/json"}, {Name: "accept", Value: "Text/HTML;q=0.9"}}, true},
		{"GET", header.Fields{{Name: "accept", Value: "*/*"}}, false},
		{"GET", header.Fields{{Name: "accept", Value: "text/html"}, {Name: "sec-websocket-key", Value: "x"}}, false},
	} {
		if got := navigation(&match.Request{Method: c.method, Header: c.fields}); got != c.want {
			t.Errorf("%s %v: %v, want %v", c.method, c.fields, got, c.want)
		}
	}
}

// What the address bar says is the first hop's own knowledge: a client's X-Forwarded-*
// count only where the hop believes them.
func TestOutside(t *testing.T) {
	forged := header.Fields{{Name: "x-forwarded-proto", Value: "https"}, {Name: "x-forwarded-host", Value: "evil.example"}}
	odd := header.Fields{{Name: "x-forwarded-proto", Value: "javascript"}}
	for _, c := range []struct {
		what         string
		l            Listener
		r            match.Request
		scheme, host string
	}{
		{"the edge over TLS", Listener{Dialect: NGINX}, match.Request{Scheme: "https", Secure: true, Host: "a.example", Header: nil}, "https", "a.example"},
		{"the edge in plain text, forged", Listener{Dialect: NGINX}, match.Request{Scheme: "http", Host: "a.example:8080", Header: forged}, "http", "a.example:8080"},
		{"the edge that believes", Listener{Dialect: NGINX, Edge: &EdgeSettings{TrustForwarded: true}}, match.Request{Scheme: "http", Host: "a.example", Header: forged}, "https", "evil.example"},
		{"the edge that believes nonsense", Listener{Dialect: NGINX, Edge: &EdgeSettings{TrustForwarded: true}}, match.Request{Scheme: "http", Host: "a.example", Header: odd}, "http", "a.example"},
		{"a gateway, forged", Listener{Dialect: Envoy}, match.Request{Scheme: "http", Host: "a.example", Header: forged}, "http", "a.example"},
	} {
		if scheme, host := c.l.outside(&c.r); scheme != c.scheme || host != c.host {
			t.Errorf("%s: %s://%s, want %s://%s", c.what, scheme, host, c.scheme, c.host)
		}
	}
}
