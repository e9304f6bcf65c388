package upstream

import (
	"sync"
	"sync/atomic"
)

// Endpoint is one address of a cluster.
type Endpoint struct {
	cluster *Cluster
	address string

	active   atomic.Int64 // exchanges under way
	requests atomic.Uint64
	opened   atomic.Uint64 // connections made
	failed   atomic.Uint64 // connections not made
	reused   atomic.Uint64
	health   health

	mu      sync.Mutex // guards:
	idle    []*Conn    // the one last used at the end
	open    int        // HTTP/1.1 connections and those being made, idle ones included
	waiting []*waiter  // for a connection, the first in front
	gone    bool       // no plan names it: nothing rests here any more
	h2      h2pool
}

func newEndpoint(c *Cluster, address string) *Endpoint {
	return &Endpoint{cluster: c, address: address}
}

// Address is "IP:PORT".
func (e *Endpoint) Address() string { return e.address }

// Cluster is whose endpoint it is.
func (e *Endpoint) Cluster() *Cluster { return e.cluster }

// Begin counts an exchange in; Done must follow.
func (e *Endpoint) Begin() {
	e.active.Add(1)
	e.requests.Add(1)
	e.cluster.requests.Add(1)
}

// Done counts an exchange out and judges the endpoint by its result.
func (e *Endpoint) Done(r Result) {
	e.active.Add(-1)
	if o := e.cluster.state.Load().outlier; o != nil && r != NoResult {
		e.judge(o, r)
	}
}

// stay says that a plan names the endpoint, unless its cluster is retired.
func (e *Endpoint) stay(retired bool) {
	e.mu.Lock()
	e.gone = retired
	e.mu.Unlock()
}

// leave says that no plan names the endpoint any more: idle connections end
// now, the others when they are given back.
func (e *Endpoint) leave() {
	e.mu.Lock()
	e.gone = true
	idle := e.idle
	e.idle = nil
	for _, c := range idle {
		c.resting = false
	}
	over := e.h2.retireAll()
	e.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	for _, c := range over {
		c.endWhenUnused()
	}
}
