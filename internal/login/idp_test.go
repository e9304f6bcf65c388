package login_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// idp is an OpenID provider that lets in whoever comes, and misbehaves when it is told to.
type idp struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	key    *rsa.PrivateKey
	kid    int
	codes  map[string]url.Values // of the authorization request, by code
	tokens int                   // refresh tokens given
	good   map[string]bool       // refresh tokens that may be used once

	claims         map[string]any // of ID tokens, over the usual ones
	iat, exp       time.Duration  // from now
	away           bool
	noRefreshToken bool
	refused        bool // refreshes
	refreshes      int
	hold           chan struct{} // refreshes wait for it
	authMethods    []string
	secret         string
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	p := &idp{t: t, codes: map[string]url.Values{}, good: map[string]bool{}, claims: map[string]any{}, exp: time.Hour, secret: "geheim"}
	p.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		away := p.away
		p.mu.Unlock()
		if away {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// set changes how the provider behaves.
func (p *idp) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *idp) rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.kid = key, p.kid+1
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (p *idp) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "token_endpoint_auth_methods_supported": p.authMethods,
	})
}

func (p *idp) keys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: strconv.Itoa(p.kid), Algorithm: "RS256", Use: "sig"}}})
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	p.set(func() { p.codes[code] = q })
	back := q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(why string) { reply(w, 400, map[string]string{"error": "invalid_grant", "error_description": why}) }
	if id, secret, ok := r.BasicAuth(); !ok || id != "kubeflow" || secret != p.secret {
		if r.FormValue("client_id") != "kubeflow" || r.FormValue("client_secret") != p.secret {
			reply(w, 401, map[string]string{"error": "invalid_client"})
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	nonce := ""
	switch r.FormValue("grant_type") {
	case "authorization_code":
		q, ok := p.codes[r.FormValue("code")]
		delete(p.codes, r.FormValue("code"))
		digest := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		switch {
		case !ok:
			refuse("the code is unknown or used")
			return
		case q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(digest[:]):
			refuse("PKCE does not hold")
			return
		case q.Get("redirect_uri") != r.FormValue("redirect_uri"):
			refuse("another redirect_uri")
			return
		}
		nonce = q.Get("nonce")
	case "refresh_token":
		p.refreshes++
		if hold := p.hold; hold != nil {
			p.mu.Unlock()
			<-hold
			p.mu.Lock()
		}
		if p.refused || !p.good[r.FormValue("refresh_token")] {
			refuse("the refresh token is unknown or used")
			return
		}
		delete(p.good, r.FormValue("refresh_token"))
	}
	answer := map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": p.sign(p.idToken(nonce))}
	if !p.noRefreshToken {
		p.tokens++
		refresh := "refresh-" + strconv.Itoa(p.tokens)
		p.good[refresh] = true
		answer["refresh_token"] = refresh
	}
	reply(w, 200, answer)
}

// idToken is the claims of an ID token.
func (p *idp) idToken(nonce string) map[string]any {
	now := time.Now()
	c := map[string]any{
		"iss": p.URL, "aud": "kubeflow", "sub": "u1", "email": "alice@example.com", "email_verified": true, "groups": []string{"a", "b"},
		"preferred_username": "alice", "sid": "s1", "iat": now.Add(p.iat).Unix(), "exp": now.Add(p.exp).Unix(),
	}
	if nonce != "" {
		c["nonce"] = nonce
	}
	for k, v := range p.claims {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// sign makes a token. The caller holds the lock.
func (p *idp) sign(claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: strconv.Itoa(p.kid)}}, nil)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	data, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	signed, err := s.Sign(data)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	token, _ := signed.CompactSerialize()
	return token
}

// logoutToken is a back-channel logout token with claims over the usual ones.
func (p *idp) logoutToken(claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	c := map[string]any{
		"iss": p.URL, "aud": "kubeflow", "sub": "u1", "sid": "s1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for k, v := range claims {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return p.sign(c)
}
