package login

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	// grace is how long requests that still carry the old cookie get the session that
	// another request has renewed. Its refresh token may be spent.
	grace = time.Minute
	// pauseAway is how long the provider is left alone after it could not be asked.
	pauseAway = 5 * time.Second
	// maxRenewals bounds the sessions whose renewal is remembered.
	maxRenewals = 20_000
)

// refreshes lets one request renew a session and gives all others what came of it.
type refreshes struct {
	now func() time.Time

	mu sync.Mutex // guards:
	by map[string]*renewal
}

// renewal is one refresh of one session.
type renewal struct {
	of    int           // serial of the session that is renewed
	done  chan struct{} // closed when what follows is set:
	until time.Time
	// One of these, or none when the provider has ended the session.
	renewed *session
	sealed  string
	away    error
}

func (r *refreshes) init(now func() time.Time) {
	r.now, r.by = now, map[string]*renewal{}
}

// join returns the renewal that a session belongs to, and whether the caller must carry
// it out.
func (r *refreshes) join(x *session) (n *renewal, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n = r.by[x.ID]; n != nil && x.Serial <= n.of {
		select {
		case <-n.done:
			if r.now().Before(n.until) {
				return n, false
			}
		default:
			return n, false
		}
	}
	if len(r.by) >= maxRenewals {
		forgetOldest(r.by, r.now(), maxRenewals/2, (*renewal).end)
	}
	n = &renewal{of: x.Serial, done: make(chan struct{})}
	r.by[x.ID] = n
	return n, true
}

// end is when a renewal need not be remembered any more.
func (n *renewal) end() time.Time {
	select {
	case <-n.done:
		return n.until
	default:
		return time.Unix(1<<40, 0) // under way
	}
}

// renew refreshes a session, or waits for whoever does.
func (s *site) renew(ctx context.Context, x *session) *renewal {
	n, first := s.fresh.join(x)
	if first {
		// On its own: others wait for it, whatever becomes of this request.
		s.m.work.Go(func() {
			defer close(n.done)
			s.carryOut(n, x)
		})
	}
	select {
	case <-n.done:
		return n
	case <-ctx.Done():
		return &renewal{away: ctx.Err()}
	}
}

// carryOut asks the provider for new tokens.
func (s *site) carryOut(n *renewal, x *session) {
	n.until = s.m.o.Now().Add(grace)
	renewed, err := s.refresh(x)
	if err == nil {
		n.renewed = renewed
		n.sealed, err = s.seal(renewed)
	}
	switch {
	case err == nil:
		s.count.refreshed.Add(1)
		s.config.Load().opened.put(n.sealed, renewed)
	case errors.Is(err, errEnded):
		s.count.ended.Add(1)
		s.m.o.Log.Info("the provider has ended a session", "provider", s.config.Load().Key, "subject", x.user.Subject, "error", err)
	default:
		s.count.refreshAway.Add(1)
		n.renewed, n.away, n.until = nil, err, s.m.o.Now().Add(pauseAway)
	}
}

var errEnded = errors.New("the session is over")

// refresh exchanges the refresh token (OpenID Connect Core, section 12).
func (s *site) refresh(x *session) (*session, error) {
	f := s.ready(s.ctx)
	if f == nil {
		return nil, errors.New(s.why())
	}
	ctx, cancel := s.call(s.ctx)
	defer cancel()
	tokens, err := s.oauth(f, nil).TokenSource(ctx, &oauth2.Token{RefreshToken: x.Refresh}).Token()
	if err != nil && ended(err) {
		return nil, errors.Join(errEnded, err)
	} else if err != nil {
		return nil, err
	}
	raw, id, err := s.idToken(ctx, f, tokens)
	if err != nil {
		return nil, errors.Join(errEnded, err)
	}
	if id.Subject != x.user.Subject {
		return nil, errors.Join(errEnded, errors.New("the provider renewed it for somebody else"))
	}
	renewed := &session{ID: x.ID, Serial: x.Serial + 1, Began: x.Began, Issued: x.Issued, SID: x.SID, IDToken: raw, Refresh: tokens.RefreshToken}
	if renewed.Refresh == "" {
		renewed.Refresh = x.Refresh
	}
	return renewed, errors.Join(renewed.readToken(s.config.Load().GroupsClaim))
}
