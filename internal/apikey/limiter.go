package apikey

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// Burst is how many wrong keys a source may show at once.
	Burst = 10
	// Every is how often one more.
	Every = 6 * time.Second
	// maxSources bounds the sources of one generation that are remembered.
	maxSources = 8192
)

// Limiter bounds the wrong keys of each source: Burst at once, then one Every. A
// source is an IPv4 address, or the /64 of an IPv6 address. It outlives plans. Its
// memory is bounded: sources are kept in two generations, and those that showed
// nothing wrong during a whole one are forgotten. The zero value is ready.
type Limiter struct {
	mu sync.Mutex
	// until is when a source has all its Burst again.
	young, old map[netip.Addr]time.Time
}

// WrongKey notes a wrong key. It returns how long the source must wait if it has
// shown too many, and 0 if not.
func (l *Limiter) WrongKey(source netip.Addr, now time.Time) (wait time.Duration) {
	source = source.Unmap().WithZone("")
	if p, err := source.Prefix(64); err == nil && source.Is6() {
		source = p.Addr()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	until, young := l.young[source]
	if !young {
		until = l.old[source]
	}
	// The clock may have been set back.
	if longest := now.Add(Burst * Every); until.After(longest) {
		until = longest
	}
	if until.Before(now) {
		until = now
	}
	if wait = until.Sub(now) - (Burst-1)*Every; wait <= 0 {
		wait, until = 0, until.Add(Every)
	}
	if !young && len(l.young) >= maxSources || l.young == nil {
		l.young, l.old = map[netip.Addr]time.Time{}, l.young
	}
	l.young[source] = until
	return wait
}
