package plan

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// counted is a World whose ids are 1, 1, 1, ...
type counted struct{ Closed }

func (counted) Now() time.Time  { return time.Time{} }
func (counted) Chance() float64 { return 0 }
func (counted) ID() (id [16]byte) {
	for i := range id {
		id[i] = 1
	}
	return id
}

func TestHashOf(t *testing.T) {
	fields := func(lines ...string) (f header.Fields) {
		for _, l := range lines {
			k, v, _ := strings.Cut(l, ": ")
			f.Add(k, v)
		}
		return f
	}
	for _, c := range []struct {
		name  string
		hash  Hash
		req   match.Request
		key   string
		ok    bool
		setit string
	}{
		{"header", Hash{Header: "x-user"}, match.Request{Header: fields("x-user: alice")}, "alice", true, ""},
		{"empty header", Hash{Header: "x-user"}, match.Request{Header: fields("x-user: ")}, "", true, ""},
		{"no header", Hash{Header: "x-user"}, match.Request{Header: fields("x-users: alice")}, "", false, ""},
		{"repeated header", Hash{Header: "x-user"}, match.Request{Header: fields("x-user: bob", "x-user: alice")}, "alice\x00bob", true, ""},
		{"repeated header, other order", Hash{Header: "x-user"}, match.Request{Header: fields("x-user: alice", "x-user: bob")}, "alice\x00bob", true, ""},
		{"authority", Hash{Header: ":authority"}, match.Request{Host: "a:80"}, "a:80", true, ""},
		{"host", Hash{Header: "host"}, match.Request{Host: "a:80"}, "a:80", true, ""},
		{"cookie", Hash{Cookie: "id", Generate: true}, match.Request{Header: fields("cookie: xid=1; id=2; id=3")}, "2", true, ""},
		{"quoted cookie", Hash{Cookie: "id"}, match.Request{Header: fields(`cookie: id="2"`)}, "2", true, ""},
		{"cookie in a second line", Hash{Cookie: "id"}, match.Request{Header: fields("cookie: a=b", "cookie: id=2")}, "2", true, ""},
		{"cookie without value", Hash{Cookie: "id"}, match.Request{Header: fields("cookie: id")}, "", false, ""},
		{"no cookie, none is set", Hash{Cookie: "id", TTL: time.Hour}, match.Request{}, "", false, ""},
		{"no cookie, a session's is set", Hash{Cookie: "id", Generate: true}, match.Request{},
			"0101010101010101", true, `id="0101010101010101"; HttpOnly`},
		{"no cookie, one is set", Hash{Cookie: "id", Generate: true, TTL: 90*time.Second + 1, Path: "/app", Attributes: []string{"Secure", "SameSite=Lax"}}, match.Request{},
			"0101010101010101", true, `id="0101010101010101"; Max-Age=90; Path=/app; Secure; SameSite=Lax; HttpOnly`},
		{"empty cookie, one is set", Hash{Cookie: "id", Generate: true}, match.Request{Header: fields("cookie: id=")},
			"0101010101010101", true, `id="0101010101010101"; HttpOnly`},
		{"source address", Hash{SourceIP: true}, match.Request{Peer: netip.MustParseAddr("10.0.0.1")}, "10.0.0.1", true, ""},
		{"source address behind a trusted proxy", Hash{SourceIP: true},
			match.Request{Peer: netip.MustParseAddr("10.0.0.1"), Header: fields("x-envoy-external-address: 192.0.2.1")}, "192.0.2.1", true, ""},
		{"query", Hash{Query: "u"}, match.Request{Query: "uu=0&u=%41&u=2"}, "%41", true, ""},
		{"empty query value", Hash{Query: "u"}, match.Request{Query: "u"}, "", true, ""},
		{"no query", Hash{Query: "u"}, match.Request{}, "", false, ""},
		{"nothing", Hash{}, match.Request{}, "", false, ""},
	} {
		key, ok, set := c.hash.Of(&c.req, counted{})
		if key != c.key || ok != c.ok || set != c.setit {
			t.Errorf("%s: got %q, %v, %q; want %q, %v, %q", c.name, key, ok, set, c.key, c.ok, c.setit)
		}
	}
}

// TestHashComesFromWhatWasReceived: the route's own edits do not count, the
// client cannot choose the address that it is taken for, and only an answer of
// the upstream carries the cookie.
func TestHashComesFromWhatWasReceived(t *testing.T) {
	backend := &Backend{Key: "b", Endpoints: []Endpoint{{Address: "192.0.2.1:80"}}, Balance: BalanceHash}
	var b Builder
	b.Add(&Listener{Key: "g", Dialect: Envoy, Chains: []*Chain{{Hosts: []*Host{{Name: "*", Routes: []*Route{{
		Rule:    match.Rule{Path: match.Text{Op: match.Prefix, Value: "/"}},
		Filters: []Filter{&HeaderRoute{Headers{Request: HeaderEdits{Set: []HeaderValue{{"x-user", Literal("route")}}}}}},
		Action:  &Forward{To: []Destination{{Backend: backend}}, Rewrite: &Rewrite{Whole: true, With: "/new"}},
	}}}}}}})
	p := b.Build()
	walk := func(h Hash) (*Outcome, *match.Request) {
		backend.Hash = &h
		r := &match.Request{Peer: netip.MustParseAddr("10.0.0.1"), Method: "GET", Host: "a", Target: "/old", Major: 1, Minor: 1,
			Header: header.Fields{{Name: "x-user", Value: "alice"}, {Name: "x-envoy-external-address", Value: "6.6.6.6"}}}
		var out Outcome
		p.Walk(p.Listener("g"), r, counted{}, nil, &out)
		return &out, r
	}
	if out, r := walk(Hash{Header: "x-user"}); out.HashKey != "alice" || !out.Hashed || r.Header.Value("x-user") != "route" {
		t.Errorf("header: got %q, %v", out.HashKey, out.Hashed)
	}
	if out, _ := walk(Hash{Header: ":path"}); out.HashKey != "/old" {
		t.Errorf("path: got %q", out.HashKey)
	}
	if out, _ := walk(Hash{SourceIP: true}); out.HashKey != "10.0.0.1" {
		t.Errorf("address: got %q", out.HashKey)
	}
	out, r := walk(Hash{Cookie: "id", Generate: true})
	var f header.Fields
	f.Add("set-cookie", "theirs=1")
	out.EditResponse(200, &f, 0, true)
	if got, _ := f.Joined("set-cookie", " | "); got != `theirs=1 | id="0101010101010101"; HttpOnly` {
		t.Errorf("cookie: got %q", got)
	}
	out.AnswerAt(0, r, Reply{Status: 504})
	f = nil
	out.EditResponse(504, &f, 0, false)
	if got, ok := f.Get("set-cookie"); ok {
		t.Errorf("an answer of the gateway's own sets %q", got)
	}
}

// Taking a hash costs no memory, but for a cookie that is set.
func TestHashAllocates(t *testing.T) {
	r := &match.Request{Query: "u=1", Header: header.Fields{{Name: "x-user", Value: "alice"}, {Name: "cookie", Value: "a=b; id=2"}, {Name: "x-envoy-external-address", Value: "10.0.0.1"}}}
	for _, h := range []Hash{{Header: "x-user"}, {Header: "x-none"}, {Cookie: "id", Generate: true}, {SourceIP: true}, {Query: "u"}} {
		if n := testing.AllocsPerRun(100, func() { h.Of(r, counted{}) }); n != 0 {
			t.Errorf("%+v: %v allocations", h, n)
		}
	}
}
