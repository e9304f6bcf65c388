package login_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestSignOut(t *testing.T) {
	p := newIDP(t)
	state := t.TempDir()
	st := newStage(t, p, setting{state: state, spec: "cookie: {secretRef: {name: login, key: cookies}}, logout: {postLogoutRedirect: /bye}"})
	b := st.browser()
	b.logIn("/")
	copied := b.cookies()
	b.open("/oauth2/sign_out?rd=/y")
	to, _ := b.last.Location()
	if got := to.Scheme + "://" + to.Host + to.Path; got != p.URL+"/logout" {
		t.Errorf("sent to %q", got)
	}
	if q := to.Query(); q.Get("post_logout_redirect_uri") != site+"/bye" || q.Get("client_id") != "kubeflow" || q.Get("id_token_hint") == "" {
		t.Errorf("asks %v", q)
	}
	if len(b.cookies()) != 0 {
		t.Errorf("cookies after the logout: %v", b.cookies())
	}
	again := st.browser()
	again.set(copied)
	again.do("GET", "/", "")
	again.want(401)
	b.open("/oauth2/callback?state=forged&code=x")
	st.counted(`logouts_total{by="user",provider="istio-system/oauth2-proxy"} 1`, `logins_total{provider="istio-system/oauth2-proxy",result="failure"} 1`)
	b.open("/oauth2/sign_out?rd=https://evil.example/")
	if got := b.last.Header.Get("Location"); got != site+"/" {
		t.Errorf("without a session sent to %q", got)
	}
	restarted := newStage(t, p, setting{state: state})
	again = restarted.browser()
	again.set(copied)
	again.do("GET", "/", "")
	again.want(401) // a logout outlives a restart
}

func TestBackchannelLogout(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{spec: "cookie: {secretRef: {name: login, key: cookies}}, logout: {backchannel: true}"})
	session := func(sid, sub string) *browser {
		p.set(func() { p.claims = map[string]any{"sid": sid, "sub": sub} })
		b := st.browser()
		b.logIn("/")
		return b
	}
	post := func(b *browser, token string) int {
		return b.do("POST", "/oauth2/backchannel-logout", url.Values{"logout_token": {token}}.Encode(), "Content-Type: application/x-www-form-urlencoded").StatusCode
	}
	event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	b := session("s1", "u1")
	for what, claims := range map[string]map[string]any{
		"no event":         {"events": nil},
		"another event":    {"events": map[string]any{"x": map[string]any{}}},
		"a nonce":          {"nonce": "x", "events": event},
		"another audience": {"aud": "other"},
		"another issuer":   {"iss": "https://evil.example"},
		"expired":          {"exp": 1},
		"nobody":           {"sub": nil, "sid": nil},
		"no iat":           {"iat": nil},
	} {
		if got := post(b, p.logoutToken(claims)); got != 400 {
			t.Errorf("%s: status %d, want 400", what, got)
		}
	}
	if got := post(b, "x.y.z"); got != 400 {
		t.Errorf("no token: status %d", got)
	}
	if got := post(b, strings.Repeat("x", 40<<10)); got != 413 {
		t.Errorf("a long body: status %d", got)
	}
	p.mu.Lock()
	id := p.sign(p.idToken(""))
	p.mu.Unlock()
	if got := post(b, id); got != 400 {
		t.Errorf("an ID token: status %d", got)
	}
	if got := b.do("GET", "/oauth2/backchannel-logout", "").StatusCode; got != 400 {
		t.Errorf("GET: status %d", got)
	}
	b.open("/x")
	b.want(200)

	other, third := session("s2", "u1"), session("s3", "u3")
	caller := st.browser()
	if got := post(caller, p.logoutToken(map[string]any{"sid": "s1"})); got != 200 || caller.last.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a logout of a session: status %d", got)
	}
	b.do("GET", "/x", "")
	b.want(401)
	other.do("GET", "/x", "")
	other.want(200)
	if got := post(caller, p.logoutToken(map[string]any{"sid": nil, "sub": "u1"})); got != 200 {
		t.Errorf("a logout of a subject: status %d", got)
	}
	other.do("GET", "/x", "")
	other.want(401)
	third.do("GET", "/x", "")
	third.want(200)
}
