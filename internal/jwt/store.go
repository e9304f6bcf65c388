// Package jwt verifies JSON Web Tokens against the key sets of their issuers.
//
// A Store holds the key sets of all rules of the plan in force. It outlives
// plans: Sync adds and drops key sets, and those that stay keep their keys and
// the tokens that were verified by them. Keys are fetched at once and then in
// the background; a request waits for a fetch only if one is under way and its
// token cannot be verified without. An issuer that is away harms nobody but
// those who bring its tokens, and them only if its keys were never seen.
//
//	parse      the form of a token
//	keys       key sets, signatures
//	cache      tokens verified before
//	keyset     the keys of one issuer over time
//	fetch      discovery and download
package jwt

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Options are what a Store works with. The zero value fetches with the system's
// network and keeps nothing over restarts.
type Options struct {
	// Offline fetches nothing: key sets written in manifests verify tokens, and those
	// kept in State. Such a store needs no Sync and no Close, and writes nothing.
	Offline bool
	// State is the directory where the last good key sets are kept; "" keeps none.
	State string
	Log   *slog.Logger // nil: thrown away
	// Dial opens connections; nil is the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Store is a plan.Verifier. Its methods may be called from all goroutines.
type Store struct {
	o     Options
	cache *cache
	sets  atomic.Pointer[map[string]*keySet] // by KeySource.Key

	mu     sync.Mutex // one change of sets at a time
	inUse  map[string]bool
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New returns a Store without key sets.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	s := &Store{o: o, cache: newCache(), inUse: map[string]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.sets.Store(&map[string]*keySet{})
	return s
}

// Close ends fetching.
func (s *Store) Close() {
	s.cancel()
	s.work.Wait()
}

// Sync makes the store hold the key sets of the plan, before it is put in force.
// Those of the plan before it stay too, for requests that are under way.
func (s *Store) Sync(p *plan.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, sets, inUse := *s.sets.Load(), map[string]*keySet{}, map[string]bool{}
	for _, r := range rulesOf(p) {
		if inUse[r.Keys.Key] {
			continue
		}
		inUse[r.Keys.Key] = true
		set := old[r.Keys.Key]
		if set == nil {
			set = s.start(r)
		} else {
			set.follow(r)
		}
		sets[r.Keys.Key] = set
	}
	for key, set := range old {
		switch {
		case inUse[key]:
		case s.inUse[key]:
			sets[key] = set
		default:
			set.cancel()
		}
	}
	s.inUse = inUse
	s.sets.Store(&sets)
}

// rulesOf are the token rules of all listeners.
func rulesOf(p *plan.Plan) []*plan.TokenRule {
	var all []*plan.TokenRule
	for _, l := range p.Listeners() {
		for _, g := range l.Guards {
			if t, ok := g.(*plan.Tokens); ok {
				all = append(all, t.Rules...)
			}
		}
	}
	return all
}

// start makes the key set of a rule, and fetches it if it must be.
func (s *Store) start(r *plan.TokenRule) *keySet {
	k := newKeySet(s, r)
	if k.remote() && !s.o.Offline {
		var ctx context.Context
		ctx, k.cancel = context.WithCancel(s.ctx)
		k.flight = make(chan struct{})
		k.restore()
		s.work.Go(func() { k.run(ctx) })
	}
	return k
}

// find returns the key set of a rule; nil for a rule that Sync has not seen.
func (s *Store) find(r *plan.TokenRule) *keySet {
	set := (*s.sets.Load())[r.Keys.Key]
	if set == nil && s.o.Offline {
		s.mu.Lock()
		defer s.mu.Unlock()
		sets := map[string]*keySet{r.Keys.Key: newKeySet(s, r)}
		for key, other := range *s.sets.Load() {
			sets[key] = other
		}
		s.sets.Store(&sets)
		set = sets[r.Keys.Key]
	}
	return set
}

// Verify checks a token as Envoy does, in this order: form, issuer, time,
// audience, signature. A token that was verified before costs a comparison.
func (s *Store) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	set := s.find(r)
	if set == nil {
		f := unauthorized(noKeys)
		f.Reason = "the rule is not in force"
		return nil, f
	}
	if k := set.keys.Load(); k != nil {
		if v := s.cache.get(token, k); v != nil {
			if f := acceptable(r, v.token, v.expires, v.notBefore, now); f.Text != "" {
				return nil, f
			}
			return v.token, plan.TokenFailure{}
		}
	}
	p, f := parse(token)
	if f.Text != "" {
		return nil, f
	}
	if f := acceptable(r, &p.Token, p.expires, p.notBefore, now); f.Text != "" {
		return nil, f
	}
	by, f := set.verify(p)
	if f.Text != "" {
		return nil, f
	}
	p.SpaceDelimited = r.SpaceDelimited
	t := match.NewToken(p.Token)
	s.cache.put(&verified{t, by, p.expires, p.notBefore})
	return t, plan.TokenFailure{}
}

// Accepts tells whether the rule takes a token for its issuer and its audience.
func Accepts(r *plan.TokenRule, t *match.Token) plan.TokenFailure {
	return acceptable(r, t, 0, 0, time.Time{})
}

// acceptable tells whether the rule takes a token that says what t says.
func acceptable(r *plan.TokenRule, t *match.Token, expires, notBefore uint64, now time.Time) plan.TokenFailure {
	if r.Issuer != "" && t.Issuer != r.Issuer {
		return unauthorized(plan.UnknownIssuer)
	}
	if f := inTime(expires, notBefore, now); f.Text != "" {
		return f
	}
	if !forAudience(r.Audiences, t.Audiences) {
		return plan.TokenFailure{Text: wrongAudience, Status: 403}
	}
	return plan.TokenFailure{}
}

// Failure is a key set that cannot be fetched.
type Failure struct {
	Origin plan.Origin // of the rule
	Issuer string
	Err    error
	Since  time.Time
	Kept   bool // earlier keys are in use
}

// Failures are the key sets in use whose last fetch failed, by issuer.
func (s *Store) Failures() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Failure
	for key, set := range *s.sets.Load() {
		if f, failed := set.failure(); failed && s.inUse[key] {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Origin.String(), b.Origin.String()))
	})
	return all
}
