package plan

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
)

// keyWorld counts wrong keys.
type keyWorld struct {
	Closed
	limiter *apikey.Limiter
	now     time.Time
}

func (w *keyWorld) Now() time.Time  { return w.now }
func (w *keyWorld) Chance() float64 { return 0 }
func (w *keyWorld) ID() [16]byte    { return [16]byte{} }
func (w *keyWorld) WrongKey(source netip.Addr, now time.Time) time.Duration {
	return w.limiter.WrongKey(source, now)
}

func testKey(i int) string { return apikey.New([32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}) }

// keyGuard is a guard with n keys.
func keyGuard(n int) *APIKeys {
	origin := Origin{Ref: object.Ref{Kind: "APIKeySet", Namespace: "ns", Name: "set"}}
	keys := make([]*APIKey, n)
	for i := range keys {
		name := fmt.Sprint("key-", i)
		keys[i] = &APIKey{
			Origin: origin, Name: name, Digests: []apikey.Digest{apikey.Of(testKey(i))}, Header: "x-api-key",
			Token:   match.NewToken(match.Token{Issuer: KeyIssuer, Subject: name}),
			Scopes:  []KeyScope{{Hosts: []string{"api.example.com"}, Paths: []string{"/v1"}, Methods: []string{"GET"}}},
			Outputs: []header.Field{{Name: "x-api-owner", Value: "owner"}},
		}
	}
	return NewAPIKeys(NewKeyRing([]Origin{origin}, keys, []string{"x-api-key"}, []string{"x-api-owner"}), nil)
}

// ask runs the guard alone.
func (g *APIKeys) ask(world World, req *match.Request) (*Outcome, bool) {
	out := new(Outcome)
	out.hops[0].Listener = &Listener{Dialect: Envoy}
	w := &walk{req: req, world: world, out: out, hop: &out.hops[0]}
	return out, g.check(w)
}

func keyRequest(key string) *match.Request {
	return &match.Request{
		Method: "GET", Host: "api.example.com", Target: "/v1/models", Path: "/v1/models", Remote: netip.MustParseAddr("192.0.2.1"),
		Header: header.Fields{{Name: "accept", Value: "*/*"}, {Name: "x-api-key", Value: key}, {Name: "user-agent", Value: "test"}},
	}
}

func TestTooManyWrongKeys(t *testing.T) {
	g := keyGuard(3)
	g.Ring.found[apikey.Of(testKey(1))].Disabled = true
	world := &keyWorld{limiter: new(apikey.Limiter), now: time.Unix(1700000000, 0)}
	status := func(key, remote string) (int, string) {
		req := keyRequest(key)
		req.Remote = netip.MustParseAddr(remote)
		out, stop := g.ask(world, req)
		if !stop {
			return 200, ""
		}
		return out.Reply.Status, out.Reply.Header.Value("retry-after")
	}
	for i := range apikey.Burst {
		if got, _ := status(testKey(i%2*8+1), "192.0.2.1"); got != 401 { // a disabled one, an unknown one
			t.Fatalf("wrong key %d: got %d, want 401", i+1, got)
		}
	}
	for _, c := range []struct {
		key, remote string
		after       time.Duration
		want        int
		wait        string
	}{
		{testKey(9), "192.0.2.1", 0, 429, "6"},
		{testKey(1), "192.0.2.1", 0, 429, "6"},
		{"no key", "192.0.2.1", 1500 * time.Millisecond, 429, "5"},
		{testKey(9), "192.0.2.2", 0, 401, ""},
		{testKey(0), "192.0.2.1", 0, 200, ""}, // a good one is not to suffer from others behind its address
		{testKey(9), "192.0.2.1", 6 * time.Second, 401, ""},
		{testKey(9), "192.0.2.1", 6 * time.Second, 429, "6"},
	} {
		world.now = time.Unix(1700000000, 0).Add(c.after)
		if got, wait := status(c.key, c.remote); got != c.want || wait != c.wait {
			t.Errorf("%s from %s after %v: got %d, retry after %q; want %d, %q", c.key, c.remote, c.after, got, wait, c.want, c.wait)
		}
	}
}

// Nothing but the reason tells a key that exists and does not work from one that
// does not exist.
func TestRefusalsOfKeysAreAlike(t *testing.T) {
	g := keyGuard(4)
	g.Ring.found[apikey.Of(testKey(0))].Disabled = true
	g.Ring.found[apikey.Of(testKey(1))].Expires = time.Unix(1700000000, 0)
	g.Ring.found[apikey.Of(testKey(2))].Broken = "it is broken"
	world := &keyWorld{limiter: new(apikey.Limiter), now: time.Unix(1700000000, 0)}
	var first Reply
	reasons := map[string]bool{}
	for i, key := range []string{testKey(9), testKey(0), testKey(1), testKey(2), "", "dwk_"} {
		out, stop := g.ask(world, keyRequest(key))
		if !stop {
			t.Fatalf("%q is accepted", key)
		}
		reasons[out.Reason] = true
		out.Reply.Reason = ""
		if i == 0 {
			first = out.Reply
		} else if got, want := fmt.Sprint(out.Reply), fmt.Sprint(first); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
	if len(reasons) != 4 {
		t.Errorf("the reasons are %v, want 4", reasons)
	}
}

func TestAKeyEndsAtItsExpiry(t *testing.T) {
	g := keyGuard(1)
	end := time.Unix(1700000000, 0)
	g.Ring.found[apikey.Of(testKey(0))].Expires = end
	for _, c := range []struct {
		now  time.Time
		stop bool
	}{{end.Add(-time.Nanosecond), false}, {end, true}, {end.Add(time.Hour), true}} {
		if _, stop := g.ask(&keyWorld{limiter: new(apikey.Limiter), now: c.now}, keyRequest(testKey(0))); stop != c.stop {
			t.Errorf("at %v: refused is %v, want %v", c.now, stop, c.stop)
		}
	}
}

func TestClimbs(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "/": false, "/a..": false, "/..a": false, "/.../": false, "/.": false, "/a/.b./c": false, "/%2f..%2": false, "/%2e%2f.": false,
		"/..": true, "/../x": true, "/a/..": true, "/..;": true, "/..;v=1/x": true, "/%2e.": true, "/a%2f..": true, "/a%5C..%5c": true, `/a\..`: true, "/..%3Bx": true,
		"/;..": false, "/;/..": true, "/%": false, "/..%": false, "/..%2": false,
	} {
		if got := climbs(path); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}

func TestTheKeyGuardAllocatesNothing(t *testing.T) {
	g, world := keyGuard(100), &keyWorld{now: time.Unix(1700000000, 0)}
	run := g.runner(world)
	if n := testing.AllocsPerRun(100, func() { run(t) }); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

// runner returns a function that has a good key checked over and over.
func (g *APIKeys) runner(world World) func(testing.TB) {
	good := keyRequest(testKey(g.Ring.Keys / 2))
	room := make(header.Fields, 0, 8)
	req, out := *good, new(Outcome)
	out.hops[0].Listener = &Listener{Dialect: Envoy}
	w := &walk{world: world, out: out, hop: &out.hops[0]}
	return func(t testing.TB) {
		req = *good
		req.Header = append(room, good.Header...)
		w.req = &req
		if g.check(w) || req.Token == nil {
			t.Fatal("the key is refused: " + out.Reason)
		}
	}
}

func BenchmarkAPIKeys(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		g, world := keyGuard(n), &keyWorld{now: time.Unix(1700000000, 0)}
		run := g.runner(world)
		b.Run(fmt.Sprint(n, "-keys"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b)
			}
		})
		b.Run(fmt.Sprint(n, "-keys-wrong"), func(b *testing.B) {
			limited := &keyWorld{now: time.Unix(1700000000, 0), limiter: new(apikey.Limiter)}
			req := keyRequest(testKey(n + 1))
			b.ReportAllocs()
			for b.Loop() {
				if _, stop := g.ask(limited, req); !stop {
					b.Fatal("the key is accepted")
				}
			}
		})
	}
}
