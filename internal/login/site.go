package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/doorward/doorward/internal/plan"
)

const (
	callTimeout = 10 * time.Second // of one request to the provider
	maxDocument = 1 << 20          // bytes of an answer of the provider's
	firstTry    = 3 * time.Second  // that a visit waits for the first discovery
	firstRetry  = time.Second
	lastRetry   = 30 * time.Second
	rediscover  = time.Hour
)

// site is one LoginProvider at work.
type site struct {
	m       *Manager
	config  atomic.Pointer[config]
	found   atomic.Pointer[found]
	failure atomic.Pointer[string] // why discovery failed last; nil: it has not
	tried   chan struct{}          // closed when discovery has been tried once
	pulse   pulse
	// lastAway is the second of the last line in the log about somebody who was turned away.
	lastAway atomic.Int64
	client   *http.Client
	fresh    refreshes
	used     usedStates
	count    *counters

	ctx    context.Context
	cancel context.CancelFunc
}

// config is what the plan in force says.
type config struct {
	*plan.LoginProvider
	ring   *keyring // of its own secrets; nil: the made keys
	opened *opened
}

// found is what discovery has found.
type found struct {
	provider   *oidc.Provider
	endpoint   oauth2.Endpoint
	endSession string
}

func newSite(m *Manager, p *plan.LoginProvider) *site {
	s := &site{m: m, tried: make(chan struct{}), count: m.counts.of(p.Key)}
	s.ctx, s.cancel = context.WithCancel(m.ctx)
	s.fresh.init(m.o.Now)
	s.used.now = m.o.Now
	s.client = s.newClient(p)
	if err := s.update(p); err != nil {
		s.fail(err) // the compiler has looked at the secrets
	}
	return s
}

// update takes what a new plan says.
func (s *site) update(p *plan.LoginProvider) error {
	c := &config{LoginProvider: p, opened: newOpened()}
	if len(p.Secrets) > 0 {
		ring, err := newKeyring(p.Secrets...)
		if err != nil {
			return err
		}
		c.ring = ring
	}
	if old := s.config.Load(); old != nil && slices.Equal(old.Secrets, p.Secrets) && old.GroupsClaim == p.GroupsClaim {
		c.opened = old.opened
	}
	s.config.Store(c)
	return nil
}

// sameProvider tells whether what was found, and sessions, are good for p too.
func (s *site) sameProvider(p *plan.LoginProvider) bool {
	old := s.config.Load()
	return old != nil && old.Issuer == p.Issuer && old.ClientID == p.ClientID && old.CA == p.CA
}

// keys is the ring that seals cookies now.
func (s *site) keys() (*keyring, error) {
	if ring := s.config.Load().ring; ring != nil {
		return ring, nil
	}
	return s.m.made.current()
}

// purpose binds a sealed text to what it is, and to the provider and client that it is of.
func (s *site) purpose(what string) string {
	p := s.config.Load()
	return what + "\x00" + p.Key + "\x00" + p.Issuer + "\x00" + p.ClientID
}

// discover finds the provider's endpoints, and looks again now and then, until the site
// ends. A provider that is away does no harm to anybody else.
func (s *site) discover() {
	wait := firstRetry
	for first := true; ; first = false {
		err := s.discoverOnce()
		if first {
			close(s.tried)
		}
		if s.ctx.Err() != nil {
			return
		}
		pause := rediscover
		if err != nil {
			pause, wait = wait, min(2*wait, lastRetry)
			s.fail(err)
		} else {
			wait = firstRetry
			if s.failure.Swap(nil) != nil {
				s.m.o.Log.Info("the login provider is back", "provider", s.config.Load().Key)
			}
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.ctx.Done():
			t.Stop()
			return
		}
	}
}

// fail notes why the provider cannot be used, and logs it when that is news.
func (s *site) fail(err error) {
	text := err.Error()
	if old := s.failure.Swap(&text); old == nil || *old != text {
		s.m.o.Log.Warn("a login provider cannot be discovered; it is tried again", "provider", s.config.Load().Key, "error", err)
	}
}

func (s *site) discoverOnce() error {
	ctx, cancel := s.call(s.ctx)
	defer cancel()
	p, err := oidc.NewProvider(ctx, s.config.Load().Issuer)
	if err != nil {
		return err
	}
	var more struct {
		EndSession  string   `json:"end_session_endpoint"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&more); err != nil {
		return err
	}
	s.pulse.beat(s.m.o.Now())
	f := &found{provider: p, endpoint: p.Endpoint(), endSession: more.EndSession}
	for _, u := range []string{f.endpoint.AuthURL, f.endpoint.TokenURL} {
		if err := webURL(u); err != nil {
			return fmt.Errorf("discovered: %w", err)
		}
	}
	if webURL(f.endSession) != nil {
		f.endSession = ""
	}
	// client_secret_basic is the default (OpenID Connect Discovery, section 3).
	f.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if a := more.AuthMethods; s.config.Load().ClientSecret == "" || len(a) > 0 && !slices.Contains(a, "client_secret_basic") {
		f.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	s.found.Store(f)
	return nil
}

func webURL(text string) error {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !printable(text)) {
		err = fmt.Errorf("%q is no http or https URL", text)
	}
	return err
}

// ready returns what was found, and waits a little for the very first try. It is nil
// when the provider has not answered yet.
func (s *site) ready(ctx context.Context) *found {
	ctx, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	select {
	case <-s.tried:
	case <-ctx.Done():
	}
	return s.found.Load()
}

// why tells why there is nothing found.
func (s *site) why() string {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return "it has not answered yet"
}

// call is a context for one call to the provider, with its HTTP client.
func (s *site) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(oidc.ClientContext(ctx, s.client), callTimeout)
}

// oauth is the client at the provider, for a visit's host.
func (s *site) oauth(f *found, v *plan.Visit) *oauth2.Config {
	p := s.config.Load()
	c := &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: f.endpoint, Scopes: p.Scopes}
	if v == nil {
		return c
	}
	c.RedirectURL = absolute(v.Scheme, v.Host, p.Callback)
	if a := p.AuthorizationURL; a != "" {
		c.Endpoint.AuthURL = a
		if strings.HasPrefix(a, "/") {
			c.Endpoint.AuthURL = absolute(v.Scheme, v.Host, a)
		}
	}
	return c
}

// verifier verifies the provider's tokens for the client. Their signatures are by the
// keys of the provider, and by the algorithms that it names, never by a shared secret.
func (s *site) verifier(f *found) *oidc.IDTokenVerifier {
	return f.provider.Verifier(&oidc.Config{ClientID: s.config.Load().ClientID, Now: s.m.o.Now})
}

// newClient makes the HTTP client for the provider. Its host, where that is a Service
// of the manifests, is reached at the endpoints that the plan in force has.
func (s *site) newClient(p *plan.LoginProvider) *http.Client {
	t := &http.Transport{
		MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: callTimeout,
		ResponseHeaderTimeout: callTimeout, ForceAttemptHTTP2: true,
	}
	own := ""
	if u, err := url.Parse(p.Issuer); err == nil {
		own = hostPort(u)
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if c := s.config.Load(); c != nil && c.Backend != nil && address == own {
			return s.dialBackend(ctx, network, c.Backend)
		}
		return s.m.o.Dial(ctx, network, address)
	}
	if p.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(p.CA))
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: bounded{t}, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		// A code or secret goes nowhere but where it was sent to.
		if via[0].Method != http.MethodGet || len(via) > 3 || via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// dialBackend connects to one of the endpoints: any first, then the others.
func (s *site) dialBackend(ctx context.Context, network string, b *plan.Backend) (net.Conn, error) {
	if b.Missing != "" {
		return nil, errors.New(b.Missing)
	}
	bad := errors.New("no ready endpoint of " + b.Key)
	for i, n := range rand.Perm(len(b.Endpoints)) {
		c, err := s.m.o.Dial(ctx, network, b.Endpoints[n].Address)
		if err == nil || i == 2 {
			return c, err
		}
		bad = err
	}
	return nil, bad
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	}
	return resp, err
}
