package login_test

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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
	st.counted(`logins_total{provider="istio-system/oauth2-proxy",result="success"} 3`,
		`login_refreshes_total{provider="istio-system/oauth2-proxy",result="success"} 0`,
		`login_refreshes_total{provider="istio-system/oauth2-proxy",result="ended"} 2`,
		`login_refreshes_total{provider="istio-system/oauth2-proxy",result="unavailable"} 1`)
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
