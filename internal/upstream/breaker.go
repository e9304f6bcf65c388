package upstream

import "sync/atomic"

// A gauge counts what is under way and knows its bound from the caller.
type gauge struct{ n atomic.Int64 }

// enter adds one unless limit (0: none) is reached.
func (g *gauge) enter(limit int) bool {
	if limit <= 0 {
		g.n.Add(1)
		return true
	}
	for {
		n := g.n.Load()
		if n >= int64(limit) {
			return false
		}
		if g.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *gauge) leave() { g.n.Add(-1) }

// Acquire counts a request in; ErrOverflow when Pool.MaxRequests are in flight
// (DestinationRule connectionPool.http.http2MaxRequests). Release counts it out,
// after its last try.
func (c *Cluster) Acquire() error {
	if !c.active.enter(c.state.Load().pool.MaxRequests) {
		c.overflows.Add(1)
		return ErrOverflow
	}
	return nil
}

// Release ends what Acquire began.
func (c *Cluster) Release() { c.active.leave() }

// AcquireRetry counts a retry in; ErrOverflow when Pool.MaxRetries are under way
// (DestinationRule connectionPool.http.maxRetries). ReleaseRetry counts it out.
func (c *Cluster) AcquireRetry() error {
	if !c.retries.enter(c.state.Load().pool.MaxRetries) {
		c.overflows.Add(1)
		return ErrOverflow
	}
	return nil
}

// ReleaseRetry ends what AcquireRetry began.
func (c *Cluster) ReleaseRetry() { c.retries.leave() }
