package jwt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// authority is an issuer on a network in memory. Its clock is the test's.
type authority struct {
	conns   chan net.Conn
	server  *http.Server
	away    atomic.Bool // nobody answers
	set     atomic.Pointer[string]
	fetches atomic.Int64
	dialled atomic.Pointer[string]
	mu      sync.Mutex       // guards:
	handler http.HandlerFunc // nil: gives the set
}

func (a *authority) use(h http.HandlerFunc) {
	a.mu.Lock()
	a.handler = h
	a.mu.Unlock()
}

func newAuthority(t *testing.T) *authority {
	a := &authority{conns: make(chan net.Conn)}
	a.server = &http.Server{Handler: a}
	go a.server.Serve(a)
	t.Cleanup(func() { a.server.Close() })
	return a
}

func (a *authority) publish(set string) { a.set.Store(&set) }

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	h := a.handler
	a.mu.Unlock()
	if h != nil {
		h(w, r)
		return
	}
	a.fetches.Add(1)
	fmt.Fprint(w, *a.set.Load())
}

func (a *authority) Accept() (net.Conn, error) {
	c, ok := <-a.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (a *authority) Close() error   { close(a.conns); return nil }
func (a *authority) Addr() net.Addr { return &net.TCPAddr{} }

func (a *authority) dial(ctx context.Context, _, address string) (net.Conn, error) {
	a.dialled.Store(&address)
	if a.away.Load() {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	select {
	case a.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *authority) rule() *plan.TokenRule {
	return &plan.TokenRule{
		Origin: plan.Origin{Ref: object.Ref{Kind: "RequestAuthentication", Namespace: "istio-system", Name: "jwt"}, Field: "spec.jwtRules[0]"},
		Issuer: issuer, Keys: plan.KeySource{Key: "remote", URI: "http://issuer.example/keys"},
	}
}

// planOf is a plan whose one gateway has these rules.
func planOf(rules ...*plan.TokenRule) *plan.Plan {
	var b plan.Builder
	b.Add(&plan.Listener{Key: "istio-system/gw:80", Dialect: plan.Envoy, Guards: []plan.Guard{plan.NewTokens(rules)}})
	return b.Build()
}

func setOf(t testing.TB, kid string, public any) string {
	t.Helper()
	data, err := (&jose.JSONWebKey{KeyID: kid, Key: public}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys":[` + string(data) + `]}`
}

// verify verifies by the test's clock, and returns what is told.
func verify(s *Store, r *plan.TokenRule, token string) string {
	_, f := s.Verify(r, token, time.Now())
	return f.String()
}

func TestOutage(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), map[jose.HeaderKey]any{"kid": "k"})
	inline := rule(p.set(t))
	inlined := sign(t, "EdDSA", p.ed, claims(""), nil)
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.publish(setOf(t, "k", p.ed.Public()))
		a.away.Store(true)
		var log bytes.Buffer
		s := New(Options{Dial: a.dial, Log: slog.New(slog.NewTextHandler(&log, nil))})
		defer s.Close()
		r := a.rule()
		s.Sync(planOf(r, inline))
		synctest.Wait()

		// Away from the start: its tokens are refused and operators told why; another issuer is not harmed.
		if got := verify(s, r, token); !strings.HasPrefix(got, notFetched+": ") || !strings.Contains(got, "connection refused") {
			t.Errorf("away: got %q", got)
		}
		if _, f := s.Verify(r, token, now); strings.Contains(f.Text, "refused") {
			t.Errorf("the client is told %q", f.Text)
		}
		if got := verify(s, inline, inlined); got != "" {
			t.Errorf("another issuer's token: %s", got)
		}
		if f := s.Failures(); len(f) != 1 || f[0].Issuer != issuer || f[0].Kept || !strings.Contains(f[0].Err.Error(), "connection refused") {
			t.Errorf("failures: %v", f)
		}
		if n := strings.Count(log.String(), "cannot be fetched"); n != 1 {
			t.Errorf("the log tells %d times:\n%s", n, &log)
		}

		// It is asked again within seconds, and then ever more seldom.
		time.Sleep(3 * time.Second)
		synctest.Wait()
		a.away.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := verify(s, r, token); got != "" {
			t.Errorf("back again: %s", got)
		}
		if len(s.Failures()) != 0 || strings.Count(log.String(), "fetched again") != 1 {
			t.Errorf("back again: %v\n%s", s.Failures(), &log)
		}

		// Away later: the last good keys go on.
		a.away.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := verify(s, r, token); got != "" {
			t.Errorf("away later: %s", got)
		}
		if f := s.Failures(); len(f) != 1 || !f[0].Kept {
			t.Errorf("away later: failures %v", f)
		}
	})
}

// How often an issuer is asked that is away: in seconds first, then about once a minute.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		s := New(Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			at = append(at, time.Since(began))
			return nil, errors.New("no route to host")
		}})
		defer s.Close()
		r := new(authority).rule()
		s.Sync(planOf(r))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(at) < 12 || len(at) > 18 {
			t.Errorf("%d tries in 10 minutes: %v", len(at), at)
		}
		if at[0] != 0 || at[1] > 2*time.Second {
			t.Errorf("the first tries are at %v", at[:3])
		}
	})
}

// A request that comes before the first fetch has ended waits for it.
func TestFirstRequestWaits(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.publish(setOf(t, "k", p.ed.Public()))
		a.handler = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Second)
			fmt.Fprint(w, *a.set.Load())
		}
		s := New(Options{Dial: a.dial})
		defer s.Close()
		r := a.rule()
		s.Sync(planOf(r))
		began := time.Now()
		if got := verify(s, r, token); got != "" || time.Since(began) != 2*time.Second {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
	})
}

// An issuer that accepts connections and says nothing holds up nobody for long.
func TestSilentIssuer(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.handler = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		s := New(Options{Dial: a.dial})
		defer s.Close()
		r := a.rule()
		r.Keys.Timeout = time.Minute
		s.Sync(planOf(r))
		began := time.Now()
		if got := verify(s, r, token); !strings.HasPrefix(got, notFetched) || time.Since(began) > waitMax {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
	})
}

// Keys are changed: the first token that the new key has signed is accepted, those of
// a key that is withdrawn are not, although they were verified before.
func TestRotation(t *testing.T) {
	p := newParty(t)
	old := sign(t, "EdDSA", p.ed, claims(""), map[jose.HeaderKey]any{"kid": "old"})
	fresh := sign(t, "ES256", p.ec["ES256"], claims(""), map[jose.HeaderKey]any{"kid": "new"})
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.publish(setOf(t, "old", p.ed.Public()))
		s := New(Options{Dial: a.dial})
		defer s.Close()
		r := a.rule()
		s.Sync(planOf(r))
		if got := verify(s, r, old); got != "" {
			t.Fatal(got)
		}
		a.publish(setOf(t, "new", p.ec["ES256"].Public()))
		time.Sleep(unseenGap)
		if got := verify(s, r, fresh); got != "" {
			t.Errorf("the new key: %s", got)
		}
		if got := verify(s, r, old); !strings.HasPrefix(got, noKey) {
			t.Errorf("the old key: got %q", got)
		}
		// Unknown kids do not make us ask all the time.
		before := a.fetches.Load()
		for range 1000 {
			verify(s, r, old)
			time.Sleep(20 * time.Millisecond)
		}
		if n := a.fetches.Load() - before; n > 5 {
			t.Errorf("1000 unknown kids in 20 seconds made %d fetches", n)
		}
		// Nothing asks for it, and the keys are still taken up.
		a.publish(setOf(t, "old", p.ed.Public()))
		time.Sleep(refresh * 6 / 5)
		synctest.Wait()
		if got := verify(s, r, old); got != "" {
			t.Errorf("after the refresh: %s", got)
		}
	})
}

// An answer that is no key set changes nothing.
func TestBadAnswersKeepTheKeys(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"an error page":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "status 500"},
		"HTML":            {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "no JSON"},
		"no keys":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) }, "no key"},
		"a symmetric key": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[{"kty":"oct","k":"AAAA"}]}`) }, "verifies no token"},
		"too much":        {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxDocument+1)) }, "more than"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("{"))
		}, "EOF"},
		"a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "no http or https URL"},
		"round in a circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				a.publish(setOf(t, "k", p.ed.Public()))
				s := New(Options{Dial: a.dial})
				defer s.Close()
				r := a.rule()
				s.Sync(planOf(r))
				synctest.Wait()
				a.use(c.handler)
				time.Sleep(refresh * 3 / 2)
				synctest.Wait()
				if f := s.Failures(); len(f) != 1 || !strings.Contains(f[0].Err.Error(), c.want) {
					t.Errorf("failures %v, want %q", f, c.want)
				}
				if got := verify(s, r, token); got != "" {
					t.Errorf("the last good keys are not used: %s", got)
				}
			})
		})
	}
}

func TestDiscovery(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, `{"iss":"http://dex.auth.svc.cluster.local:5556/dex/"}`, nil)
	for _, c := range []struct{ name, uri, want string }{
		{"as it should be", "http://dex.auth.svc.cluster.local:5556/dex/keys", ""},
		{"elsewhere", "http://elsewhere.example/dex/keys", ""},
		{"a file", "file:///etc/passwd", "no http or https URL"},
		{"none", "", "no http or https URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				var asked []string
				a.handler = func(w http.ResponseWriter, r *http.Request) {
					asked = append(asked, r.Host+r.URL.Path)
					if strings.HasSuffix(r.URL.Path, "/keys") {
						fmt.Fprint(w, setOf(t, "k", p.ed.Public()))
						return
					}
					fmt.Fprintf(w, `{"issuer":"x","jwks_uri":%q}`, c.uri)
				}
				s := New(Options{Dial: a.dial})
				defer s.Close()
				r := a.rule()
				r.Issuer, r.Keys.URI = "http://dex.auth.svc.cluster.local:5556/dex/", ""
				r.Keys.Backend = &plan.Backend{Key: "dex", Endpoints: []plan.Endpoint{{Address: "192.0.2.9:5556"}}}
				s.Sync(planOf(r))
				got := verify(s, r, token)
				if c.want != "" && !strings.Contains(got, c.want) || c.want == "" && got != "" {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if asked[0] != "dex.auth.svc.cluster.local:5556/dex/.well-known/openid-configuration" {
					t.Errorf("asked %q", asked)
				}
				want := "192.0.2.9:5556" // the Service is reached at its endpoint
				if c.name == "elsewhere" {
					want = "elsewhere.example:80"
				}
				if got := *a.dialled.Load(); got != want {
					t.Errorf("dialled %s, want %s", got, want)
				}
			})
		})
	}
}

// No way leads from https to http.
func TestFollows(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"http://a/", "http://b/", true}, {"http://a/", "https://b/", true}, {"https://a/", "https://b/", true},
		{"https://a/", "http://b/", false}, {"HTTPS://a/", "http://b/", false}, {"https://a/", "ftp://b/", false},
		{"http://a/", "/relative", false}, {"http://a/", "http:///x", false}, {"http://a/", "://", false},
	} {
		if err := follows(c.from, c.to); (err == nil) != c.ok {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}

// A Service without endpoint, or that does not exist, is told as such.
func TestBackendWithoutEndpoint(t *testing.T) {
	s := New(Options{})
	for _, b := range []*plan.Backend{{Key: "outbound|80||dex"}, {Missing: "there is no Service dex"}} {
		if _, err := s.dialBackend(t.Context(), "tcp", b); err == nil || !strings.Contains(err.Error(), "dex") {
			t.Errorf("got %v", err)
		}
	}
}

// Keys survive a restart while the issuer is away.
func TestState(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.publish(setOf(t, "k", p.ed.Public()))
		r := a.rule()
		run := func(want string) {
			t.Helper()
			s := New(Options{Dial: a.dial, State: dir})
			defer s.Close()
			s.Sync(planOf(r))
			synctest.Wait()
			if got := verify(s, r, token); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		run("")
		a.away.Store(true)
		run("")
		// A tool that fetches nothing reads them, too, and does not without.
		if got := verify(New(Options{Offline: true, State: dir}), r, token); got != "" {
			t.Errorf("offline, with the kept keys: %q", got)
		}
		if got := verify(New(Options{Offline: true}), r, token); !strings.Contains(got, "give --claims") {
			t.Errorf("offline, without keys: %q", got)
		}
		kept, _ := filepath.Glob(filepath.Join(dir, "jwks", "*"))
		if len(kept) != 1 {
			t.Fatalf("kept: %v", kept)
		}
		if info, _ := os.Stat(kept[0]); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", kept[0], info.Mode())
		}
		if err := os.WriteFile(kept[0], []byte(`{"keys":`), 0o600); err != nil {
			t.Fatal(err)
		}
		run(notFetched)
	})
}

// Sync keeps what stays, with its keys and verified tokens, and forgets the rest a plan later.
func TestSync(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		a.publish(setOf(t, "k", p.ed.Public()))
		s := New(Options{Dial: a.dial})
		defer s.Close()
		r := a.rule()
		for range 3 {
			again := *r // each plan has rules of its own
			s.Sync(planOf(&again))
			if got := verify(s, &again, token); got != "" {
				t.Fatal(got)
			}
		}
		if n := a.fetches.Load(); n != 1 {
			t.Errorf("%d fetches for three plans", n)
		}
		s.Sync(planOf())
		if got := verify(s, r, token); got != "" {
			t.Errorf("a request under way is refused: %s", got)
		}
		s.Sync(planOf())
		if got := verify(s, r, token); got == "" {
			t.Error("a rule that is gone still verifies")
		}
		time.Sleep(2 * refresh)
		synctest.Wait()
		if n := a.fetches.Load(); n != 1 {
			t.Errorf("what is not needed was fetched again, %d times", n-1)
		}
	})
}

// An issuer may say that its keys are at another Service: it is reached at its endpoints,
// by every name that a Pod could use for it. Other hosts are not.
func TestKeysAtAnotherService(t *testing.T) {
	p := newParty(t)
	token := sign(t, "EdDSA", p.ed, `{"iss":"http://issuer.example","sub":"alice"}`, nil)
	for _, c := range []struct{ uri, dialled string }{
		{"http://keys.idp.svc.cluster.local/keys", "192.0.2.1:8080"},
		{"http://keys.idp.svc:80/keys", "192.0.2.1:8080"},
		{"http://Keys.idp/keys", "192.0.2.1:8080"},
		{"http://keys.idp.svc.cluster.local:81/keys", "keys.idp.svc.cluster.local:81"},
		{"http://keys.example.com/keys", "keys.example.com:80"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			set := setOf(t, "k", p.ed.Public())
			a.use(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "openid-configuration") {
					fmt.Fprintf(w, `{"jwks_uri":%q}`, c.uri)
					return
				}
				fmt.Fprint(w, set)
			})
			r := a.rule()
			r.Issuer, r.Keys.URI = "http://issuer.example", ""
			r.Keys.Services = map[string][]plan.Endpoint{"keys.idp.svc.cluster.local:80": {{Address: "192.0.2.1:8080"}}}
			s := New(Options{Dial: a.dial})
			defer s.Close()
			s.Sync(planOf(r))
			synctest.Wait()
			if got := verify(s, r, token); got != "" {
				t.Errorf("%s: %s", c.uri, got)
			}
			if got := *a.dialled.Load(); got != c.dialled {
				t.Errorf("%s: reached at %s, want %s", c.uri, got, c.dialled)
			}
		})
	}
}
