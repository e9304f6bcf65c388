package upstream

import (
	"slices"
	"sort"

	"github.com/doorward/doorward/internal/plan"
)

// chooser chooses among the endpoints that may get requests. It never changes:
// an ejection or a new plan makes another one.
type chooser struct {
	endpoints []*Endpoint
	// until is when the next ejected endpoint comes back, on the Manager's
	// clock; 0 when none is ejected.
	until int64

	balance plan.Balance
	sums    []uint64 // running sums of unequal weights; nil for equal ones
	turns   []int32  // round robin with unequal weights; nil for equal ones
	table   lookup   // consistent hash
}

// lookup finds the endpoint for a hash, and those that come after it.
type lookup interface {
	// at returns the endpoint for hash, and where it stands.
	at(hash uint64) (endpoint, place int)
	// after returns the endpoint at the next place.
	after(place int) (endpoint, next int)
	places() int
}

// newChooser makes a chooser of endpoints with these weights.
func newChooser(s *state, endpoints []*Endpoint, weights []uint32) *chooser {
	ch := &chooser{endpoints: endpoints, balance: s.balance}
	if len(endpoints) < 2 {
		return ch
	}
	if slices.Max(weights) != slices.Min(weights) {
		sum := uint64(0)
		for _, w := range weights {
			sum += uint64(w)
			ch.sums = append(ch.sums, sum)
		}
	}
	switch {
	case s.balance == plan.RoundRobin && ch.sums != nil:
		ch.turns = schedule(weights)
	case s.balance == plan.BalanceHash && s.maglev > 0:
		ch.table = newMaglev(endpoints, weights, s.maglev)
	case s.balance == plan.BalanceHash:
		ch.table = newRing(endpoints, weights, s.ring)
	}
	return ch
}

// choose returns an endpoint, of those not in tried while there are any.
func (ch *chooser) choose(c *Cluster, hash uint64, hashed bool, tried []*Endpoint) *Endpoint {
	if len(ch.endpoints) == 1 {
		return ch.endpoints[0]
	}
	if ch.table != nil {
		if !hashed {
			hash = c.m.options.Rand()
		}
		return ch.byHash(mix(hash), tried)
	}
	e := ch.next(c)
	for range 3 {
		if !slices.Contains(tried, e) {
			return e
		}
		e = ch.next(c)
	}
	return ch.avoid(e, c.m.options.Rand(), tried)
}

// next is the choice without regard to what was tried.
func (ch *chooser) next(c *Cluster) *Endpoint {
	switch ch.balance {
	case plan.RoundRobin:
		turn := c.turn.Add(1) - 1
		if ch.turns != nil {
			return ch.endpoints[ch.turns[turn%uint64(len(ch.turns))]]
		}
		return ch.endpoints[turn%uint64(len(ch.endpoints))]
	case plan.Random:
		return ch.endpoints[ch.random(c.m.options.Rand())]
	}
	return ch.lessBusy(c.m.options.Rand())
}

// lessBusy takes the less busy of two random endpoints, as Envoy's least
// request does. With unequal weights the two are drawn by weight and what is
// under way counts in proportion to it, so that idle and busy clusters alike
// give each endpoint its share.
func (ch *chooser) lessBusy(r uint64) *Endpoint {
	n := uint64(len(ch.endpoints))
	if ch.sums == nil {
		i := reduce(r>>32, n)
		j := reduce(r&0xffffffff, n-1)
		if j >= i {
			j++
		}
		a, b := ch.endpoints[i], ch.endpoints[j]
		if b.active.Load() < a.active.Load() {
			return b
		}
		return a
	}
	i, j := ch.random(r), ch.random(mix(r))
	a, b := ch.endpoints[i], ch.endpoints[j]
	if uint64(max(b.active.Load(), 0))*ch.weight(i) < uint64(max(a.active.Load(), 0))*ch.weight(j) {
		return b
	}
	return a
}

// random draws an endpoint by weight.
func (ch *chooser) random(r uint64) int {
	if ch.sums == nil {
		return int(reduce(r>>32, uint64(len(ch.endpoints))))
	}
	r %= ch.sums[len(ch.sums)-1]
	return sort.Search(len(ch.sums), func(i int) bool { return ch.sums[i] > r })
}

func (ch *chooser) weight(i int) uint64 {
	if i == 0 {
		return ch.sums[0]
	}
	return ch.sums[i] - ch.sums[i-1]
}

// reduce maps a 32-bit random number to 0..n-1.
func reduce(r, n uint64) uint64 { return r * n >> 32 }

// byHash takes the endpoint for hash, or the first after it that was not tried.
func (ch *chooser) byHash(hash uint64, tried []*Endpoint) *Endpoint {
	i, place := ch.table.at(hash)
	first := ch.endpoints[i]
	e := first
	for range ch.table.places() {
		if !slices.Contains(tried, e) {
			return e
		}
		i, place = ch.table.after(place)
		e = ch.endpoints[i]
	}
	return first
}

// avoid looks through all endpoints for one that was not tried.
func (ch *chooser) avoid(e *Endpoint, r uint64, tried []*Endpoint) *Endpoint {
	n := len(ch.endpoints)
	from := int(r % uint64(n))
	for i := range n {
		if at := ch.endpoints[(from+i)%n]; !slices.Contains(tried, at) {
			return at
		}
	}
	return e
}
