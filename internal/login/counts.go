package login

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Counts are what has become of the logins at one provider.
type Counts struct {
	// LoggedIn have a session; Failed came back from the provider and got none; Away could
	// not be sent there, or not be asked about.
	LoggedIn, Failed, Away uint64
	// Refreshed sessions got new tokens; Ended ones the provider has ended; RefreshAway
	// ones it could not be asked about.
	Refreshed, Ended, RefreshAway uint64
	// LoggedOut by themselves, and at the provider's word.
	LoggedOut, LoggedOutThere uint64
}

// counters count what Counts tells.
type counters struct {
	loggedIn, failed, away, refreshed, ended, refreshAway, loggedOut, loggedOutThere atomic.Uint64
}

// counts are the counters of all providers that there have been, by key: they outlive
// plans, whose keys are few.
type counts struct {
	mu sync.Mutex // guards:
	by map[string]*counters
}

func (c *counts) of(key string) *counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*counters{}
	}
	if c.by[key] == nil {
		c.by[key] = new(counters)
	}
	return c.by[key]
}

// Counts tells of each provider, NAMESPACE/NAME, what has become of its logins so far.
func (m *Manager) Counts() map[string]Counts {
	m.counts.mu.Lock()
	by := maps.Clone(m.counts.by)
	m.counts.mu.Unlock()
	all := make(map[string]Counts, len(by))
	for key, n := range by {
		all[key] = Counts{
			LoggedIn: n.loggedIn.Load(), Failed: n.failed.Load(), Away: n.away.Load(),
			Refreshed: n.refreshed.Load(), Ended: n.ended.Load(), RefreshAway: n.refreshAway.Load(),
			LoggedOut: n.loggedOut.Load(), LoggedOutThere: n.loggedOutThere.Load(),
		}
	}
	return all
}
