package login_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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

// A session that is too long for one cookie is in several, and those go when it shrinks.
func TestLongSessionsAreSplit(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{})
	groups := func(n int) []string {
		var all []string
		for range n {
			all = append(all, rand.Text())
		}
		return all
	}
	p.set(func() { p.claims["groups"] = groups(150) })
	b := st.browser()
	b.logIn("/")
	c := b.cookies()
	if len(c) < 2 || c["doorward_session_0"] == "" || c["doorward_session_1"] == "" || c["doorward_session"] != "" {
		t.Fatalf("cookies: %v", slices.Sorted(maps.Keys(c)))
	}
	for name, value := range c {
		if len(name)+len(value) > 4000 {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
	b.open("/x") // the parts are joined, and taken out
	if got := b.got().Header; got.Get("kubeflow-userid") != "alice@example.com" || got.Get("Cookie") != "" {
		t.Errorf("the application gets %v", got)
	}
	delete(c, "doorward_session_1")
	other := st.browser()
	other.set(c)
	other.open("/x")
	other.want(302) // a part is missing
	p.set(func() { p.claims["groups"] = []string{"a"} })
	b.open("/oauth2/start")
	b.follow()
	if c := b.cookies(); len(c) != 1 || c["doorward_session"] == "" {
		t.Errorf("cookies after the session is short again: %v", slices.Sorted(maps.Keys(c)))
	}
	p.set(func() { p.claims["groups"] = groups(700) })
	b.open("/oauth2/start")
	b.follow()
	b.want(500)
}

func TestTamperedCookies(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	b.logIn("/")
	sealed := b.cookies()["doorward_session"]
	try := func(what string, cookies map[string]string) {
		t.Helper()
		other := st.browser()
		other.set(cookies)
		other.do("GET", "/x", "")
		if other.last.StatusCode != 401 {
			t.Errorf("%s: status %d, want 401", what, other.last.StatusCode)
		}
	}
	for i := 0; i < len(sealed); i += 1 + len(sealed)/40 {
		c := byte('A')
		if sealed[i] == c {
			c = 'B'
		}
		try("byte "+strconv.Itoa(i), map[string]string{"doorward_session": sealed[:i] + string(c) + sealed[i+1:]})
	}
	try("cut", map[string]string{"doorward_session": sealed[:len(sealed)-4]})
	try("longer", map[string]string{"doorward_session": sealed + "AAAA"})
	try("empty", map[string]string{"doorward_session": ""})
	try("huge", map[string]string{"doorward_session": strings.Repeat("A", 6000)})
	try("no base64", map[string]string{"doorward_session": "!!!"})
	b.open("/oauth2/start")
	try("a login under way for a session", map[string]string{"doorward_session": b.cookies()["doorward_login_0"]})
	good := st.browser()
	good.set(map[string]string{"doorward_session_0": sealed[:100], "doorward_session_1": sealed[100:]})
	good.open("/x")
	good.want(200)
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

// Fifty requests of one session refresh it once.
func TestRefreshOnce(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{})
	p.set(func() { p.iat, p.exp = -100*time.Second, 10*time.Second }) // due at once
	b := st.browser()
	b.open("/")
	for b.last.StatusCode == 302 && !strings.HasPrefix(b.last.Header.Get("Location"), site+"/oauth2/callback") {
		b.open(b.last.Header.Get("Location"))
	}
	b.open(b.last.Header.Get("Location")) // the callback; what comes next would refresh
	old := b.cookies()
	hold := make(chan struct{})
	p.set(func() { p.hold, p.iat, p.exp = hold, 0, time.Hour })
	var all sync.WaitGroup
	var fresh atomic.Int32
	for range 50 {
		other := st.browser()
		other.set(old)
		all.Go(func() {
			resp := other.open("/x")
			if resp.StatusCode == 200 && other.cookies()["doorward_session"] != old["doorward_session"] {
				fresh.Add(1)
			}
		})
	}
	waitFor(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.refreshes > 0 })
	close(hold)
	all.Wait()
	if n := fresh.Load(); n != 50 {
		t.Errorf("%d of 50 requests got the new session", n)
	}
	late := st.browser()
	late.set(old)
	late.open("/x")
	late.want(200)
	if got := late.last.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("an answer of the application with the new cookie has Cache-Control %q", got)
	}
	if p.refreshes != 1 {
		t.Errorf("%d refreshes, want 1", p.refreshes)
	}
	if got, want := late.got().Header.Get("X-Auth-Request-User"), "u1"; got != want {
		t.Errorf("user %q", got)
	}
}

// waitFor waits for what other goroutines do.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass")
		}
	}
}

func TestRefreshThatFails(t *testing.T) {
	p := newIDP(t)
	p.iat, p.exp = -100*time.Second, 10*time.Second
	st := newStage(t, p, setting{})
	session := func() map[string]string {
		b := st.browser()
		b.open("/oauth2/start")
		b.open(b.last.Header.Get("Location"))
		b.open(b.last.Header.Get("Location"))
		return b.cookies()
	}
	away, refused, other := session(), session(), session()
	b := st.browser()
	b.set(away)
	p.set(func() { p.away = true })
	b.open("/x")
	b.want(200) // until the token ends
	p.set(func() { p.away, p.refused = false, true })
	b = st.browser()
	b.set(refused)
	b.open("/x")
	b.want(302)
	b = st.browser()
	b.set(refused)
	b.do("GET", "/x", "")
	b.want(401)
	p.set(func() { p.refused, p.claims = false, map[string]any{"sub": "u2"} })
	b = st.browser()
	b.set(other)
	b.do("GET", "/x", "")
	b.want(401) // renewed for somebody else
}

func TestProviderAway(t *testing.T) {
	p := newIDP(t)
	p.away = true
	st := newStage(t, p, setting{})
	b := st.browser()
	b.open("/")
	b.want(503)
	if !strings.Contains(b.body, "The login service is away") || !strings.HasPrefix(b.last.Header.Get("Content-Type"), "text/html") || b.last.Header.Get("Retry-After") == "" {
		t.Errorf("the page: %v %s", b.last.Header, b.body)
	}
	b.do("GET", "/", "")
	b.want(401)
	b.open("/public/")
	b.want(200)
	p.set(func() { p.away = false })
	waitFor(t, func() bool { return b.open("/").StatusCode == 302 })
	b.follow()
	p.set(func() { p.away = true })
	b.open("/oauth2/userinfo")
	b.want(200) // the session goes on
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

// A new secret before the old one keeps sessions; without the old one they end.
func TestSecretRotation(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{secrets: "0123456789abcdef-first"})
	b := st.browser()
	b.logIn("/")
	for _, c := range []struct {
		secrets string
		status  int
	}{
		{`"0123456789abcdef-second\n0123456789abcdef-first"`, 200},
		{"0123456789abcdef-second", 401},
		{"0123456789abcdef-first", 200},
	} {
		st.write(setting{secrets: c.secrets})
		if err := st.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.do("GET", "/", "")
		if b.last.StatusCode != c.status {
			t.Errorf("secrets %s: status %d, want %d", c.secrets, b.last.StatusCode, c.status)
		}
	}
}

// Keys that are made here outlive a restart with --state only.
func TestMadeKeysAreKept(t *testing.T) {
	p := newIDP(t)
	for _, c := range []struct {
		state  string
		status int
	}{{t.TempDir(), 200}, {"", 401}} {
		x := setting{spec: "cookie: {name: kf}", state: c.state}
		b := newStage(t, p, x).browser()
		b.logIn("/")
		again := newStage(t, p, x).browser()
		again.set(b.cookies())
		again.do("GET", "/", "")
		if again.last.StatusCode != c.status {
			t.Errorf("state %q: status %d, want %d", c.state, again.last.StatusCode, c.status)
		}
	}
}

// The provider's keys may change at any time.
func TestProviderRotatesItsKeys(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{})
	st.browser().logIn("/")
	p.rotate()
	b := st.browser()
	b.open("/")
	b.follow()
	b.open("/oauth2/userinfo")
	b.want(200)
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

// Without a refresh token a login lasts as long as its ID token.
func TestWithoutRefreshToken(t *testing.T) {
	p := newIDP(t)
	p.noRefreshToken, p.iat, p.exp = true, -100*time.Second, 10*time.Second
	st := newStage(t, p, setting{})
	b := st.browser()
	b.logIn("/")
	b.do("GET", "/x", "")
	b.want(200)
	if p.refreshes != 0 {
		t.Errorf("%d refreshes", p.refreshes)
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
