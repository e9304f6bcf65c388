package upstream

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// Manager owns the clusters. Its methods may be called from all goroutines.
type Manager struct {
	options Options
	client  *http1.Client
	start   time.Time
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // goroutines of the Manager's own

	clusters atomic.Pointer[map[clusterID]*Cluster] // of the plan in force

	syncing sync.Mutex             // one Sync at a time
	mu      sync.Mutex             // guards writing of clusters, and:
	retired map[clusterID]*Cluster // out of the plan, perhaps still at work
	conns   map[interrupter]struct{}
	closed  bool
	empty   chan struct{} // closed when the last connection ends after Close
}

// interrupter is an open connection.
type interrupter interface{ Interrupt() }

// New returns a Manager without clusters. It must be closed.
func New(o Options) *Manager {
	o.fill()
	m := &Manager{
		options: o,
		client:  &http1.Client{Limits: o.Limits, Timeouts: o.Timeouts},
		start:   o.Now().Add(-time.Second),
		retired: map[clusterID]*Cluster{},
		conns:   map[interrupter]struct{}{},
		empty:   make(chan struct{}),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.clusters.Store(&map[clusterID]*Cluster{})
	m.work.Go(m.maintain)
	return m
}

// now is the time in nanoseconds on a clock of our own; it is never 0.
func (m *Manager) now() int64 { return int64(m.options.Now().Sub(m.start)) }

// clusterID tells clusters apart: backends with one key and different TLS
// settings share nothing.
type clusterID struct{ key, tls string }

func idOf(b *plan.Backend) clusterID {
	id := clusterID{key: b.Key}
	if b.TLS != nil {
		// With "none" no connection is made: see clientTLS.
		if id.tls = b.TLS.Digest; id.tls == "" {
			id.tls = "none"
		}
	}
	return id
}

// clone returns id in memory of its own, so that no plan's text is kept.
func (id clusterID) clone() clusterID {
	return clusterID{strings.Clone(id.key), strings.Clone(id.tls)}
}

// Sync makes the clusters those of p. Call it before p is put in force.
// Requests of older plans go on: see Cluster.
func (m *Manager) Sync(p *plan.Plan) {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	next := make(map[clusterID]*Cluster, len(p.Backends()))
	for _, b := range p.Backends() {
		id := idOf(b)
		if next[id] != nil {
			continue
		}
		c := m.find(id)
		if c == nil {
			c = newCluster(m, b)
		} else {
			c.update(b)
		}
		next[c.id] = c
	}
	m.mu.Lock()
	var out []*Cluster
	for id, c := range *m.clusters.Load() {
		if next[id] == nil {
			m.retired[id] = c
			out = append(out, c)
		}
	}
	for id := range next {
		delete(m.retired, id)
	}
	if m.closed {
		for _, c := range next {
			out = append(out, c)
		}
	}
	m.clusters.Store(&next)
	m.mu.Unlock()
	for _, c := range out {
		c.retire()
	}
}

// find returns the cluster, in force or retired, or nil.
func (m *Manager) find(id clusterID) *Cluster {
	if c := (*m.clusters.Load())[id]; c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.retired[id]
}

// Cluster returns the cluster of b, a backend of the plan last synced or of an
// older one. In a cluster that is retired exchanges work as usual, but no
// connection is kept afterwards.
func (m *Manager) Cluster(b *plan.Backend) *Cluster {
	id := idOf(b)
	if c := (*m.clusters.Load())[id]; c != nil {
		return c
	}
	if c := m.find(id); c != nil {
		return c
	}
	c := newCluster(m, b)
	c.retire()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range []*Cluster{(*m.clusters.Load())[id], m.retired[id]} {
		if other != nil { // somebody else was quicker
			return other
		}
	}
	m.retired[c.id] = c
	return c
}

// Close closes idle connections, waits until the others are given back, and
// interrupts those when ctx ends first: its error is then returned. No
// connection can be made any more.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		if len(m.conns) == 0 {
			close(m.empty)
		}
	}
	m.mu.Unlock()
	m.cancel()
	for _, c := range m.all() {
		c.retire()
	}
	m.work.Wait()
	select {
	case <-m.empty:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	rest := slices.Collect(maps.Keys(m.conns))
	m.mu.Unlock()
	for _, c := range rest {
		c.Interrupt()
	}
	return ctx.Err()
}

// all returns the clusters in force and the retired ones.
func (m *Manager) all() []*Cluster {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*Cluster
	for _, c := range *m.clusters.Load() {
		all = append(all, c)
	}
	for _, c := range m.retired {
		all = append(all, c)
	}
	return all
}

// spawn runs f in a goroutine that Close waits for; false after Close.
func (m *Manager) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.work.Go(f)
	return true
}

// track notes an open connection; false after Close.
func (m *Manager) track(c interrupter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.conns[c] = struct{}{}
	return true
}

func (m *Manager) untrack(c interrupter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c)
	if m.closed && len(m.conns) == 0 {
		select {
		case <-m.empty:
		default:
			close(m.empty)
		}
	}
}
