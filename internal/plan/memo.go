package plan

import "sync/atomic"

// Memo is a place where whoever counts a route's requests keeps what it needs
// for that, so that no request has to look it up. It is no part of what the
// plan means, and goes with the plan.
type Memo struct{ v atomic.Value }

// Load returns what was stored last, or nil.
func (m *Memo) Load() any { return m.v.Load() }

// Store keeps v; every v of one Memo must be of one type.
func (m *Memo) Store(v any) { m.v.Store(v) }
