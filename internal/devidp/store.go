package devidp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	loginLife   = 10 * time.Minute // of a login under way
	codeLife    = time.Minute      // RFC 6749, section 4.1.2: ten minutes at the most
	tokenLife   = 5 * time.Minute  // of id and access tokens: refreshes are seen to work
	refreshLife = 24 * time.Hour
	maxLogins   = 1000
	maxTokens   = 10_000
)

// store is what the protocol keeps: nothing outlives the process.
type store struct {
	clients map[string]client
	users   map[string]*User // by e-mail address, in lower case
	nobody  []byte           // the hash of a password that nobody has
	key     *key
	pages   *template.Template
	now     func() time.Time

	logins  *shelf[*request] // under way, by id
	codes   *shelf[string]   // ids of logins, by code
	access  *shelf[*grant]
	refresh *shelf[*grant]
}

func newStore(c *Config, k *key, path string, now func() time.Time) *store {
	s := &store{clients: map[string]client{}, users: map[string]*User{}, nobody: dummyHash(c.Users), key: k, pages: pages(), now: now,
		logins: newShelf[*request](now, loginLife, maxLogins), codes: newShelf[string](now, codeLife, maxLogins),
		access: newShelf[*grant](now, tokenLife, maxTokens), refresh: newShelf[*grant](now, refreshLife, maxTokens)}
	for i := range c.Clients {
		s.clients[c.Clients[i].ID] = client{&c.Clients[i], path}
	}
	for i := range c.Users {
		s.users[c.Users[i].Email] = &c.Users[i]
	}
	return s
}

// grant is what a user has let a client have.
type grant struct {
	client, user string
	scopes       []string
	at           time.Time // of the login
}

func (g *grant) GetAMR() []string                 { return []string{"pwd"} }
func (g *grant) GetAudience() []string            { return []string{g.client} }
func (g *grant) GetAuthTime() time.Time           { return g.at }
func (g *grant) GetClientID() string              { return g.client }
func (g *grant) GetScopes() []string              { return g.scopes }
func (g *grant) GetSubject() string               { return g.user }
func (g *grant) SetCurrentScopes(scopes []string) { g.scopes = scopes }

// request is a login under way. It never changes.
type request struct {
	oidc.AuthRequest
	id   string
	user string // who has logged in; "" nobody yet
	at   time.Time
}

func (r *request) GetID() string                      { return r.id }
func (r *request) GetACR() string                     { return "" }
func (r *request) GetAMR() []string                   { return []string{"pwd"} }
func (r *request) GetAudience() []string              { return []string{r.ClientID} }
func (r *request) GetAuthTime() time.Time             { return r.at }
func (r *request) GetClientID() string                { return r.ClientID }
func (r *request) GetNonce() string                   { return r.Nonce }
func (r *request) GetRedirectURI() string             { return r.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }
func (r *request) GetScopes() []string                { return r.Scopes }
func (r *request) GetState() string                   { return r.State }
func (r *request) GetSubject() string                 { return r.user }
func (r *request) Done() bool                         { return r.user != "" }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// request is a login under way; nil when there is none of that id.
func (s *store) request(id string) *request {
	r, _ := s.logins.get(id)
	return r
}

// loggedIn notes who has logged in.
func (s *store) loggedIn(id string, u *User) bool {
	return s.logins.change(id, func(r *request) *request {
		done := *r
		done.user, done.at = u.Email, s.now()
		return &done
	})
}

// CreateAuthRequest begins a login. Everybody logs in anew: there is no session here.
func (s *store) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	switch {
	case slices.Contains(r.Prompt, oidc.PromptNone):
		return nil, oidc.ErrLoginRequired()
	case r.CodeChallenge != "" && r.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	case r.CodeChallenge == "" && s.clients[r.ClientID].AuthMethod() == oidc.AuthMethodNone:
		return nil, oidc.ErrInvalidRequest().WithDescription("a client without a secret needs a code_challenge (PKCE)")
	}
	x := &request{AuthRequest: *r, id: rand.Text()}
	if !slices.Contains(x.Scopes, oidc.ScopeOfflineAccess) { // refresh tokens for all, as Keycloak has it
		x.Scopes = append(slices.Clone(x.Scopes), oidc.ScopeOfflineAccess)
	}
	s.logins.put(x.id, x)
	return x, nil
}

var errGone = errors.New("it is unknown, spent or expired")

// AuthRequestByID is a login under way.
func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	if r, ok := s.logins.get(id); ok {
		return r, nil
	}
	return nil, oidc.ErrInvalidRequest().WithDescription("there is no such login under way")
}

// SaveAuthCode keeps the code of a login.
func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.codes.put(code, id)
	return nil
}

// AuthRequestByCode spends a code.
func (s *store) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	id, ok := s.codes.take(code)
	if !ok {
		return nil, errGone
	}
	if r, ok := s.logins.take(id); ok {
		return r, nil
	}
	return nil, errGone
}

// DeleteAuthRequest ends a login.
func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.logins.take(id)
	return nil
}

// grant is what a request for tokens is about.
func (s *store) grant(r op.TokenRequest) (*grant, error) {
	g := &grant{user: r.GetSubject(), scopes: r.GetScopes()}
	if i, ok := r.(op.IDTokenRequest); ok {
		g.client, g.at = i.GetClientID(), i.GetAuthTime()
	}
	if g.client == "" || s.users[g.user] == nil {
		return nil, errGone
	}
	return g, nil
}

// CreateAccessToken makes an access token, which is good for the user info.
func (s *store) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	g, err := s.grant(r)
	if err != nil {
		return "", time.Time{}, err
	}
	id := rand.Text()
	s.access.put(id, g)
	return id, s.now().Add(tokenLife), nil
}

// CreateAccessAndRefreshTokens makes both. A refresh token is good once (RFC 9700, section 4.14).
func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (id, refresh string, until time.Time, err error) {
	if current != "" {
		if _, ok := s.refresh.take(current); !ok {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
	}
	if id, until, err = s.CreateAccessToken(ctx, r); err != nil {
		return "", "", time.Time{}, err
	}
	g, _ := s.access.get(id)
	refresh = rand.Text()
	s.refresh.put(refresh, g)
	return id, refresh, until, nil
}

// TokenRequestByRefreshToken is what a refresh token is good for.
func (s *store) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	g, ok := s.refresh.get(token)
	if !ok {
		return nil, op.ErrInvalidRefreshToken
	}
	own := *g
	return &own, nil
}

// GetRefreshTokenInfo tells whose a refresh token is.
func (s *store) GetRefreshTokenInfo(_ context.Context, _, token string) (user, id string, err error) {
	g, ok := s.refresh.get(token)
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	return g.user, token, nil
}

// TerminateSession forgets the tokens that a client has of a user.
func (s *store) TerminateSession(_ context.Context, user, client string) error {
	theirs := func(g *grant) bool { return g.user == user && g.client == client }
	s.access.drop(theirs)
	s.refresh.drop(theirs)
	return nil
}

// RevokeToken forgets a token of the client's.
func (s *store) RevokeToken(_ context.Context, token, _, client string) *oidc.Error {
	for _, tokens := range []*shelf[*grant]{s.access, s.refresh} {
		if g, ok := tokens.get(token); ok {
			if g.client != client {
				return oidc.ErrInvalidClient().WithDescription("the token is another client's")
			}
			tokens.take(token)
		}
	}
	return nil
}

// SigningKey is the key that signs.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms are those of the keys.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet is what verifies.
func (s *store) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

// GetClientByClientID is a client of the file.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, fmt.Errorf("there is no client %q in the users file", id)
	}
	return c, nil
}

// AuthorizeClientIDSecret checks a client's secret.
func (s *store) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.clients[id]
	if !ok || c.Secret == "" || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return errors.New("the client or its secret is wrong")
	}
	return nil
}

// SetUserinfoFromRequest fills in an ID token.
func (s *store) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	return s.tell(info, r.GetSubject(), scopes)
}

// SetUserinfoFromToken answers for an access token.
func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	g, ok := s.access.get(id)
	if !ok {
		return errGone
	}
	return s.tell(info, g.user, g.scopes)
}

// tell tells about a user. Groups are told in any case: policies ask for them.
func (s *store) tell(info *oidc.UserInfo, user string, scopes []string) error {
	u := s.users[user]
	if u == nil {
		return errGone
	}
	info.Subject = u.Email
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = u.Email, true
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = u.Name, u.Email
	}
	groups := u.Groups
	if groups == nil {
		groups = []string{}
	}
	info.AppendClaims("groups", groups)
	return nil
}
