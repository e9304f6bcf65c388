package proxy

import (
	"context"
	"errors"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/upstream"
)

// tryHTTP1 makes one attempt over HTTP/1.1. A connection that had been used
// before and ends without a byte had been closed by the upstream meanwhile:
// what may be sent twice then goes out on a new one, and that is no attempt of
// its own (RFC 9110 section 9.2.2).
func (x *exchange) tryHTTP1(e *upstream.Endpoint) {
	want := upstream.Want{Connect: x.connectLimit(), Sure: !x.repeat || !x.up.whole}
	if x.oneHTTP1(e, want) {
		want.New = true
		x.answer.failed, x.answer.sent, x.answer.err = false, false, nil
		x.oneHTTP1(e, want)
	}
}

// oneHTTP1 sends the request on one connection and waits for the head of the
// response. stale says that the connection had been dead before.
func (x *exchange) oneHTTP1(e *upstream.Endpoint, want upstream.Want) (stale bool) {
	c, err := x.connection(e, want)
	if err != nil {
		x.failOf(err)
		return false
	}
	if !c.Reused || x.out.Backend.Pool.MaxConnections > 0 { // it may have been waited for
		x.asked = x.now()
	}
	x.answer.conn = c
	h := x.requestHead()
	c.Timeouts.FirstByte, c.Timeouts.Read, c.Timeouts.Write = 0, x.limits.read, x.limits.send
	if err := c.Begin(h); err != nil {
		x.answer.conn = nil
		c.Close()
		x.failOf(err)
		return false
	}
	x.underWay(c.ClientConn, nil)
	x.answer.sent = true
	var resp *http1.ResponseHead
	if err = x.up.send(c.ClientConn); err == nil {
		resp, err = c.ReadResponse(x.onInterim)
	}
	if err == nil && resp.Status == 101 && x.upgrade == "" {
		err = errNotAsked
	}
	if err == nil {
		a := &x.answer
		a.status, a.fields, a.length, a.upgrade = resp.Status, resp.Fields, resp.ContentLength, resp.Upgrade
		if resp.Framing == http1.Chunked || resp.Framing == http1.UntilClose {
			a.length = -1
		}
		a.body = &c.Body
		return false
	}
	x.up.stop()
	x.underWay(nil, nil)
	stale = c.Reused && !want.New && c.Untouched() && x.repeat && x.up.replayable() && !isTimeout(err) && !x.gone.Load()
	if x.up.err != nil {
		err = x.up.err
	} else if x.up.stuck != nil {
		err = x.up.stuck
	}
	x.answer.conn = nil
	c.Close()
	x.failOf(err)
	return stale
}

// connection gets a connection. Where it may have to wait for one, the total
// limit bounds that too.
func (x *exchange) connection(e *upstream.Endpoint, want upstream.Want) (*upstream.Conn, error) {
	if x.out.Backend.Pool.MaxConnections <= 0 || x.deadline.IsZero() {
		return e.Conn(x.ctx, want)
	}
	ctx, cancel := context.WithDeadline(x.ctx, x.deadline)
	defer cancel()
	return e.Conn(ctx, want)
}

func isTimeout(err error) bool {
	var t *http1.TimeoutError
	return errors.As(err, &t)
}

// requestHead is the head that goes to the upstream.
func (x *exchange) requestHead() *http1.RequestHead {
	r, h := &x.req, &x.head
	*h = http1.RequestHead{
		Method: r.Method, Target: r.Target, Host: r.Host, Fields: r.Header, Lines: x.lines,
		ContentLength: r.ContentLength, Upgrade: x.upgrade,
	}
	if h.Host == "" { // HTTP/1.0 needs none; NGINX then sends the name of its default server
		h.Host = "_"
	}
	switch {
	case r.ContentLength > 0:
		h.Framing = http1.Length
	case r.ContentLength < 0:
		h.Framing = http1.Chunked
	case noLength(r.Method):
		h.ContentLength = -1
	}
	return h
}

// noLength tells whether a request without a body says nothing about its
// length: it says "0" where a body is expected (RFC 9110 section 8.6).
func noLength(method string) bool {
	switch method {
	case "POST", "PUT", "PATCH":
		return false
	}
	return true
}
