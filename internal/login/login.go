// Package login is the login at OpenID Connect providers that is built into the
// gateway: authorization code with PKCE, sessions in sealed cookies, refresh, logout.
//
//	Manager   the live side of the plan's LoginProviders; outlives plans
//	site      one of them: discovery, and what each visit gets
//	keyring   seals cookies; madeKeys makes and rotates keys
//	session   one login of a browser
//
// The plan decides which requests are visits (plan.Login); the Manager answers them. It
// keeps no sessions: they are in the browsers' cookies. What it keeps in memory is
// bounded: sessions unsealed lately, refreshes under way, and logouts.
package login

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// MaxLifetime is the longest that a session may be given.
const MaxLifetime = 90 * 24 * time.Hour

// Options are what a Manager works with. All members may be zero.
type Options struct {
	// State is the directory that keys and logouts are kept in; "" keeps them in memory.
	State string
	Log   *slog.Logger
	Now   func() time.Time
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// Manager carries the logins of a plan out. Its methods may be called from all goroutines.
type Manager struct {
	o       Options
	made    *madeKeys
	revoked *revocations
	counts  counts

	ctx    context.Context // ends with the Manager
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.RWMutex // guards:
	sites map[string]*site
}

// New returns a Manager that knows no provider yet. It fails when what is kept in
// Options.State cannot be read.
func New(o Options) (*Manager, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	made, err := newMadeKeys(o.State, o.Now)
	if err != nil {
		return nil, err
	}
	revoked, err := newRevocations(o.State, o.Now)
	if err != nil {
		return nil, err
	}
	m := &Manager{o: o, made: made, revoked: revoked, sites: map[string]*site{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m, nil
}

// Close ends what runs in the background.
func (m *Manager) Close() error {
	m.cancel()
	m.work.Wait()
	return m.revoked.close()
}

// Sync takes the logins of a new plan over: new ones look for their provider at once.
func (m *Manager) Sync(providers []*plan.LoginProvider) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sites := make(map[string]*site, len(providers))
	for _, p := range providers {
		if sites[p.Key] == nil {
			sites[p.Key] = m.site(p)
		}
	}
	for key, s := range m.sites {
		if sites[key] != s {
			s.cancel()
		}
	}
	m.sites = sites
}

// site keeps the site of an earlier plan unless it is at another provider now.
func (m *Manager) site(p *plan.LoginProvider) *site {
	if s := m.sites[p.Key]; s != nil && s.sameProvider(p) && s.update(p) == nil {
		return s
	}
	s := newSite(m, p)
	m.work.Go(s.discover)
	return s
}

// Failure is a login provider that cannot be discovered.
type Failure struct {
	Origin plan.Origin
	Issuer string
	Why    string
	Known  bool // it was discovered before: what was found is used
}

// Failures are the providers that cannot be discovered at the moment, by their key.
func (m *Manager) Failures() []Failure {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []Failure
	for _, key := range slices.Sorted(maps.Keys(m.sites)) {
		s := m.sites[key]
		if why := s.failure.Load(); why != nil {
			c := s.config.Load()
			all = append(all, Failure{c.Origin, c.Issuer, *why, s.found.Load() != nil})
		}
	}
	return all
}

// Login answers a visit.
func (m *Manager) Login(ctx context.Context, p *plan.LoginProvider, v *plan.Visit) plan.Entry {
	m.mu.RLock()
	s := m.sites[p.Key]
	m.mu.RUnlock()
	if s == nil {
		return refuse(v, "the login "+p.Key+" is not in force any more")
	}
	return s.visit(ctx, v)
}
