package jwt

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
)

// Whatever a client sends as a token is answered: it is accepted only if it is,
// letter by letter, what the issuer has signed.
func FuzzToken(f *testing.F) {
	p := newParty(f)
	set := p.set(f)
	good := sign(f, "EdDSA", p.ed, claims(`,"exp":1700000100,"groups":["a"]`), map[jose.HeaderKey]any{"kid": "ed"})
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(good + "=")
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(parts[0] + "." + parts[1] + "\n." + parts[2])
	f.Add("." + good + ".")
	f.Add("e30.e30.e30")
	f.Add(hmacked("rsa", p.rsa.N.Bytes()))
	s, r := New(Options{Offline: true}), rule(set)
	f.Fuzz(func(t *testing.T, token string) {
		got, failure := s.Verify(r, token, now)
		switch {
		case got != nil && token != good:
			t.Errorf("accepted %q", token)
		case got == nil && token == good:
			t.Error("the good token is refused: " + failure.String())
		case (got == nil) != (failure.Text != ""):
			t.Errorf("token %v and failure %q", got, failure.Text)
		case got == nil && failure.Status != 401 && failure.Status != 403:
			t.Errorf("status %d", failure.Status)
		}
		if strings.ContainsFunc(failure.Text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the client is told %q", failure.Text)
		}
	})
}

// A key set, whatever it holds, is read or refused.
func FuzzKeys(f *testing.F) {
	p := newParty(f)
	f.Add(p.set(f))
	f.Add(`{"keys":[{"kty":"RSA","n":"AA","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Add(`{"a":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}`)
	f.Add(`{"keys":null}`)
	token := sign(f, "RS256", p.rsa, claims(""), nil)
	f.Fuzz(func(t *testing.T, set string) {
		k, err := readKeys([]byte(set), true)
		if err != nil {
			return
		}
		if len(k.all) == 0 {
			t.Error("a key set without keys is taken")
		}
		for _, one := range k.all {
			if !fits(one.alg, one.public) {
				t.Errorf("key %q of no use is kept", one.id)
			}
		}
		parsed, _ := parse(token)
		k.verify(parsed) // fails, and must not end in a panic
	})
}

func BenchmarkVerify(b *testing.B) {
	p := newParty(b)
	set := p.set(b)
	payload := claims(`,"aud":["app"],"exp":1800000000,"iat":1700000000,"email":"alice@example.com","groups":["team-a","team-b","admins"],"name":"Alice Example"`)
	token := sign(b, "RS256", p.rsa, payload, map[jose.HeaderKey]any{"kid": "rsa"})
	b.Run("known", func(b *testing.B) {
		s, r := New(Options{Offline: true}), rule(set)
		b.ReportAllocs()
		for b.Loop() {
			if t, f := s.Verify(r, token, now); t == nil {
				b.Fatal(f.String())
			}
		}
	})
	b.Run("RS256/new", func(b *testing.B) {
		s, r := New(Options{Offline: true}), rule(set)
		b.ReportAllocs()
		for b.Loop() {
			s.cache.young, s.cache.old = map[uint64]*verified{}, nil
			if t, f := s.Verify(r, token, now); t == nil {
				b.Fatal(f.String())
			}
		}
	})
	b.Run("RS256/library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
			if err != nil {
				b.Fatal(err)
			}
			var claims map[string]any
			if err := t.Claims(p.rsa.Public(), &claims); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("refused", func(b *testing.B) {
		s, r := New(Options{Offline: true}), rule(set)
		b.ReportAllocs()
		for b.Loop() {
			s.Verify(r, "rubbish.rubbish.rubbish", time.Time{})
		}
	})
}
