package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// Conn is an HTTP/1.1 connection to an endpoint. Give it back by Endpoint.Put
// or Close. After Hijack, call Close too when the tunnel has ended: it no longer
// closes the socket, but counts the connection out.
type Conn struct {
	*http1.ClientConn
	// Reused tells that the connection has carried a request before: the
	// upstream may have closed it meanwhile (see ClientConn.Untouched).
	Reused bool

	endpoint *Endpoint
	made     int64 // on the Manager's clock, as is since
	served   int   // requests, the one under way included

	// Guarded by the endpoint's mu.
	since   int64 // seen at rest since then; 0: not yet, see expire
	resting bool  // it is among the idle ones
	closed  bool
}

// Want says what kind of connection a request needs.
type Want struct {
	// Connect bounds making a connection, TLS included; 0 is the backend's
	// Pool.ConnectTimeout, or else Options.Connect.
	Connect time.Duration
	// Sure looks at an idle connection before it is used again. Set it for
	// requests that cannot be sent twice.
	Sure bool
	// New wants a connection that nobody has used.
	New bool
}

// A waiter waits for a connection while Pool.MaxConnections are open.
type waiter struct {
	fresh bool // only a new one will do
	ready chan grant
}

// grant is what a waiter gets: a connection, an error, or neither: then it may
// make a connection, which is already counted.
type grant struct {
	conn *Conn
	err  error
}

// Conn returns an idle connection, the one last used first, or makes one. It
// waits for one while Pool.MaxConnections are open. Errors: *DialError,
// ErrOverflow, ErrClosed, ctx's.
func (e *Endpoint) Conn(ctx context.Context, w Want) (*Conn, error) {
	for !w.New {
		c := e.takeIdle()
		if c == nil {
			break
		}
		if w.Sure && !c.Alive() {
			c.Close()
			continue
		}
		return e.reuse(c), nil
	}
	return e.newConn(ctx, w)
}

// reuse counts another request on c.
func (e *Endpoint) reuse(c *Conn) *Conn {
	c.Reused = true
	c.served++
	e.reused.Add(1)
	return c
}

func (e *Endpoint) takeIdle() *Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := len(e.idle) - 1
	if last < 0 {
		return nil
	}
	c := e.idle[last]
	e.idle[last] = nil
	e.idle = e.idle[:last]
	c.resting = false
	return c
}

// newConn makes a connection, or waits where no more may be open. Both count as
// pending, as in Envoy.
func (e *Endpoint) newConn(ctx context.Context, w Want) (*Conn, error) {
	c := e.cluster
	if !c.pending.enter(c.state.Load().pool.MaxPending) {
		c.overflows.Add(1)
		return nil, ErrOverflow
	}
	defer c.pending.leave()
	if wait := e.mayOpen(w.New); wait != nil {
		got, err := e.await(ctx, wait)
		if err != nil {
			return nil, err
		}
		if got != nil {
			return e.reuse(got), nil
		}
	}
	conn, err := e.open1(ctx, w.Connect)
	if err != nil {
		if ctx.Err() == nil {
			e.fail(err)
		}
		e.free(&e.open)
	}
	return conn, err
}

// open1 makes a connection that is already counted.
func (e *Endpoint) open1(ctx context.Context, limit time.Duration) (*Conn, error) {
	m := e.cluster.m
	nc, err := e.dial(ctx, limit, plan.HTTP1)
	if err != nil {
		return nil, err
	}
	conn := &Conn{ClientConn: m.client.NewConn(nc), endpoint: e, made: m.now(), served: 1}
	if !m.track(conn) {
		nc.Close()
		return nil, ErrClosed
	}
	return conn, nil
}

// mayOpen counts a connection in, or returns the waiter in its queue. A request
// that needs a new one has the oldest idle connection make room for it.
func (e *Endpoint) mayOpen(fresh bool) *waiter {
	for {
		e.mu.Lock()
		if e.enter(&e.open) {
			e.mu.Unlock()
			return nil
		}
		if len(e.idle) == 0 {
			w := &waiter{fresh, make(chan grant, 1)}
			e.waiting = append(e.waiting, w)
			e.mu.Unlock()
			return w
		}
		oldest := e.idle[0]
		e.idle = slices.Delete(e.idle, 0, 1)
		oldest.resting = false
		e.mu.Unlock()
		oldest.Close()
	}
}

// enter counts a connection in unless the cluster has Pool.MaxConnections. An
// endpoint may always have one of each protocol, as in Envoy: so those who wait
// wait for somebody. open is that protocol's count; e.mu is held.
func (e *Endpoint) enter(open *int) bool {
	c := e.cluster
	if !c.conns.enter(c.state.Load().pool.MaxConnections) {
		if *open > 0 {
			return false
		}
		c.conns.n.Add(1)
	}
	*open++
	return true
}

// await waits for what w gets: a connection, or nil when one may be made.
func (e *Endpoint) await(ctx context.Context, w *waiter) (*Conn, error) {
	select {
	case g := <-w.ready:
		return g.conn, g.err
	case <-ctx.Done():
	}
	e.mu.Lock()
	i := slices.Index(e.waiting, w)
	if i >= 0 {
		e.waiting = slices.Delete(e.waiting, i, i+1)
	}
	e.mu.Unlock()
	if i < 0 { // somebody has granted it at the same time
		switch g := <-w.ready; {
		case g.conn != nil:
			e.keep(g.conn)
		case g.err == nil:
			e.free(&e.open)
		}
	}
	return nil, ctx.Err()
}

// free counts a connection out and lets the next in.
func (e *Endpoint) free(open *int) {
	e.mu.Lock()
	*open--
	e.cluster.conns.leave()
	e.admit()
	e.mu.Unlock()
}

// fail lets all who wait fail: a connection could not be made, as in Envoy.
func (e *Endpoint) fail(err error) {
	e.mu.Lock()
	for _, w := range e.waiting {
		w.ready <- grant{err: err}
	}
	e.waiting = nil
	e.mu.Unlock()
}

// admit grants connections to those who wait, as many as may be opened now.
// e.mu is held.
func (e *Endpoint) admit() {
	for len(e.waiting) > 0 && e.enter(&e.open) {
		e.nextWaiter().ready <- grant{}
	}
	e.h2.wake(1)
}

func (e *Endpoint) nextWaiter() *waiter {
	w := e.waiting[0]
	e.waiting = slices.Delete(e.waiting, 0, 1)
	return w
}

// Put gives a connection back after its exchange: it is kept when it can be used
// again, and closed otherwise.
func (e *Endpoint) Put(c *Conn) {
	pool := &e.cluster.state.Load().pool
	if !c.Reusable() || pool.PerConnection > 0 && c.served >= pool.PerConnection {
		c.Close()
		return
	}
	c.Release()
	e.keep(c)
}

// keep hands a connection that can be used again to who waits for one, or lets
// it rest.
func (e *Endpoint) keep(c *Conn) {
	m := e.cluster.m
	old := false
	if age := e.cluster.state.Load().pool.MaxConnectionAge; age > 0 {
		old = c.tooOld(age, m.now())
	}
	e.mu.Lock()
	switch {
	case c.resting || c.closed:
	case old:
		e.mu.Unlock()
		c.Close()
		return
	case len(e.waiting) > 0 && !e.waiting[0].fresh:
		e.nextWaiter().ready <- grant{conn: c}
	case e.gone || len(e.waiting) > 0 || len(e.idle) >= m.options.Idle:
		e.mu.Unlock()
		c.Close()
		return
	default:
		c.since, c.resting = 0, true
		e.idle = append(e.idle, c)
	}
	e.mu.Unlock()
}

// tooOld tells whether a connection has lived for Pool.MaxConnectionAge.
func (c *Conn) tooOld(age time.Duration, now int64) bool {
	return age > 0 && now-c.made >= int64(age)
}

// Close ends the connection. Once it is given back it does nothing.
func (c *Conn) Close() error {
	e := c.endpoint
	e.mu.Lock()
	if c.closed || c.resting {
		e.mu.Unlock()
		return nil
	}
	c.closed = true
	e.mu.Unlock()
	err := c.ClientConn.Close()
	e.cluster.m.untrack(c)
	e.free(&e.open)
	return err
}
