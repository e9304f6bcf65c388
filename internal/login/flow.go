package login

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/doorward/doorward/internal/plan"
)

const (
	// slots is how many logins a browser can have under way; a further one takes the
	// place of the oldest.
	slots = 3
	// patience is how long a login may be under way.
	patience = 15 * time.Minute
)

// attempt is a login under way. It is kept sealed in the browser that began it, which
// binds the answer to that browser.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE (RFC 7636)
	Target   string `json:"t"`
	Began    int64  `json:"b"`
}

// wanted is where a page sends the browser in the end: its parameter rd.
func (s *site) wanted(v *plan.Visit) string {
	q, err := url.ParseQuery(v.Query)
	if err != nil {
		return "/"
	}
	return target(q.Get("rd"), v.Scheme, v.Host)
}

// asked is the very target that a browser has asked for, as something to come back to.
func asked(t string) string {
	if t == "" || t[0] != '/' || !printable(t) {
		return "/"
	}
	return shorten(t)
}

// start sends the browser to the provider.
func (s *site) start(ctx context.Context, v *plan.Visit, target string) plan.Entry {
	p := s.config.Load()
	f := s.ready(ctx)
	if f == nil {
		return s.away(v, errors.New(s.why()))
	}
	if err := s.there(); err != nil {
		return s.away(v, err)
	}
	ring, err := s.keys()
	if err != nil {
		return s.away(v, err)
	}
	a := attempt{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Target: target, Began: s.m.o.Now().Unix()}
	text, _ := json.Marshal(a) // of texts only
	sealed := ring.seal(s.purpose("login"), text)
	if len(sealed) > partSize {
		return page(v, 414, "This address is too long", "It cannot be kept while you log in.", "/", "the URL is too long to be remembered")
	}
	to := s.oauth(f, v).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier))
	e := redirect(to, "sent to log in at "+p.Issuer)
	e.Cookies = append(e.Cookies, cookie(p.LoginProvider, v, s.slot(ring, v), sealed, patience))
	return e
}

// slot is the name of the cookie that a new attempt gets: a free one, or the oldest's.
func (s *site) slot(ring *keyring, v *plan.Visit) string {
	name, oldest := "", int64(0)
	for i := range slots {
		n := s.config.Load().Cookie + "_login_" + strconv.Itoa(i)
		a, ok := s.attempt(ring, v, n)
		if !ok {
			return n
		}
		if name == "" || a.Began < oldest {
			name, oldest = n, a.Began
		}
	}
	return name
}

// attempt unseals the attempt that a cookie of the visit holds.
func (s *site) attempt(ring *keyring, v *plan.Visit, name string) (a attempt, ok bool) {
	sealed := v.Cookies.Value(name)
	if sealed == "" || len(sealed) > partSize {
		return a, false
	}
	text, ok := ring.open(s.purpose("login"), sealed)
	return a, ok && json.Unmarshal(text, &a) == nil
}

// callback takes the provider's answer: a code for the tokens of who has logged in.
func (s *site) callback(ctx context.Context, v *plan.Visit) plan.Entry {
	p := s.config.Load()
	q, err := url.ParseQuery(v.Query)
	if err != nil {
		return s.failed(v, "/", "the query of the callback cannot be read: "+err.Error())
	}
	ring, err := s.keys()
	if err != nil {
		return s.away(v, err)
	}
	a, name := s.begun(ring, v, q.Get("state"))
	now := s.m.o.Now()
	switch {
	case name == "" && s.session(v) != nil: // a page opened again from the history
		return redirect(absolute(v.Scheme, v.Host, "/"), "already logged in")
	case name == "":
		return s.failed(v, "/", "this browser has no login under way with that state")
	case now.Sub(time.Unix(a.Began, 0)) > patience:
		return s.failed(v, a.Target, "the login took longer than "+patience.String())
	case !s.used.first(a.State, now.Add(patience)):
		return s.failed(v, a.Target, "the answer to this login was used before")
	}
	done := cookie(p.LoginProvider, v, name, "", 0)
	e := s.admit(ctx, v, q, &a)
	e.Cookies = append(e.Cookies, done)
	return e
}

// begun finds the attempt that a state belongs to, and the cookie that held it.
func (s *site) begun(ring *keyring, v *plan.Visit, state string) (attempt, string) {
	for i := range slots {
		name := s.config.Load().Cookie + "_login_" + strconv.Itoa(i)
		a, ok := s.attempt(ring, v, name)
		if ok && state != "" && subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) == 1 {
			return a, name
		}
	}
	return attempt{}, ""
}

// admit exchanges the code and begins the session.
func (s *site) admit(ctx context.Context, v *plan.Visit, q url.Values, a *attempt) plan.Entry {
	p := s.config.Load()
	if iss := q.Get("iss"); iss != "" && iss != p.Issuer { // RFC 9207
		return s.failed(v, a.Target, "the answer is of another issuer, "+strconv.Quote(iss))
	}
	if code := q.Get("error"); code != "" {
		return s.failed(v, a.Target, "the provider answered "+strconv.Quote(code)+" "+strconv.Quote(q.Get("error_description")))
	}
	f := s.ready(ctx)
	if f == nil {
		return s.away(v, errors.New(s.why()))
	}
	ctx, cancel := s.call(ctx)
	defer cancel()
	tokens, err := s.oauth(f, v).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil && ended(err) {
		return s.failed(v, a.Target, "the provider takes the code not: "+err.Error())
	} else if err != nil {
		return s.away(v, err)
	}
	raw, id, err := s.idToken(ctx, f, tokens)
	switch {
	case err != nil:
		return s.failed(v, a.Target, "the ID token cannot be accepted: "+err.Error())
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1:
		return s.failed(v, a.Target, "the ID token is for another login: its nonce is wrong")
	}
	x := &session{ID: random(), Began: s.m.o.Now().Unix(), IDToken: raw, Refresh: tokens.RefreshToken}
	return s.begin(v, x, a.Target)
}

// begin stores a new session in the browser and sends it where it wanted to go.
func (s *site) begin(v *plan.Visit, x *session, target string) plan.Entry {
	p := s.config.Load()
	if err := x.readToken(p.GroupsClaim); err != nil {
		return s.failed(v, target, "the ID token cannot be read: "+err.Error())
	}
	sealed, err := s.seal(x)
	if err != nil {
		s.m.o.Log.Error("a session cannot be kept", "provider", p.Key, "error", err)
		return page(v, 500, "You cannot be logged in", "Your account has more data than a browser can keep. Please tell your administrator.", "", err.Error())
	}
	s.count.loggedIn.Add(1)
	e := redirect(absolute(v.Scheme, v.Host, target), "logged in as "+x.user.Subject)
	e.Cookies, _ = sessionCookies(p.LoginProvider, v, sealed, x.ends(p.LoginProvider).Sub(s.m.o.Now()))
	return e
}

// idToken verifies the ID token of an answer (OpenID Connect Core, section 3.1.3.7).
func (s *site) idToken(ctx context.Context, f *found, t *oauth2.Token) (string, *oidc.IDToken, error) {
	raw, _ := t.Extra("id_token").(string)
	if raw == "" {
		return "", nil, errors.New("the provider gave none; the scope openid is needed")
	}
	id, err := s.verifier(f).Verify(ctx, raw)
	if err != nil {
		return "", nil, err
	}
	var c struct {
		Verified *any   `json:"email_verified"`
		AZP      string `json:"azp"`
	}
	if err := id.Claims(&c); err != nil {
		return "", nil, err
	}
	p := s.config.Load()
	if c.Verified != nil && !p.AllowUnverifiedEmail && *c.Verified != true && *c.Verified != "true" {
		return "", nil, errors.New("the e-mail address is not verified (allowUnverifiedEmail would let it in)")
	}
	if len(id.Audience) > 1 && c.AZP != "" && c.AZP != p.ClientID {
		return "", nil, errors.New("it was made for another client, azp " + strconv.Quote(c.AZP))
	}
	return raw, id, nil
}

// ended tells whether an error is the provider's word on a user, and not a want of one,
// or its word on our client.
func ended(err error) bool {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil {
		return false
	}
	switch refused.ErrorCode {
	case "invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error":
		return false
	}
	status := refused.Response.StatusCode
	return status/100 == 4 && status != 429
}

// usedStates remembers which answers were taken, as long as they could come again.
type usedStates struct {
	now func() time.Time

	mu    sync.Mutex // guards:
	until map[string]time.Time
}

// maxUsed bounds what usedStates holds. Beyond it the oldest are forgotten: providers
// take a code only once as well.
const maxUsed = 20_000

// first tells whether a state is used for the first time.
func (u *usedStates) first(state string, until time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.until == nil {
		u.until = map[string]time.Time{}
	}
	if _, again := u.until[state]; again {
		return false
	}
	if len(u.until) >= maxUsed {
		forgetOldest(u.until, u.now(), maxUsed/2, func(t time.Time) time.Time { return t })
	}
	u.until[state] = until
	return true
}

// forgetOldest drops what is over, and then the first to end until at most keep are left.
func forgetOldest[V any](m map[string]V, now time.Time, keep int, end func(V) time.Time) {
	type entry struct {
		key string
		end time.Time
	}
	var left []entry
	for k, v := range m {
		if t := end(v); t.After(now) {
			left = append(left, entry{k, t})
		} else {
			delete(m, k)
		}
	}
	if len(left) <= keep {
		return
	}
	slices.SortFunc(left, func(a, b entry) int { return cmp.Or(a.end.Compare(b.end), cmp.Compare(a.key, b.key)) })
	for _, e := range left[:len(left)-keep] {
		delete(m, e.key)
	}
}
