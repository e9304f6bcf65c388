package devidp

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	buckets    = 1024             // names share them by hash, so that names fill no memory
	burst      = 5                // wrong passwords in a row for one name
	refill     = 12 * time.Second // for one more
	concurrent = 2                // checks at a time: each keeps a CPU busy
)

// tries bounds how often passwords are tried: for each name, known or not, and altogether.
type tries struct {
	now   func() time.Time
	seed  maphash.Seed
	slots chan struct{}

	mu    sync.Mutex
	until [buckets]time.Time // when the bucket will be whole again
}

func newTries(now func() time.Time) *tries {
	return &tries{now: now, seed: maphash.MakeSeed(), slots: make(chan struct{}, concurrent)}
}

func (t *tries) bucket(name string) *time.Time {
	return &t.until[maphash.String(t.seed, name)%buckets]
}

// take spends a try of a name. Without one left it tells how long to wait.
func (t *tries) take(name string) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, b := t.now(), t.bucket(name)
	next := now
	if b.After(now) {
		next = *b
	}
	if next = next.Add(refill); next.Sub(now) > burst*refill {
		return next.Sub(now) - burst*refill, false
	}
	*b = next
	return 0, true
}

// giveBack returns a try whose password was right.
func (t *tries) giveBack(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bucket(name)
	*b = b.Add(-refill)
}
