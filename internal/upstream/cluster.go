package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/internal/plan"
)

// Cluster is the endpoints of one backend.
type Cluster struct {
	m    *Manager
	id   clusterID
	name string // "Service myapp/myapp-service:80"

	tls    *tls.Config // without ALPN; nil for plain connections
	tlsErr error       // why there can be no connection

	state   atomic.Pointer[state]
	chooser atomic.Pointer[chooser]
	turn    atomic.Uint64 // of round robin

	mu      sync.Mutex // guards changes of state and chooser, the ejections, and:
	names   []*name
	lookup  *resolution // under way
	retired bool

	active, retries, pending, conns gauge
	requests, overflows, ejections  atomic.Uint64
}

// state is what the plan says of a cluster, with the endpoints that its names
// have been resolved to. It never changes.
type state struct {
	protocol plan.Protocol
	pool     plan.Pool
	balance  plan.Balance
	ring     int
	maglev   int
	outlier  *plan.Outlier // nil is off
	dns      bool
	members  []member
}

type member struct {
	endpoint *Endpoint
	weight   uint32
}

func newCluster(m *Manager, b *plan.Backend) *Cluster {
	c := &Cluster{m: m, id: idOf(b).clone(), name: nameOf(b)}
	c.tls, c.tlsErr = clientTLS(b.TLS)
	c.state.Store(&state{})
	c.chooser.Store(&chooser{})
	c.update(b)
	return c
}

func nameOf(b *plan.Backend) string {
	switch {
	case !b.Service.IsZero():
		return fmt.Sprintf("Service %s/%s:%d", b.Service.Namespace, b.Service.Name, b.Port)
	case b.Origin.Ref.Kind != "":
		return strings.Clone(b.Origin.Ref.String())
	}
	return strings.Clone(b.Key)
}

// stateOf copies what b says, all but the endpoints, so that no plan is kept.
func stateOf(b *plan.Backend) *state {
	s := &state{protocol: b.Protocol, pool: b.Pool, balance: b.Balance, dns: b.DNS}
	if b.Pool.KeepAlive != nil {
		k := *b.Pool.KeepAlive
		s.pool.KeepAlive = &k
	}
	if b.Balance == plan.BalanceHash && b.Hash != nil {
		s.ring, s.maglev = b.Hash.Ring, b.Hash.Maglev
	}
	if b.Outlier != nil {
		o := *b.Outlier
		o.Interval = orDefault(o.Interval, defaultInterval)
		o.BaseEjection = orDefault(o.BaseEjection, defaultEjection)
		o.MaxEjectionPercent = orDefault(o.MaxEjectionPercent, defaultEjectionPercent)
		s.outlier = &o
	}
	return s
}

// update takes over what b says.
func (c *Cluster) update(b *plan.Backend) {
	c.mu.Lock()
	c.retired = false
	s := stateOf(b)
	var addresses []address
	if b.DNS {
		addresses = c.setNames(b.Endpoints)
	} else {
		c.names = nil
		for _, e := range b.Endpoints {
			addresses = append(addresses, address{e.Address, max(e.Weight, 1)})
		}
	}
	left := c.apply(s, addresses)
	c.mu.Unlock()
	for _, e := range left {
		e.leave()
	}
	for _, m := range s.members { // the bounds may be wider now
		m.endpoint.mu.Lock()
		m.endpoint.admit()
		m.endpoint.mu.Unlock()
	}
}

// address is a member to be.
type address struct {
	text   string // "IP:PORT"
	weight uint32
}

// apply makes s the state, with these addresses: those that are known keep
// their endpoint. The endpoints that are left over are returned, to be told
// without the lock. c.mu is held.
func (c *Cluster) apply(s *state, addresses []address) (left []*Endpoint) {
	old := c.state.Load()
	known := make(map[string]*Endpoint, len(old.members))
	for _, m := range old.members {
		known[m.endpoint.address] = m.endpoint
	}
	s.members = make([]member, 0, len(addresses))
	seen := make(map[string]bool, len(addresses))
	for _, a := range addresses {
		if seen[a.text] {
			continue
		}
		seen[a.text] = true
		e := known[a.text]
		delete(known, a.text)
		if e == nil {
			e = newEndpoint(c, strings.Clone(a.text))
		}
		e.stay(c.retired)
		s.members = append(s.members, member{e, a.weight})
	}
	for _, e := range known {
		left = append(left, e)
	}
	c.state.Store(s)
	if !c.chooser.Load().fits(old, s) {
		c.rebuild()
	}
	return left
}

// fits tells whether the chooser made for old serves s as well.
func (ch *chooser) fits(old, s *state) bool {
	return old.balance == s.balance && old.ring == s.ring && old.maglev == s.maglev &&
		(old.outlier == nil) == (s.outlier == nil) &&
		(s.outlier == nil || *old.outlier == *s.outlier) && slices.Equal(old.members, s.members)
}

// rebuild makes the chooser anew: of the members that are not ejected, or of
// all when fewer than the panic threshold are left. c.mu is held.
func (c *Cluster) rebuild() *chooser {
	s, now := c.state.Load(), c.m.now()
	var until int64
	endpoints := make([]*Endpoint, 0, len(s.members))
	weights := make([]uint32, 0, len(s.members))
	for _, m := range s.members {
		if back := m.endpoint.refresh(s.outlier != nil, now); back != 0 {
			if until == 0 || back < until {
				until = back
			}
			continue
		}
		endpoints, weights = append(endpoints, m.endpoint), append(weights, m.weight)
	}
	if s.outlier != nil && len(endpoints)*100 < s.outlier.MinHealthPercent*len(s.members) {
		endpoints, weights = endpoints[:0], weights[:0]
		for _, m := range s.members {
			endpoints, weights = append(endpoints, m.endpoint), append(weights, m.weight)
		}
	}
	ch := newChooser(s, endpoints, weights)
	ch.until = until
	c.chooser.Store(ch)
	return ch
}

// retire closes what is idle; exchanges under way end as usual.
func (c *Cluster) retire() {
	c.mu.Lock()
	c.retired = true
	members := c.state.Load().members
	c.mu.Unlock()
	for _, m := range members {
		m.endpoint.leave()
	}
}

// atRest tells whether nothing is under way.
func (c *Cluster) atRest() bool {
	return c.active.n.Load() == 0 && c.pending.n.Load() == 0 && c.conns.n.Load() == 0
}

// Key is the backend's key.
func (c *Cluster) Key() string { return c.id.key }

// String names the backend for people: "Service myapp/myapp-service:80".
func (c *Cluster) String() string { return c.name }

// Protocol is what the endpoints speak: Conn serves HTTP1, RoundTrip HTTP2. With
// SameAsClient the request decides: both serve.
func (c *Cluster) Protocol() plan.Protocol { return c.state.Load().protocol }

// Pick chooses an endpoint; one that is not in tried, while there is one. A
// backend that balances by hash takes hash when hashed is true (see Hash), and
// otherwise chance; its next choice is the next endpoint on the ring. Istio
// does not avoid the endpoint tried with consistentHash: leave tried empty there.
//
// The error is ErrNoneHealthy or matches it. ctx bounds waiting for a name to be
// resolved for the first time; nothing else waits.
func (c *Cluster) Pick(ctx context.Context, hash uint64, hashed bool, tried []*Endpoint) (*Endpoint, error) {
	ch := c.chooser.Load()
	if ch.until != 0 && c.m.now() >= ch.until {
		c.mu.Lock()
		if ch = c.chooser.Load(); ch.until != 0 && c.m.now() >= ch.until {
			ch = c.rebuild()
		}
		c.mu.Unlock()
	}
	if len(ch.endpoints) > 0 {
		return ch.choose(c, hash, hashed, tried), nil
	}
	if !c.state.Load().dns || ch.until != 0 {
		return nil, ErrNoneHealthy
	}
	if err := c.resolveFirst(ctx); err != nil {
		return nil, err
	}
	if ch = c.chooser.Load(); len(ch.endpoints) > 0 {
		return ch.choose(c, hash, hashed, tried), nil
	}
	return nil, ErrNoneHealthy
}
