package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// streamBuffer is what an HTTP/2 upstream may send on a stream before it is read,
// in bytes. The connection has no bound of its own that counts: slow readers of
// some responses would use it up and hold up all the others.
const streamBuffer = 256 << 10

// h2pool is the HTTP/2 connections of an endpoint. The endpoint's mu guards it.
type h2pool struct {
	transport *http.Transport // makes connections; nil before the first
	open      int             // connections, retired and being made included
	conns     []*h2conn       // that take requests; a new slice for every change
	dialing   bool
	waiting   []*h2waiter // for a stream, the first in front
	seeking   int         // requests without a stream: those who wait or look again
}

// h2conn is an HTTP/2 connection. It ends when it is retired and unused.
type h2conn struct {
	*http.ClientConn
	endpoint *Endpoint
	made     int64 // on the Manager's clock, as is since

	// Guarded by the endpoint's mu.
	since   int64 // unused since then, if it is unused
	served  int   // requests
	active  int   // those whose response is not over
	retired bool  // takes no more
	closed  bool
}

// h2waiter waits until it is worth looking for a stream again, or for an error.
type h2waiter struct{ ready chan error }

// RoundTrip sends one request over HTTP/2: in plain text by prior knowledge, or
// over TLS where the upstream agrees to h2. Many requests share a connection.
// The response comes with its head; req.Body may still be read then, so that
// both sides can stream. Trailers are in req.Trailer and Response.Trailer. Only
// the path, scheme, host and fields of req are sent, not the host of its URL.
// The caller must close Response.Body.
//
// Errors of finding a connection are as Conn's, and leave req.Body alone. Of
// others Untouched tells whether the request may be sent again.
func (e *Endpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := e.stream(req.Context())
	if err != nil {
		return nil, err
	}
	if _, ok := req.Header["User-Agent"]; !ok && req.Header != nil {
		req.Header["User-Agent"] = nil // or net/http names itself
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		c.finish()
		return nil, err
	}
	resp.Body = &h2body{ReadCloser: resp.Body, conn: c}
	return resp, nil
}

// h2body counts its request out when it ends. net/http's own count is no help: it
// holds on to canceled requests until the upstream answers a PING.
type h2body struct {
	io.ReadCloser
	conn *h2conn
	over atomic.Bool
}

func (b *h2body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *h2body) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *h2body) end() {
	if b.over.CompareAndSwap(false, true) {
		b.conn.finish()
	}
}

// Untouched tells whether RoundTrip failed before the upstream began to work on
// the request, so that it can be sent again (RFC 9113 section 8.7; Envoy's
// retry-on refused-stream).
func Untouched(err error) bool {
	var stream streamError
	if errors.As(err, &stream) {
		return stream.Code == refusedStream
	}
	if err == nil {
		return false
	}
	// net/http has no names for these two.
	switch err.Error() {
	case "http2: client conn not usable", "http2: Transport received Server's graceful shutdown GOAWAY":
		return true
	}
	return false
}

// StreamReset tells whether RoundTrip, or reading its response, failed because
// the upstream ended the stream while the connection goes on.
func StreamReset(err error) bool {
	var stream streamError
	return errors.As(err, &stream)
}

// streamError is what errors.As makes of net/http's own, by its form.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

const refusedStream = 7

func (e streamError) Error() string {
	return fmt.Sprintf("stream %d reset with code %d", e.StreamID, e.Code)
}

// stream reserves a stream. Requests without one wait for one to end or for the
// connection that is then made; both count as pending.
func (e *Endpoint) stream(ctx context.Context) (*h2conn, error) {
	if c := e.reserve(); c != nil {
		return c, nil
	}
	cl := e.cluster
	if !cl.pending.enter(cl.state.Load().pool.MaxPending) {
		cl.overflows.Add(1)
		return nil, ErrOverflow
	}
	defer cl.pending.leave()
	e.mu.Lock()
	e.h2.seeking++
	e.mu.Unlock()
	defer e.found()
	for {
		w := &h2waiter{make(chan error, 1)}
		e.mu.Lock()
		e.h2.waiting = append(e.h2.waiting, w)
		e.mu.Unlock()
		if c := e.reserve(); c != nil { // one may have come free just before
			e.forget(w)
			return c, nil
		}
		e.dialStream()
		select {
		case err := <-w.ready:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			e.forget(w)
			return nil, ctx.Err()
		}
		if c := e.reserve(); c != nil {
			return c, nil
		}
	}
}

// forget takes w out of the queue. What it may have been woken for goes to the
// next.
func (e *Endpoint) forget(w *h2waiter) {
	e.mu.Lock()
	if i := slices.Index(e.h2.waiting, w); i >= 0 {
		e.h2.waiting = slices.Delete(e.h2.waiting, i, i+1)
	} else {
		e.h2.wake(1)
	}
	e.mu.Unlock()
}

// found ends the search for a stream.
func (e *Endpoint) found() {
	e.mu.Lock()
	e.h2.seeking--
	e.mu.Unlock()
	e.endIfGone()
}

// reserve counts a request in on the first connection that has room for it.
// net/http's own Reserve would not do: requests that reserved more streams than
// the upstream then allows wait for each other for ever.
func (e *Endpoint) reserve() *h2conn {
	limit := e.cluster.state.Load().pool.PerConnection
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.h2.conns {
		if !c.hasRoom() {
			continue
		}
		c.active++
		if c.served++; c.served > 1 {
			e.reused.Add(1)
		}
		if limit > 0 && c.served >= limit {
			e.h2.retire(c)
		}
		return c
	}
	return nil
}

// hasRoom tells whether the upstream allows one stream more: beside those that
// are open, and those of requests that are about to open theirs.
func (c *h2conn) hasRoom() bool {
	free := c.Available()
	return free > 0 && c.active < free+c.InFlight()
}

// finish counts a request out.
func (c *h2conn) finish() {
	e := c.endpoint
	now := e.cluster.m.now()
	e.mu.Lock()
	c.active--
	if !c.retired {
		e.h2.wake(1)
	}
	over := false
	if c.active == 0 {
		c.since = now
		over = c.retired || e.abandoned()
	}
	if over {
		e.h2.retire(c)
	}
	e.mu.Unlock()
	if over {
		c.Close()
	}
}

// dialStream begins to make a connection, unless one is being made or no more
// may be open. Connections that the upstream is about to end make room.
func (e *Endpoint) dialStream() {
	e.mu.Lock()
	over := e.h2.unused(func(c *h2conn) bool { return c.served > 0 && c.Available() == 0 })
	e.mu.Unlock()
	for _, c := range over {
		c.Close()
	}
	e.mu.Lock()
	// Where the upstream allows no stream another connection changes nothing.
	useless := slices.ContainsFunc(e.h2.conns, func(c *h2conn) bool { return c.served == 0 && c.Available() == 0 })
	if useless || e.h2.dialing || !e.enter(&e.h2.open) {
		e.mu.Unlock()
		return
	}
	e.h2.dialing = true
	if e.h2.transport == nil {
		e.h2.transport = e.newTransport()
	}
	e.mu.Unlock()
	if !e.cluster.m.spawn(e.openStream) {
		e.opened2(nil, ErrClosed)
	}
}

// newTransport returns what makes connections out of those of dial. It believes
// that all of them are plain, and so asks for HTTP/2 at once; dial knows better.
func (e *Endpoint) newTransport() *http.Transport {
	o := &e.cluster.m.options
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return e.dial(ctx, 0, plan.HTTP2)
		},
		DisableCompression:     true,
		MaxResponseHeaderBytes: int64(orDefault(o.Limits.HeaderBytes, http1.DefaultLimits().HeaderBytes)),
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamBuffer},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// openStream makes a connection that is already counted. It works for all who
// wait, so no request's end ends it.
func (e *Endpoint) openStream() {
	m := e.cluster.m
	cc, err := e.h2.transport.NewClientConn(m.ctx, "http", e.address)
	if err != nil {
		if m.ctx.Err() != nil {
			err = ErrClosed
		}
		e.opened2(nil, err)
		return
	}
	c := &h2conn{ClientConn: cc, endpoint: e, made: m.now()}
	c.since = c.made
	if !m.track(c) {
		cc.Close()
		e.opened2(nil, ErrClosed)
		return
	}
	e.opened2(c, nil)
}

// opened2 ends dialStream.
func (e *Endpoint) opened2(c *h2conn, err error) {
	e.mu.Lock()
	e.h2.dialing = false
	if c == nil {
		e.h2.fail(err)
		e.mu.Unlock()
		e.free(&e.h2.open)
		return
	}
	e.h2.conns = append(slices.Clip(e.h2.conns), c)
	e.h2.wake(max(c.Available(), 1))
	more := len(e.h2.waiting) > 0
	e.mu.Unlock()
	if more {
		e.dialStream()
	}
	c.SetStateHook(func(*http.ClientConn) { c.changed() })
	e.endIfGone()
}

// changed looks at the connection when it has room for more requests, and when
// it has broken.
func (c *h2conn) changed() {
	e := c.endpoint
	broken := c.Err() != nil
	e.mu.Lock()
	if broken {
		first := !c.closed
		c.closed = true
		e.h2.retire(c)
		e.mu.Unlock()
		if first {
			e.cluster.m.untrack(c)
			e.free(&e.h2.open)
		}
		return
	}
	if !c.retired {
		e.h2.wake(c.Available())
	}
	e.mu.Unlock()
}

// endWhenUnused ends a retired connection: now, or after its last request.
func (c *h2conn) endWhenUnused() {
	c.endpoint.mu.Lock()
	unused := c.active == 0
	c.endpoint.mu.Unlock()
	if unused {
		c.Close()
	}
}

// tooOld is as Conn's.
func (c *h2conn) tooOld(age time.Duration, now int64) bool {
	return age > 0 && now-c.made >= int64(age)
}

// Interrupt breaks off what is under way.
func (c *h2conn) Interrupt() { c.Close() }

// abandoned tells whether no plan names e any more and nobody looks for a stream.
func (e *Endpoint) abandoned() bool { return e.gone && e.h2.seeking == 0 }

// endIfGone ends the connections of an abandoned endpoint that nobody uses.
func (e *Endpoint) endIfGone() {
	e.mu.Lock()
	var over []*h2conn
	if e.abandoned() {
		over = e.h2.unused(func(*h2conn) bool { return true })
	}
	e.mu.Unlock()
	for _, c := range over {
		c.Close()
	}
}

// retire has c take no more requests.
func (p *h2pool) retire(c *h2conn) {
	c.retired = true
	if i := slices.Index(p.conns, c); i >= 0 {
		p.conns = slices.Delete(slices.Clone(p.conns), i, i+1)
	}
}

// retireAll has no connection take more requests, and returns them.
func (p *h2pool) retireAll() []*h2conn {
	all := p.conns
	p.conns = nil
	for _, c := range all {
		c.retired = true
	}
	return all
}

// unused retires and returns the connections without a request for which over
// is true.
func (p *h2pool) unused(over func(*h2conn) bool) (list []*h2conn) {
	for _, c := range p.conns {
		if over(c) && c.active == 0 {
			list = append(list, c)
		}
	}
	for _, c := range list {
		p.retire(c)
	}
	return list
}

// wake lets the first n who wait look again.
func (p *h2pool) wake(n int) {
	n = min(n, len(p.waiting))
	if n <= 0 {
		return
	}
	for _, w := range p.waiting[:n] {
		w.ready <- nil
	}
	p.waiting = slices.Delete(p.waiting, 0, n)
}

// fail lets all who wait fail.
func (p *h2pool) fail(err error) {
	for _, w := range p.waiting {
		w.ready <- err
	}
	p.waiting = nil
}
