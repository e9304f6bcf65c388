package login

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newManager is a Manager with one provider, which is discovered and nothing else.
func newManager(t testing.TB) (*Manager, *plan.LoginProvider, *clock) {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(strings.ReplaceAll(`{"issuer":"U","authorization_endpoint":"U/a","token_endpoint":"U/t","jwks_uri":"U/k"}`, "U", s.URL)))
	}))
	t.Cleanup(s.Close)
	c := &clock{at: time.Unix(1_700_000_000, 0)}
	m, err := New(Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	p := &plan.LoginProvider{
		Key: "ns/login", Issuer: s.URL, ClientID: "c", Callback: "/oauth2/callback", Cookie: "kf", GroupsClaim: "groups",
		SessionLifetime: 24 * time.Hour, Authorization: true, XAuthRequest: true, Scopes: []string{"openid"},
	}
	m.Sync([]*plan.LoginProvider{p})
	return m, p, c
}

func visit(page plan.LoginPage, cookies ...header.Field) *plan.Visit {
	return &plan.Visit{Page: page, Navigation: true, Method: "GET", Scheme: "https", Host: "a.example", Target: "/x", Cookies: cookies}
}

// set is a Set-Cookie line as a cookie.
func set(t *testing.T, line string) header.Field {
	t.Helper()
	c, err := http.ParseSetCookie(line)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return header.Field{Name: c.Name, Value: c.Value}
}

func TestLoginTakesTooLong(t *testing.T) {
	m, p, c := newManager(t)
	e := m.Login(context.Background(), p, visit(plan.NoLoginPage))
	if e.Reply == nil || e.Reply.Status != 302 || len(e.Cookies) != 1 {
		t.Fatalf("got %+v", e)
	}
	to, err := url.Parse(e.Reply.Header.Value("location"))
	if err != nil {
		t.Fatal(err)
	}
	back := visit(plan.LoginCallback, set(t, e.Cookies[0]))
	back.Query = url.Values{"state": {to.Query().Get("state")}, "code": {"x"}}.Encode()
	c.advance(patience + time.Second)
	if e := m.Login(context.Background(), p, back); e.Reply.Status != 403 || !strings.Contains(e.Why, "took longer") {
		t.Errorf("after %s: %d %s", patience, e.Reply.Status, e.Why)
	}
	c.advance(-2 * time.Second)
	if e := m.Login(context.Background(), p, back); e.Reply.Status != 503 { // the provider fails
		t.Errorf("in time: %d %s", e.Reply.Status, e.Why)
	}
	if e := m.Login(context.Background(), p, back); e.Reply.Status != 403 || !strings.Contains(e.Why, "used before") {
		t.Errorf("again: %d %s", e.Reply.Status, e.Why)
	}
}

// sealed is a session whose ID token ends after life.
func sealed(t testing.TB, m *Manager, p *plan.LoginProvider, life time.Duration, refresh string) header.Field {
	t.Helper()
	s := m.sites[p.Key]
	now := m.o.Now()
	x := &session{ID: random(), Began: now.Unix(), IDToken: unsigned(now, now.Add(life)), Refresh: refresh}
	if err := x.readToken("groups"); err != nil {
		t.Fatal(err)
	}
	text, err := s.seal(x)
	if err != nil {
		t.Fatal(err)
	}
	return header.Field{Name: p.Cookie, Value: text}
}

func TestSessionsEnd(t *testing.T) {
	m, p, c := newManager(t)
	long, short, renewable := sealed(t, m, p, 1000*time.Hour, ""), sealed(t, m, p, time.Hour, ""), sealed(t, m, p, time.Hour, "r")
	status := func(f header.Field) int {
		v := visit(plan.NoLoginPage, f)
		v.Navigation = false
		e := m.Login(context.Background(), p, v)
		if e.Reply == nil {
			return 200
		}
		return e.Reply.Status
	}
	check := func(when string, want ...int) {
		t.Helper()
		for i, f := range []header.Field{long, short, renewable} {
			if got := status(f); got != want[i] {
				t.Errorf("%s, session %d: got %d, want %d", when, i, got, want[i])
			}
		}
	}
	check("at first", 200, 200, 200)
	c.advance(time.Hour - 30*time.Second)
	check("when a refresh is due and the provider fails", 200, 200, 200)
	c.advance(time.Minute)
	check("when the tokens have ended", 200, 401, 503)
	c.advance(p.SessionLifetime)
	check("when the lifetime is over", 401, 401, 401)
}

// A session is of one provider, client and LoginProvider.
func TestSessionsAreBound(t *testing.T) {
	m, p, _ := newManager(t)
	f := sealed(t, m, p, time.Hour, "")
	for what, change := range map[string]func(*plan.LoginProvider){
		"another client":        func(q *plan.LoginProvider) { q.ClientID = "d" },
		"another LoginProvider": func(q *plan.LoginProvider) { q.Key = "ns/other" },
		"the same":              func(*plan.LoginProvider) {},
	} {
		q := *p
		change(&q)
		m.Sync([]*plan.LoginProvider{&q})
		v := visit(plan.LoginAuth, f)
		want := 401
		if what == "the same" {
			want = 202
		}
		if e := m.Login(context.Background(), &q, v); e.Reply.Status != want {
			t.Errorf("%s: status %d, want %d", what, e.Reply.Status, want)
		}
	}
}

func TestForgetOldest(t *testing.T) {
	now := time.Unix(1000, 0)
	m := map[string]time.Time{"over": now, "a": now.Add(1), "b": now.Add(2), "c": now.Add(3)}
	forgetOldest(m, now, 2, func(t time.Time) time.Time { return t })
	if len(m) != 2 || m["b"].IsZero() || m["c"].IsZero() {
		t.Errorf("left are %v", m)
	}
}

// Opening a session again costs no unsealing.
func BenchmarkVisit(b *testing.B) {
	m, p, _ := newManager(b)
	v := visit(plan.NoLoginPage, sealed(b, m, p, time.Hour, ""))
	for b.Loop() {
		if e := m.Login(context.Background(), p, v); e.Reply != nil {
			b.Fatal(e.Why)
		}
	}
}

// unsigned is an ID token as a session keeps it; nobody looks at its signature.
func unsigned(iat, exp time.Time) string {
	claims := fmt.Sprintf(`{"sub":"u1","email":"alice@example.com","groups":["a"],"iat":%d,"exp":%d}`, iat.Unix(), exp.Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}
