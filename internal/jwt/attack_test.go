package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/plan"
)

const issuer = "https://issuer.example"

// now is the clock of the tests.
var now = time.Unix(1700000000, 0)

// party is somebody with keys of all kinds.
type party struct {
	rsa   *rsa.PrivateKey
	ec    map[string]*ecdsa.PrivateKey // by algorithm
	ed    ed25519.PrivateKey
	other *rsa.PrivateKey // known to nobody
}

func newParty(t testing.TB) *party {
	t.Helper()
	p := &party{ec: map[string]*ecdsa.PrivateKey{}}
	var err [6]error
	p.rsa, err[0] = rsa.GenerateKey(rand.Reader, 2048)
	p.other, err[1] = rsa.GenerateKey(rand.Reader, 2048)
	p.ec["ES256"], err[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.ec["ES384"], err[3] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p.ec["ES512"], err[4] = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, p.ed, err[5] = ed25519.GenerateKey(rand.Reader)
	for _, e := range err {
		if e != nil {
			t.Fatal(e)
		}
	}
	return p
}

// set is the public key set.
func (p *party) set(t testing.TB, more ...jose.JSONWebKey) string {
	t.Helper()
	s := jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{
		{KeyID: "rsa", Key: p.rsa.Public()}, {KeyID: "es256", Key: p.ec["ES256"].Public()}, {KeyID: "es384", Key: p.ec["ES384"].Public()},
		{KeyID: "es512", Key: p.ec["ES512"].Public()}, {KeyID: "ed", Key: p.ed.Public()}, {KeyID: "fixed", Algorithm: "RS256", Key: p.rsa.Public()},
	}, more...)}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// key is the private key for an algorithm.
func (p *party) key(alg string) any {
	switch alg[:2] {
	case "ES":
		return p.ec[alg]
	case "Ed":
		return p.ed
	}
	return p.rsa
}

func claims(more string) string { return `{"iss":"` + issuer + `","sub":"alice"` + more + `}` }

// sign signs with the library: what it makes is what clients bring.
func sign(t testing.TB, alg string, key any, payload string, head map[jose.HeaderKey]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, &jose.SignerOptions{ExtraHeaders: head})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// written signs a header that no library would write, by RS256.
func (p *party) written(t testing.TB, head, payload string) string {
	t.Helper()
	signed := strict.EncodeToString([]byte(head)) + "." + strict.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + strict.EncodeToString(sig)
}

// hmacked is a token whose HMAC secret is something that is public.
func hmacked(kid string, secret []byte) string {
	signed := strict.EncodeToString([]byte(`{"alg":"HS256","kid":"`+kid+`"}`)) + "." + strict.EncodeToString([]byte(claims("")))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + strict.EncodeToString(mac.Sum(nil))
}

func rule(set string) *plan.TokenRule {
	return &plan.TokenRule{Issuer: issuer, Keys: plan.KeySource{Key: "k" + set, Inline: set}}
}

func TestAlgorithms(t *testing.T) {
	p := newParty(t)
	s, r := New(Options{Offline: true}), rule(p.set(t))
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		kid := map[string]string{"R": "rsa", "P": "rsa", "Ed": "ed"}[alg[:1]]
		if kid == "" {
			kid = strings.ToLower(strings.Replace(alg, "EdDSA", "ed", 1))
		}
		for name, head := range map[string]map[jose.HeaderKey]any{"with kid": {"kid": kid}, "without kid": nil} {
			token := sign(t, alg, p.key(alg), claims(`,"azp":"ui","aud":["a","b"]`), head)
			for range 2 { // the second time it is known
				got, f := s.Verify(r, token, now)
				if got == nil {
					t.Fatalf("%s %s: %s", alg, name, f.String())
				}
				if got.Principal() != issuer+"/alice" || got.Presenter != "ui" || len(got.Audiences) != 2 || got.Raw != token || got.Payload != strings.Split(token, ".")[1] {
					t.Errorf("%s %s: got %+v", alg, name, got)
				}
			}
		}
		if _, f := s.Verify(r, sign(t, alg, p.key(alg), claims(""), map[jose.HeaderKey]any{"kid": "nobody"}), now); f.Text != noKey {
			t.Errorf("%s, unknown kid: got %q, want %q", alg, f.Text, noKey)
		}
	}
}

// No token that the issuer has not signed is accepted, and each is told as Envoy
// tells it.
func TestAttacks(t *testing.T) {
	p := newParty(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := p.set(t,
		jose.JSONWebKey{KeyID: "oct", Key: []byte("a secret that is in the key set of all things")},
		jose.JSONWebKey{KeyID: "enc", Use: "enc", Key: p.other.Public()},
	)
	der := x509.MarshalPKCS1PublicKey(&p.rsa.PublicKey)
	spki, _ := x509.MarshalPKIXPublicKey(&p.rsa.PublicKey)
	good := sign(t, "RS256", p.rsa, claims(""), map[jose.HeaderKey]any{"kid": "rsa"})
	parts := strings.Split(good, ".")
	signature, _ := decode(parts[2])
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: p.other.Public()})
	own := func(head map[jose.HeaderKey]any) string { return sign(t, "RS256", p.other, claims(""), head) }
	zero := strict.EncodeToString(make([]byte, 64))
	for _, c := range []struct{ name, token, want string }{
		{"alg none, no signature", strict.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", badForm},
		{"alg none, some signature", strict.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2], "Jwt header [alg] is not supported"},
		{"alg None", strict.EncodeToString([]byte(`{"alg":"NoNe"}`)) + "." + parts[1] + "." + parts[2], "Jwt header [alg] is not supported"},
		{"alg none first, RS256 last", strict.EncodeToString([]byte(`{"alg":"none","alg":"RS256","kid":"rsa"}`)) + "." + parts[1] + "." + parts[2], wrongSignature},
		{"alg RS256 first, none last", p.written(t, `{"alg":"RS256","alg":"none"}`, claims("")), "Jwt header [alg] is not supported"},
		{"alg in capitals", p.written(t, `{"ALG":"RS256"}`, claims("")), "Jwt header [alg] field is required and must be a string"},
		{"alg is a number", p.written(t, `{"alg":256}`, claims("")), "Jwt header [alg] field is required and must be a string"},
		{"kid is a number", p.written(t, `{"alg":"RS256","kid":1}`, claims("")), "Jwt header [kid] field is not a string"},
		{"HMAC with the public key, PEM", hmacked("rsa", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), wrongSignature},
		{"HMAC with the public key, DER", hmacked("rsa", der), wrongSignature},
		{"HMAC with the modulus", hmacked("rsa", p.rsa.N.Bytes()), wrongSignature},
		{"HMAC with the key set", hmacked("rsa", []byte(set)), wrongSignature},
		{"HMAC where the key has an algorithm", hmacked("fixed", der), noKey},
		{"HMAC with another secret than the set's", hmacked("oct", []byte("another secret than that of the key set")), wrongSignature},
		{"another key, known kid", own(map[jose.HeaderKey]any{"kid": "rsa"}), wrongSignature},
		{"another key, no kid", own(nil), wrongLength},
		{"another key under the kid of an Ed25519 key", own(map[jose.HeaderKey]any{"kid": "ed"}), wrongLength},
		{"the key for encryption", own(map[jose.HeaderKey]any{"kid": "enc"}), noKey},
		{"a key in the header", own(map[jose.HeaderKey]any{"kid": "rsa", "jwk": json.RawMessage(jwk)}), wrongSignature},
		{"a key set's URL in the header", own(map[jose.HeaderKey]any{"kid": "evil", "jku": "https://evil.example/keys"}), noKey},
		{"a certificate's URL in the header", own(map[jose.HeaderKey]any{"kid": "rsa", "x5u": "https://evil.example/cert"}), wrongSignature},
		{"the right key, unknown crit", p.written(t, `{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`, claims("")), wrongSignature},
		{"the right key, crit without names", p.written(t, `{"alg":"RS256","kid":"rsa","crit":[]}`, claims("")), wrongSignature},
		{"the right key, crit b64", p.written(t, `{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`, claims("")), wrongSignature},
		{"ES256 under an RSA key", sign(t, "ES256", p.ec["ES256"], claims(""), map[jose.HeaderKey]any{"kid": "rsa"}), wrongSignature},
		{"RS256 under an EC key", sign(t, "RS256", p.rsa, claims(""), map[jose.HeaderKey]any{"kid": "es256"}), wrongSignature},
		{"RS512 where the key says RS256", sign(t, "RS512", p.rsa, claims(""), map[jose.HeaderKey]any{"kid": "fixed"}), noKey},
		{"ES256, a signature of zeros", strict.EncodeToString([]byte(`{"alg":"ES256","kid":"es256"}`)) + "." + parts[1] + "." + zero, wrongSignature},
		{"EdDSA, a signature of zeros", strict.EncodeToString([]byte(`{"alg":"EdDSA","kid":"ed"}`)) + "." + parts[1] + "." + zero, wrongSignature},
		{"ES256, half a signature", strict.EncodeToString([]byte(`{"alg":"ES256","kid":"es256"}`)) + "." + parts[1] + "." + strict.EncodeToString(make([]byte, 32)), wrongSignature},
		{"a weak key that is not in the set", sign(t, "RS256", weak, claims(""), map[jose.HeaderKey]any{"kid": "rsa"}), wrongSignature},
		{"other claims", parts[0] + "." + strict.EncodeToString([]byte(claims(`,"admin":true`))) + "." + parts[2], wrongSignature},
		{"another header", strict.EncodeToString([]byte(`{"alg":"RS256","kid":"rsa","typ":"x"}`)) + "." + parts[1] + "." + parts[2], wrongSignature},
		{"the end of the signature cut off", parts[0] + "." + parts[1] + "." + strict.EncodeToString(signature[:200]), wrongSignature},
		{"padded", good + "==", "Jwt signature is an invalid Base64url encoded"},
		{"padded payload", parts[0] + "." + parts[1] + "=." + parts[2], "Jwt payload is an invalid Base64url encoded"},
		{"a line break inside", parts[0] + "." + parts[1] + "." + parts[2][:4] + "\n" + parts[2][4:], "Jwt signature is an invalid Base64url encoded"},
		{"a line break in the payload", parts[0] + "." + parts[1][:4] + "\r\n" + parts[1][4:] + "." + parts[2], "Jwt payload is an invalid Base64url encoded"},
		{"a blank before it", " " + good, "Jwt header is an invalid Base64url encoded"},
		{"four parts", good + ".AAAA", badForm},
		{"an empty part", parts[0] + ".." + parts[1] + "." + parts[2], badForm},
		{"a dot before it", "." + good, badForm},
		{"nothing", "", badForm},
		{"too large", strings.Repeat("A", maxToken) + "." + good, badForm},
		{"a header that is a list", p.written(t, `["alg","RS256"]`, claims("")), "Jwt header is an invalid JSON"},
		{"a header that is null", p.written(t, `null`, claims("")), "Jwt header is an invalid JSON"},
		{"a payload that is a list", p.written(t, `{"alg":"RS256"}`, `[]`), "Jwt payload is an invalid JSON"},
		{"two payloads", p.written(t, `{"alg":"RS256"}`, claims("")+claims("")), "Jwt payload is an invalid JSON"},
		{"a payload that is no UTF-8", p.written(t, `{"alg":"RS256"}`, claims(",\"x\":\"\xff\"")), "Jwt payload is an invalid JSON"},
		{"a payload as deep as a well", p.written(t, `{"alg":"RS256"}`, claims(`,"x":`+strings.Repeat("[", 11000)+strings.Repeat("]", 11000))), "Jwt payload is an invalid JSON"},
		{"an issuer in a list", p.written(t, `{"alg":"RS256"}`, `{"iss":["`+issuer+`"]}`), "Jwt payload [iss] field is not a string"},
		{"an issuer in capitals", p.written(t, `{"alg":"RS256"}`, `{"ISS":"`+issuer+`"}`), plan.UnknownIssuer},
		{"an issuer with a slash", p.written(t, `{"alg":"RS256"}`, `{"iss":"`+issuer+`/"}`), plan.UnknownIssuer},
		{"a time that is text", p.written(t, `{"alg":"RS256"}`, claims(`,"exp":"1800000000"`)), "Jwt payload [exp] field is not an integer"},
		{"a time before 1970", p.written(t, `{"alg":"RS256"}`, claims(`,"exp":-1`)), "Jwt payload [exp] field is not a positive 64 bit integer"},
		{"a time beyond all", p.written(t, `{"alg":"RS256"}`, claims(`,"exp":1e300`)), "Jwt payload [exp] field is not a positive 64 bit integer"},
		{"expired", p.written(t, `{"alg":"RS256"}`, claims(`,"exp":1699999939`)), "Jwt is expired"},
		{"not yet valid", p.written(t, `{"alg":"RS256"}`, claims(`,"nbf":1700000061`)), "Jwt not yet valid"},
	} {
		s := New(Options{Offline: true})
		r := rule(set)
		if tok, f := s.Verify(r, good, now); tok == nil {
			t.Fatalf("the good token: %s", f.String())
		}
		for range 2 { // a refusal is not forgotten
			tok, f := s.Verify(r, c.token, now)
			if tok != nil || f.Text != c.want || f.Status != 401 {
				t.Errorf("%s: got %v %d %q, want 401 %q", c.name, tok, f.Status, f.Text, c.want)
			}
		}
	}
}

// A token that was verified is judged anew at each request: by time, and by the
// audiences of the rule that asks.
func TestKnownTokenIsJudgedAnew(t *testing.T) {
	p := newParty(t)
	s, r := New(Options{Offline: true}), rule(p.set(t))
	token := sign(t, "RS256", p.rsa, claims(`,"aud":"app","exp":1700000100,"nbf":1699999000`), nil)
	strictRule := *r
	strictRule.Audiences = []string{"https://other"}
	sameRule := *r
	sameRule.Audiences = []string{"https://app/"}
	foreign := *r
	foreign.Issuer = "https://other.example"
	for _, c := range []struct {
		name   string
		rule   *plan.TokenRule
		at     time.Time
		status int
		text   string
	}{
		{"good", r, now, 0, ""},
		{"good, by its audience", &sameRule, now, 0, ""},
		{"another audience", &strictRule, now, 403, wrongAudience},
		{"another issuer with the same keys", &foreign, now, 401, plan.UnknownIssuer},
		{"within the slack", r, time.Unix(1700000160, 0), 0, ""},
		{"after it", r, time.Unix(1700000161, 0), 401, "Jwt is expired"},
		{"before it", r, time.Unix(1699998939, 0), 401, "Jwt not yet valid"},
		{"the clock before 1970", r, time.Unix(-5, 0), 401, "Jwt not yet valid"},
	} {
		tok, f := s.Verify(c.rule, token, c.at)
		if f.Text != c.text || f.Status != c.status || (tok == nil) != (c.text != "") {
			t.Errorf("%s: got %v %d %q, want %d %q", c.name, tok != nil, f.Status, f.Text, c.status, c.text)
		}
	}
}

// The cache is bounded in entries and bytes, and a used token stays.
func TestCacheIsBounded(t *testing.T) {
	p := newParty(t)
	s, r := New(Options{Offline: true}), rule(p.set(t))
	s.cache.entries = 10
	used := sign(t, "EdDSA", p.ed, claims(`,"n":-1`), nil)
	for i := range 100 {
		for _, token := range []string{used, sign(t, "EdDSA", p.ed, claims(`,"n":`+strings.Repeat("1", i+1)), nil)} {
			if tok, f := s.Verify(r, token, now); tok == nil {
				t.Fatal(f.String())
			}
		}
		if n := len(s.cache.young) + len(s.cache.old); n > 20 {
			t.Fatalf("%d tokens are kept, want 20 at most", n)
		}
		if s.cache.get(used, s.find(r).keys.Load()) == nil {
			t.Fatalf("a token in use was forgotten after %d others", i)
		}
	}
	s.cache.entries, s.cache.bytes = 1000, 8000
	for i := range 100 {
		s.Verify(r, sign(t, "EdDSA", p.ed, claims(`,"m":`+strings.Repeat("1", i+1)), nil), now)
		if s.cache.size > 12000 {
			t.Fatalf("%d bytes are kept", s.cache.size)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.Verify(r, used, now) }); n > 0 {
		t.Errorf("a known token costs %v allocations", n)
	}
}

// A collision of hashes must not make one token another.
func TestCacheComparesTheToken(t *testing.T) {
	p := newParty(t)
	s, r := New(Options{Offline: true}), rule(p.set(t))
	token := sign(t, "EdDSA", p.ed, claims(""), nil)
	s.Verify(r, token, now)
	for h, v := range s.cache.young {
		other := *v
		changed := *v.token
		changed.Raw += "x"
		other.token = &changed
		s.cache.young[h] = &other
	}
	if s.cache.get(token, s.find(r).keys.Load()) != nil {
		t.Error("a token with the hash of another was taken for it")
	}
}
