// Package devidp is an OpenID Connect provider for one machine: users from a file, a login page,
// and nothing else to install. It is for development; it is no directory and no Keycloak.
//
//	config    the users file
//	provider  the protocol, which github.com/zitadel/oidc speaks, and the sockets
//	store     logins under way and tokens, in memory, bounded
//	page      the login page
//	tries     how often passwords may be tried
//	key       the key that signs, kept over restarts
package devidp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Options are what a provider is made of.
type Options struct {
	Config *Config
	// Issuer is the issuer where Config names none: the URL that the provider is reached at.
	Issuer string
	// State is the directory that the signing key is kept in; "" makes a new one each time.
	State string
	Log   *slog.Logger     // nil: thrown away
	Now   func() time.Time // nil: the clock
}

// Provider is an OpenID provider. Its pages and endpoints lie under the path of its issuer.
type Provider struct {
	issuer  string
	path    string // of the issuer, "" or "/dex"
	log     *slog.Logger
	store   *store
	tries   *tries
	handler http.Handler
}

// New makes a provider. The error is that of its key's file.
func New(o Options) (*Provider, error) {
	issuer := cmp.Or(o.Config.Issuer, o.Issuer)
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	key, err := signingKey(o.State)
	if err != nil {
		return nil, err
	}
	p := &Provider{issuer: issuer, path: strings.TrimSuffix(u.Path, "/"), log: o.Log, tries: newTries(o.Now)}
	p.store = newStore(o.Config, key, p.path, o.Now)
	if err := p.routes(); err != nil {
		return nil, err
	}
	return p, nil
}

// routes puts the protocol's endpoints and the pages under the issuer's path.
func (p *Provider) routes() error {
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true,
		DefaultLogoutRedirectURI: p.path + "/logged-out",
		SupportedScopes:          []string{"openid", "profile", "email", "groups", "offline_access"},
		SupportedClaims:          []string{"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "azp", "name", "preferred_username", "email", "email_verified", "groups"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return err
	}
	at := op.NewEndpoint
	protocol, err := op.NewProvider(config, p.store, op.StaticIssuer(p.issuer),
		op.WithAllowInsecure(), op.WithCORSOptions(nil),
		op.WithCustomEndpoints(at("auth"), at("token"), at("userinfo"), at("revoke"), at("end_session"), at("keys")))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", protocol)
	mux.HandleFunc("GET /login", p.showLogin)
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("GET /logged-out", p.loggedOut)
	p.handler = http.MaxBytesHandler(http.StripPrefix(p.path, mux), 64<<10)
	return nil
}

// Issuer is the issuer of the provider's tokens.
func (p *Provider) Issuer() string { return p.issuer }

// ServeHTTP answers a request.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Serve answers on l until ctx ends.
func (p *Provider) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
