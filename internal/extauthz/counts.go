package extauthz

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/internal/plan"
)

// Counts are the verdicts of one provider, as Envoy's filter counts them.
type Counts struct {
	OK, Denied, Error, Timeout uint64
	// FailureModeAllowed are requests let through without a verdict (failOpen).
	FailureModeAllowed uint64
}

// counts are those of all providers, by name.
type counts struct{ by sync.Map } // of string to *counters

type counters struct{ ok, denied, failed, timeout, let atomic.Uint64 }

func (c *counts) count(p *plan.Provider, v *plan.Verdict, late bool) {
	found, ok := c.by.Load(p.Name)
	if !ok {
		found, _ = c.by.LoadOrStore(strings.Clone(p.Name), new(counters))
	}
	n := found.(*counters)
	switch {
	case v.Err != nil:
		n.failed.Add(1)
		if late {
			n.timeout.Add(1)
		}
		if p.FailOpen {
			n.let.Add(1)
		}
	case v.Allowed:
		n.ok.Add(1)
	default:
		n.denied.Add(1)
	}
}

// Counts tells what each provider has said so far.
func (c *Client) Counts() map[string]Counts {
	all := map[string]Counts{}
	c.counts.by.Range(func(name, v any) bool {
		n := v.(*counters)
		all[name.(string)] = Counts{OK: n.ok.Load(), Denied: n.denied.Load(), Error: n.failed.Load(), Timeout: n.timeout.Load(), FailureModeAllowed: n.let.Load()}
		return true
	})
	return all
}
