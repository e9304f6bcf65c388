package login_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
)

func TestLogin(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	const target = "/pipeline/x?y=1&z=%2F..%2f//&rd=https://evil.example"
	b.open(target)
	b.want(302)
	to, _ := b.last.Location()
	q := to.Query()
	for name, want := range map[string]string{
		"redirect_uri": site + "/oauth2/callback", "response_type": "code", "client_id": "kubeflow", "code_challenge_method": "S256", "scope": "openid profile email",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if q.Get("nonce") == "" || q.Get("state") == "" || q.Get("nonce") == q.Get("state") {
		t.Errorf("state %q and nonce %q", q.Get("state"), q.Get("nonce"))
	}
	b.follow()
	b.want(200)
	got := b.got()
	if got.Target != target {
		t.Errorf("landed at %q, want %q", got.Target, target)
	}
	for name, want := range map[string]string{
		"kubeflow-userid": "alice@example.com", "x-auth-request-email": "alice@example.com", "x-auth-request-user": "u1",
		"x-auth-request-groups": "a,b", "x-auth-request-preferred-username": "alice", "cookie": "",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("the application gets %s %q, want %q", name, v, want)
		}
	}
	if v := got.Header.Get("authorization"); !strings.HasPrefix(v, "Bearer ey") {
		t.Errorf("the application gets authorization %q", v)
	}
	for _, c := range b.seen {
		if c.MaxAge < 0 { // deleted
			continue
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("cookie %s: %s", c.Name, strings.Replace(c.Raw, c.Value, "…", 1))
		}
	}
	if c := b.cookies(); len(c) != 1 || c["doorward_session"] == "" {
		t.Errorf("cookies after the login: %v", c)
	}
}

// Only people are sent to log in; programs are told, and get no cookie.
func TestWhoIsSentToLogIn(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	for _, c := range []struct {
		what, method, target string
		lines                []string
		status               int
	}{
		{"a navigation", "GET", "/", []string{"Sec-Fetch-Mode: navigate"}, 302},
		{"an older browser", "GET", "/", []string{"Accept: text/html,*/*"}, 302},
		{"curl", "GET", "/", []string{"Accept: */*"}, 401},
		{"fetch", "GET", "/", []string{"Sec-Fetch-Mode: cors", "Accept: text/html"}, 401},
		{"a form", "POST", "/", []string{"Sec-Fetch-Mode: navigate", "Accept: text/html"}, 401},
		{"a WebSocket", "GET", "/", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Mode: websocket"}, 401},
		{"a WebSocket of an older browser", "GET", "/", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Accept: text/html"}, 401},
		{"what is exempt", "GET", "/public/x", nil, 200},
		{"userinfo", "GET", "/oauth2/userinfo", []string{"Sec-Fetch-Mode: navigate"}, 401},
		{"auth", "GET", "/oauth2/auth", []string{"Sec-Fetch-Mode: navigate"}, 401},
		{"a token of its own", "GET", "/", []string{"Sec-Fetch-Mode: navigate", "Authorization: Bearer x.y.z"}, 401},
		{"another authorization", "GET", "/", []string{"Sec-Fetch-Mode: navigate", "Authorization: Basic eDp5"}, 403},
	} {
		b := st.browser()
		resp := b.do(c.method, c.target, "", c.lines...)
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.what, resp.StatusCode, c.status)
		}
		if resp.StatusCode != 302 && len(resp.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: gets a cookie: %q", c.what, resp.Header["Set-Cookie"])
		}
		if resp.StatusCode == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: WWW-Authenticate is %q", c.what, resp.Header.Get("WWW-Authenticate"))
		}
	}
}

// A 401 that a script may not read tells it nothing.
func TestCORS(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	resp := b.do("GET", "/api/x", "", "Origin: https://other.example", "Sec-Fetch-Mode: cors")
	if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 401 || got != "https://other.example" {
		t.Errorf("status %d, Access-Control-Allow-Origin %q", resp.StatusCode, got)
	}
	resp = b.do("OPTIONS", "/api/x", "", "Origin: https://other.example", "Access-Control-Request-Method: GET")
	if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 200 || got != "https://other.example" || b.body != "" {
		t.Errorf("preflight: status %d, Access-Control-Allow-Origin %q, body %q", resp.StatusCode, got, b.body)
	}
	resp = b.do("GET", "/api/x", "", "Origin: https://evil.example", "Sec-Fetch-Mode: cors")
	if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 401 || got != "" {
		t.Errorf("another origin: status %d, Access-Control-Allow-Origin %q", resp.StatusCode, got)
	}
}

func TestCallback(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{})
	// begin returns the URL that the provider sends the browser back to.
	begin := func(b *browser) string {
		b.open("/x?y=1")
		to, _ := b.last.Location()
		b.open(to.String())
		return b.last.Header.Get("Location")
	}
	b := st.browser()
	back := begin(b)
	jar := b.cookies()
	b.open(back)
	if got := b.last.Header.Get("Location"); got != site+"/x?y=1" {
		t.Errorf("sent to %q", got)
	}
	if len(b.cookies()) != 1 {
		t.Errorf("cookies after the callback: %v", b.cookies())
	}
	replay := st.browser()
	replay.set(jar)
	replay.open(back)
	replay.want(403)
	if replay.cookies()["doorward_session"] != "" {
		t.Error("an answer that was used gives a session")
	}
	stranger := st.browser()
	stranger.open(begin(st.browser()))
	stranger.want(403) // another browser's answer
	b.open(back)       // from the history
	b.want(302)

	for _, c := range []struct {
		what   string
		claims map[string]any
		change func(url string) string
	}{
		{"another nonce", map[string]any{"nonce": "x"}, nil},
		{"no nonce", map[string]any{"nonce": nil}, nil},
		{"another issuer in the token", map[string]any{"iss": "https://evil.example"}, nil},
		{"another audience", map[string]any{"aud": "other"}, nil},
		{"another authorized party", map[string]any{"aud": []string{"other", "kubeflow"}, "azp": "other"}, nil},
		{"an e-mail that is not verified", map[string]any{"email_verified": false}, nil},
		{"an expired token", map[string]any{"exp": 1}, nil},
		{"another issuer in the answer", nil, func(u string) string { return strings.Replace(u, "&iss=", "&iss=x", 1) + "&iss=https://evil.example" }},
		{"another state", nil, func(u string) string { return strings.Replace(u, "state=", "state=x", 1) }},
		{"no state", nil, func(u string) string { return strings.Replace(u, "state=", "s=", 1) }},
		{"another code", nil, func(u string) string { return strings.Replace(u, "code=", "code=x", 1) }},
		{"the provider's no", nil, func(u string) string {
			return strings.Replace(u, "code=", "error=access_denied&error_description=%3Cscript%3E&x=", 1)
		}},
		{"a bad query", nil, func(u string) string { return u + "&x=%zz" }},
	} {
		p.set(func() { p.claims = c.claims })
		b := st.browser()
		u := begin(b)
		if c.change != nil {
			u = c.change(u)
		}
		b.open(u)
		if b.last.StatusCode != 403 || b.cookies()["doorward_session"] != "" || !strings.Contains(b.body, "/oauth2/start?rd=%2F") {
			t.Errorf("%s: status %d, cookies %v, body %s", c.what, b.last.StatusCode, b.cookies(), b.body)
		}
		if strings.Contains(b.body, "<script") || strings.Contains(b.body, "evil") {
			t.Errorf("%s: the page shows what the provider wrote: %s", c.what, b.body)
		}
	}
}

// At most three logins are under way; the fourth takes the oldest's place.
func TestLoginsUnderWay(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	var back []string
	for range 5 {
		b.open("/x")
		back = append(back, b.last.Header.Get("Location"))
	}
	if n := len(b.cookies()); n != 3 {
		t.Errorf("%d cookies, want 3", n)
	}
	b.open(back[4])
	b.follow()
	b.want(200)
}

func TestPages(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	b.open("/oauth2/sign_in?rd=/x%3Fy=1%26z")
	b.want(200)
	if !strings.Contains(b.body, `href="/oauth2/start?rd=%2Fx%3Fy%3D1%26z"`) {
		t.Errorf("the login page: %s", b.body)
	}
	b.open("/oauth2/start?rd=/x%3Fy=1")
	b.follow()
	if got := b.got().Target; got != "/x?y=1" {
		t.Errorf("landed at %q", got)
	}
	b.do("GET", "/oauth2/userinfo", "")
	if want := `{"user":"u1","email":"alice@example.com","groups":["a","b"],"preferredUsername":"alice"}` + "\n"; b.body != want {
		t.Errorf("userinfo %q, want %q", b.body, want)
	}
	b.do("GET", "/oauth2/auth", "")
	b.want(202)
	if got := b.last.Header.Get("X-Auth-Request-Email"); got != "alice@example.com" {
		t.Errorf("auth tells %q", got)
	}
	b.do("DELETE", "/oauth2/start", "")
	b.want(405)
}

// The address bar's scheme and host are those of the outermost hop.
func TestRedirectURI(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	b.open("/", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X-Forwarded-Uri: //evil.example/")
	to, _ := b.last.Location()
	if got := to.Query().Get("redirect_uri"); got != site+"/oauth2/callback" {
		t.Errorf("redirect_uri %q", got)
	}
	b.follow()
	if got := b.last.Request.URL.String(); got != site+"/" {
		t.Errorf("landed at %q", got)
	}
}

// Browsers speak HTTP/2, where each cookie may come in a field of its own.
func TestLoginOverHTTP2(t *testing.T) {
	p := newIDP(t)
	var groups []string
	for range 150 {
		groups = append(groups, rand.Text())
	}
	p.claims["groups"] = groups
	b := newStage(t, p, setting{}).browser()
	b.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	b.logIn("/x?y=1")
	if b.last.ProtoMajor != 2 {
		t.Fatalf("spoken is %s", b.last.Proto)
	}
	if got := b.got().Header; got.Get("Cookie") != "" || got.Get("kubeflow-userid") != "alice@example.com" {
		t.Errorf("the application gets %v", got)
	}
	b.do("GET", "/oauth2/userinfo", "")
	b.want(200)
}
