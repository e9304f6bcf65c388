package jwt

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// When key sets are fetched again.
const (
	refresh   = 20 * time.Minute // after a fetch that went well (Istio, JwtPubKeyRefreshInterval)
	retryMin  = time.Second      // after one that did not; twice as long each time
	retryMax  = time.Minute
	unseenGap = 5 * time.Second // between fetches for the sake of unknown kids
	waitMax   = 5 * time.Second // how long a request waits for a fetch under way
)

// keySet is the keys of one issuer over time.
type keySet struct {
	store  *Store
	rule   atomic.Pointer[plan.TokenRule] // of the newest plan
	keys   atomic.Pointer[keys]           // nil: none known yet
	cancel context.CancelFunc
	again  chan struct{} // asks for a fetch now

	mu      sync.Mutex    // guards:
	flight  chan struct{} // closed when the fetch under way, or about to be, ends; nil if there is none
	fetched time.Time     // when the last one ended
	err     error         // why it failed
	since   time.Time     // since when it does
}

func newKeySet(s *Store, r *plan.TokenRule) *keySet {
	k := &keySet{store: s, cancel: func() {}, again: make(chan struct{}, 1)}
	k.rule.Store(r)
	switch {
	case r.Keys.Broken != "":
		k.err = errors.New(r.Keys.Broken)
	case r.Keys.Inline != "":
		read, err := readKeys([]byte(r.Keys.Inline), true)
		if k.err = err; err == nil {
			k.keys.Store(read)
		}
	case s.o.Offline:
		k.err = errors.New("key sets are not fetched here; write jwks into the rule, name the server's --state directory, or give --claims")
		k.restore()
	}
	return k
}

// remote tells whether the keys must be fetched.
func (k *keySet) remote() bool {
	r := k.rule.Load()
	return r.Keys.Broken == "" && r.Keys.Inline == ""
}

// follow takes the rule of a new plan, whose endpoints may be others.
func (k *keySet) follow(r *plan.TokenRule) {
	k.rule.Store(r)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil && k.remote() {
		k.ask()
	}
}

// ask wakes the fetching goroutine.
func (k *keySet) ask() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

// run fetches the keys until ctx ends.
func (k *keySet) run(ctx context.Context) {
	retry := retryMin
	for {
		wait := refresh
		if k.fetch(ctx) {
			retry = retryMin
		} else {
			wait, retry = retry, min(2*retry, retryMax)
		}
		wait += time.Duration(rand.Float64() * float64(wait) / 5) // not all at once
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-k.again:
			timer.Stop()
		}
	}
}

// fetch fetches the keys once, and tells whether it went well. What goes wrong
// changes nothing but what is told of it.
func (k *keySet) fetch(ctx context.Context) bool {
	k.mu.Lock()
	if k.flight == nil {
		k.flight = make(chan struct{})
	}
	k.mu.Unlock()
	r := k.rule.Load()
	data, err := k.store.download(ctx, r)
	var read *keys
	if err == nil {
		read, err = readKeys(data, false)
	}
	if err == nil {
		if old := k.keys.Load(); old == nil || !bytes.Equal(old.data, read.data) {
			k.keys.Store(read)
			k.keep(read)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tell(r, err)
	k.fetched = time.Now()
	close(k.flight)
	k.flight = nil
	return err == nil
}

// tell logs what has changed, and remembers it.
func (k *keySet) tell(r *plan.TokenRule, err error) {
	switch {
	case err != nil && k.err == nil:
		k.since = time.Now()
		fallthrough
	case err != nil && err.Error() != k.err.Error():
		k.store.o.Log.Warn("the key set of an issuer cannot be fetched", "issuer", r.Issuer, "rule", r.Origin.String(), "error", err, "earlier keys are used", k.keys.Load() != nil)
	case err == nil && k.err != nil:
		k.store.o.Log.Info("the key set of an issuer is fetched again", "issuer", r.Issuer)
	}
	k.err = err
}

// verify checks the signature of a token by the keys, and returns which. It waits
// for a fetch that is under way if there is no key yet, and asks for one, at
// times, when the token's key is not among them: the issuer may have a new one.
func (k *keySet) verify(p *parsed) (*keys, plan.TokenFailure) {
	by := k.keys.Load()
	if by == nil {
		k.wait(false)
		if by = k.keys.Load(); by == nil {
			return nil, k.without()
		}
	}
	f, unknown := by.verify(p)
	if !unknown || !k.remote() || !k.wait(true) {
		return by, f
	}
	newer := k.keys.Load()
	if newer == by {
		return by, f
	}
	f, _ = newer.verify(p)
	return newer, f
}

// wait waits for the fetch under way; unseen asks for one if there is none and
// the last was some time ago. It tells whether there was one.
func (k *keySet) wait(unseen bool) bool {
	k.mu.Lock()
	if k.flight == nil && unseen && time.Since(k.fetched) >= unseenGap && !k.store.o.Offline {
		k.flight = make(chan struct{})
		k.ask()
	}
	flight := k.flight
	k.mu.Unlock()
	if flight == nil {
		return false
	}
	timer := time.NewTimer(waitMax)
	defer timer.Stop()
	select {
	case <-flight:
	case <-timer.C:
	case <-k.store.ctx.Done():
	}
	return true
}

// without is the refusal for want of keys. Why there are none is for operators
// only.
func (k *keySet) without() plan.TokenFailure {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := unauthorized(notFetched)
	if r := k.rule.Load(); r.Keys.Broken != "" || r.Keys.Inline != "" {
		f = unauthorized(noKeys)
	}
	f.Reason = "the first fetch has not ended"
	if k.err != nil {
		f.Reason = k.err.Error()
	}
	return f
}

// failure tells why the last fetch failed, if it did.
func (k *keySet) failure() (Failure, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.rule.Load()
	return Failure{Origin: r.Origin, Issuer: r.Issuer, Err: k.err, Since: k.since, Kept: k.keys.Load() != nil}, k.err != nil && k.remote()
}
