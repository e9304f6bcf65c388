package devidp

import (
	"context"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"
)

const back = "https://cluster.localhost:8443/oauth2/callback"

// application is a client that logs in as a certified one does, by coreos/go-oidc.
type application struct {
	*oauth2.Config
	issuer  string
	oidc    *oidc.Provider
	browser *http.Client
}

// users is the file of these tests, whose password is "secret" for everybody.
func users(t *testing.T) *Config {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return &Config{
		Clients: []Client{
			{ID: "app", Secret: "of the app", RedirectURIs: []string{back}, PostLogoutRedirectURIs: []string{"https://cluster.localhost:8443/bye"}},
			{ID: "public", RedirectURIs: []string{back}},
		},
		Users: []User{
			{Email: "alice@example.com", Name: "Alice", Password: string(hash), Groups: []string{"admins", "data-science"}},
			{Email: "bob@example.com", Password: string(hash)},
		},
	}
}

// start runs a provider, below a path, and a client of it.
func start(t *testing.T, path string, o Options) *application {
	t.Helper()
	if o.Config == nil {
		o.Config = users(t)
	}
	var p *Provider
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	var err error
	o.Issuer = s.URL + path
	if p, err = New(o); err != nil {
		t.Fatal(err)
	}
	a := &application{issuer: s.URL + path, browser: &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), s.URL) {
			return nil
		}
		return http.ErrUseLastResponse
	}}}
	if a.oidc, err = oidc.NewProvider(t.Context(), a.issuer); err != nil {
		t.Fatal(err)
	}
	a.Config = &oauth2.Config{ClientID: "app", ClientSecret: "of the app", Endpoint: a.oidc.Endpoint(), RedirectURL: back, Scopes: []string{"openid", "profile", "email"}}
	return a
}

// open shows the page at a URL, or the redirect that leads away.
func (a *application) open(t *testing.T, address string, form url.Values) (int, string, *url.URL) {
	t.Helper()
	var resp *http.Response
	var err error
	if form == nil {
		resp, err = a.browser.Get(address)
	} else {
		resp, err = a.browser.PostForm(address, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	away, err := resp.Location()
	if err != nil {
		away = resp.Request.URL
	}
	return resp.StatusCode, string(body), away
}

// begin opens the login page and returns its form, with the fields filled in.
func (a *application) begin(t *testing.T, email, password string, o ...oauth2.AuthCodeOption) (address string, form url.Values) {
	t.Helper()
	status, body, at := a.open(t, a.AuthCodeURL("the-state", o...), nil)
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(body)
	action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(body)
	if status != http.StatusOK || id == nil || action == nil {
		t.Fatalf("the login page: got %d %s", status, body)
	}
	to, err := at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	return to.String(), url.Values{"id": {html.UnescapeString(id[1])}, "email": {email}, "password": {password}}
}

// logIn logs a user in and returns the code.
func (a *application) logIn(t *testing.T, email string, o ...oauth2.AuthCodeOption) string {
	t.Helper()
	address, form := a.begin(t, email, "secret", o...)
	status, body, to := a.open(t, address, form)
	if got, _, _ := strings.Cut(to.String(), "?"); got != back || to.Query().Get("state") != "the-state" || to.Query().Get("code") == "" {
		t.Fatalf("after the login: got %d %s to %s, want a redirect to %s with a code and the state", status, body, to, back)
	}
	return to.Query().Get("code")
}

func TestLogin(t *testing.T) {
	for _, path := range []string{"", "/dex"} {
		t.Run(path, func(t *testing.T) {
			a := start(t, path, Options{})
			verifier := oauth2.GenerateVerifier()
			code := a.logIn(t, "Alice@example.com", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the-nonce"))
			tokens, err := a.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			a.check(t, tokens, "the-nonce")
			info, err := a.oidc.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
			if err != nil || info.Subject != "alice@example.com" || info.Email != "alice@example.com" || !info.EmailVerified {
				t.Errorf("user info: got %+v (%v), want alice@example.com", info, err)
			}

			tokens.Expiry = time.Now().Add(-time.Minute)
			renewed, err := a.TokenSource(t.Context(), tokens).Token()
			if err != nil || renewed.RefreshToken == tokens.RefreshToken {
				t.Fatalf("refresh: got %v, want new tokens", err)
			}
			a.check(t, renewed, "")
			if _, err := a.TokenSource(t.Context(), tokens).Token(); err == nil {
				t.Error("a spent refresh token is taken")
			}
			if _, err := a.Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err == nil {
				t.Error("a spent code is taken")
			}

			status, body, to := a.open(t, a.issuer+"/end_session?"+url.Values{"id_token_hint": {renewed.Extra("id_token").(string)}, "post_logout_redirect_uri": {"https://cluster.localhost:8443/bye"}, "state": {"s"}}.Encode(), nil)
			if to.String() != "https://cluster.localhost:8443/bye?state=s" {
				t.Errorf("logout: got %d %s to %s, want a redirect to /bye", status, body, to)
			}
			renewed.Expiry = tokens.Expiry
			if _, err := a.TokenSource(t.Context(), renewed).Token(); err == nil {
				t.Error("a refresh token is taken after the logout")
			}
		})
	}
}

// check holds an ID token to what the file says of alice.
func (a *application) check(t *testing.T, tokens *oauth2.Token, nonce string) {
	t.Helper()
	raw, _ := tokens.Extra("id_token").(string)
	id, err := a.oidc.Verifier(&oidc.Config{ClientID: a.ClientID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Email, Name string
		Verified    bool     `json:"email_verified"`
		Username    string   `json:"preferred_username"`
		Groups      []string `json:"groups"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if id.Subject != "alice@example.com" || id.Nonce != nonce || claims.Email != id.Subject || !claims.Verified ||
		claims.Name != "Alice" || claims.Username != id.Subject || !slices.Equal(claims.Groups, []string{"admins", "data-science"}) {
		t.Errorf("ID token: got %s nonce %q %+v", id.Subject, id.Nonce, claims)
	}
}

func TestPublicClient(t *testing.T) {
	a := start(t, "", Options{})
	a.ClientID, a.ClientSecret = "public", ""
	if _, _, to := a.open(t, a.AuthCodeURL("s"), nil); to.Query().Get("error") != "invalid_request" {
		t.Errorf("without PKCE: got %s, want the error invalid_request", to)
	}
	if _, _, to := a.open(t, a.AuthCodeURL("s", oauth2.SetAuthURLParam("code_challenge", "x"), oauth2.SetAuthURLParam("code_challenge_method", "plain")), nil); to.Query().Get("error") != "invalid_request" {
		t.Errorf("with a plain challenge: got %s, want the error invalid_request", to)
	}
	verifier := oauth2.GenerateVerifier()
	code := a.logIn(t, "bob@example.com", oauth2.S256ChallengeOption(verifier))
	if _, err := a.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("a code is taken with another verifier")
	}
	code = a.logIn(t, "bob@example.com", oauth2.S256ChallengeOption(verifier))
	if _, err := a.Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err != nil {
		t.Error(err)
	}
}

// What nobody may get through with.
func TestRefusals(t *testing.T) {
	a := start(t, "", Options{})
	for name, address := range map[string]string{
		"redirect elsewhere":       strings.Replace(a.AuthCodeURL("s"), "cluster.localhost", "evil.example", 1),
		"redirect below":           strings.Replace(a.AuthCodeURL("s"), "callback", "callback%2F..%2Fx", 1),
		"unknown client":           strings.Replace(a.AuthCodeURL("s"), "client_id=app", "client_id=other", 1),
		"login that is not begun":  a.issuer + "/login?id=x",
		"callback without a login": a.issuer + "/auth/callback?id=x",
	} {
		if status, _, to := a.open(t, address, nil); status < 400 || !strings.HasPrefix(to.String(), a.issuer) {
			t.Errorf("%s: got %d at %s, want a refusal here", name, status, to)
		}
	}
	if _, _, to := a.open(t, a.AuthCodeURL("s", oauth2.SetAuthURLParam("prompt", "none")), nil); to.Query().Get("error") != "login_required" {
		t.Errorf("prompt=none: got %s, want the error login_required", to)
	}
	// A login under way is nobody's until a password was right.
	_, form := a.begin(t, "alice@example.com", "secret")
	if status, _, to := a.open(t, a.issuer+"/auth/callback?id="+form.Get("id"), nil); to.Query().Get("code") != "" {
		t.Errorf("callback before the login: got %d to %s", status, to)
	}
	a.ClientSecret = "another"
	if _, err := a.Exchange(t.Context(), a.logIn(t, "bob@example.com")); err == nil {
		t.Error("a code is taken with a wrong client secret")
	}
}

func TestWrongPasswords(t *testing.T) {
	now := time.Now()
	a := start(t, "", Options{Now: func() time.Time { return now }})
	for _, email := range []string{"alice@example.com", "nobody@example.com"} {
		address, form := a.begin(t, email, "wrong")
		for range burst {
			status, body, _ := a.open(t, address, form)
			if status != http.StatusForbidden || !strings.Contains(body, `role="alert">The e-mail address or the password is wrong.`) || strings.Contains(body, `value="wrong"`) {
				t.Fatalf("%s: a wrong password: got %d %s", email, status, body)
			}
		}
		form.Set("password", "secret")
		if status, body, _ := a.open(t, address, form); status != http.StatusTooManyRequests || !strings.Contains(body, "Try again in 12 seconds") {
			t.Fatalf("%s: after %d wrong passwords: got %d %s, want 429", email, burst, status, body)
		}
	}
	a.logIn(t, "bob@example.com") // is not held up by others
	now = now.Add(refill)
	for range 2 * burst { // right passwords cost nothing
		a.logIn(t, "alice@example.com")
	}
}

func TestPageIsPlainAndSafe(t *testing.T) {
	a := start(t, "", Options{})
	resp, err := a.browser.Get(a.AuthCodeURL("s", oauth2.SetAuthURLParam("login_hint", `"><script>x@y.z`)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(data)
	for _, want := range []string{`<html lang="en">`, `<label for="email">`, `<label for="password">`, `autocomplete="current-password"`, `value="&#34;&gt;&lt;script&gt;x@y.z"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "//") || strings.Contains(body, "<script") {
		t.Errorf("the page loads something:\n%s", body)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer"} {
		if got := resp.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	var ids []string
	for range 2 {
		k, err := signingKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, k.id)
	}
	other, err := signingKey("")
	if err != nil {
		t.Fatal(err)
	}
	if ids[0] != ids[1] || other.id == ids[0] {
		t.Errorf("got the keys %s and, kept nowhere, %s", ids, other.id)
	}
	if _, err := readKey("x.key", []byte("nonsense")); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a broken key file: got %v", err)
	}
}

func TestShelfIsBounded(t *testing.T) {
	now := time.Now()
	s := newShelf[int](func() time.Time { return now }, time.Minute, 3)
	for i, name := range []string{"a", "b", "c", "d"} {
		s.put(name, i)
		now = now.Add(time.Second)
	}
	if _, ok := s.get("a"); ok || len(s.kept) != 3 {
		t.Errorf("the oldest of four is kept where there is room for three: %v", s.kept)
	}
	now = now.Add(time.Minute)
	if _, ok := s.get("d"); ok {
		t.Error("what has expired is there")
	}
	s.put("e", 5)
	if len(s.kept) != 1 {
		t.Errorf("what has expired takes room: %v", s.kept)
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Config: users(t), Issuer: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	if _, err := oidc.NewProvider(t.Context(), p.Issuer()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
