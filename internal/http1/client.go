package http1

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/header"
)

// Client holds what connections to upstreams share. Set it up before the
// first NewConn and do not change it afterwards.
type Client struct {
	Limits   Limits // zero members: see DefaultLimits
	Timeouts Timeouts
	once     sync.Once
}

// NewConn returns a driver for nc, a connection that is established and has
// carried nothing yet, or a TLS connection.
func (cl *Client) NewConn(nc net.Conn) *ClientConn {
	cl.once.Do(cl.Limits.fill)
	c := &ClientConn{Timeouts: cl.Timeouts, client: cl, nc: nc}
	c.dl.init(nc)
	c.rd.init(nc, &c.dl)
	c.w.init(nc, c.rd.raw, &c.dl, &c.Timeouts.Write)
	c.Body.rd, c.Body.limits, c.Body.client = &c.rd, &cl.Limits, c
	c.Body.begin(NoBody, 0)
	return c
}

// ClientConn is a connection to an upstream. Begin, Write, Flush and End may
// be called in one goroutine while another calls ReadResponse and reads Body,
// once Begin has returned; a response may come before the request is whole.
type ClientConn struct {
	Body     Body     // of the response that ReadResponse returned
	Timeouts Timeouts // copied from the Client; may be changed before Begin

	client *Client
	nc     net.Conn
	dl     deadlines
	rd     reader
	w      writer
	method string
	head   *ResponseHead // pooled; nil between exchanges
	keep   bool          // the response allows another request
	whole  atomic.Bool   // the head of the final response has come
	lost   bool          // hijacked

	look  func(uintptr) bool // lookAt, made once
	alive bool               // what it saw
}

var responseHeads = sync.Pool{New: func() any {
	return &ResponseHead{Fields: make(header.Fields, 0, 24)}
}}

// NetConn returns the connection below.
func (c *ClientConn) NetConn() net.Conn { return c.nc }

// Begin starts a request. Its head is written as AppendRequestHead says;
// Framing decides about the body: Length (ContentLength bytes), Chunked, or
// NoBody. Nothing is sent before Flush, End or enough of Write. With a
// *FieldError nothing has begun. On a connection that is not Reusable after an
// exchange it is ErrState: what is left of that response would be taken for the
// next one.
func (c *ClientConn) Begin(h *RequestHead) error {
	if c.w.err != nil {
		return c.w.err
	}
	if c.w.open || c.lost || c.method != "" && !c.Reusable() {
		return ErrState
	}
	c.w.take()
	buf, err := AppendRequestHead(c.w.buf, h)
	if err != nil {
		return err
	}
	c.w.buf = buf
	c.w.begin(h.Framing, h.ContentLength, false)
	c.releaseHead()
	c.method, c.keep, c.rd.got = h.Method, false, false
	c.whole.Store(false)
	return nil
}

// Write writes body bytes; small pieces may stay in memory until Flush or End.
func (c *ClientConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// Flush sends what Begin and Write kept.
func (c *ClientConn) Flush() error { return c.w.Flush() }

// End ends the request and sends what is kept. Trailers are sent with a
// chunked body only; a *FieldError leaves the request open.
func (c *ClientConn) End(trailers header.Fields) error { return c.w.End(trailers) }

// LimitTotal bounds the exchange: when d is over, reads and writes fail with
// TimeoutTotal. Release ends the limit.
func (c *ClientConn) LimitTotal(d time.Duration) { c.dl.set(slotTotal, TimeoutTotal, d) }

// LimitFirstByte bounds the time for the response's head: d from the given time
// on, none for d <= 0. It may be called while ReadResponse waits: with
// Timeouts.FirstByte at 0 a long upload does not count, and the limit begins when
// its last byte is sent.
func (c *ClientConn) LimitFirstByte(from time.Time, d time.Duration) {
	if d <= 0 {
		return
	}
	c.dl.setAt(slotFirst, TimeoutFirstByte, int64(from.Sub(c.dl.start)+d))
	if c.whole.Load() {
		c.dl.clear(slotFirst)
	}
}

// ReadResponse waits for the head of the response, valid until Release or
// the next Begin. Interim responses go to interim, where it is not nil: 103
// and its kin, and 100 too, though a proxy has no use for that one when it
// sends no expectation. An error of interim ends the wait. A 101 is final.
//
// io.EOF means that the connection ended before any byte of a response (see
// Untouched); other errors are io.ErrUnexpectedEOF, a *ProtocolError with
// status 502, a *TimeoutError, or an error of the connection.
func (c *ClientConn) ReadResponse(interim func(*ResponseHead) error) (*ResponseHead, error) {
	if c.head != nil || c.lost {
		return nil, ErrState
	}
	c.dl.set(slotFirst, TimeoutFirstByte, c.Timeouts.FirstByte)
	head := responseHeads.Get().(*ResponseHead)
	c.head = head
	for {
		if err := c.readHead(head); err != nil {
			return nil, err
		}
		if head.Status >= 200 || head.Status == 101 {
			break
		}
		if interim != nil {
			if err := interim(head); err != nil {
				return nil, err
			}
		}
	}
	c.whole.Store(true)
	c.dl.clear(slotFirst)
	c.keep = !head.Close && head.Status != 101
	c.Body.begin(head.Framing, max(head.ContentLength, 0))
	return head, nil
}

func (c *ClientConn) readHead(head *ResponseHead) error {
	for p := (headProgress{limits: &c.client.Limits}); ; {
		in := c.rd.unread()
		if p.worthParsing(in) {
			n, err := ParseResponse(in, &c.client.Limits, c.method, head)
			if n > 0 {
				c.rd.r += n
				return nil
			}
			if err != nil {
				return err
			}
		}
		kind, limit, first := TimeoutRead, c.Timeouts.Read, len(in) == 0
		if first {
			kind, limit = TimeoutNone, 0 // slotFirst watches over it
		}
		if err := c.rd.fill(kind, limit, first); err != nil {
			if err == io.EOF && c.rd.got {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// Untouched tells whether no byte of a response has come since Begin: if the
// connection had been used before, it had probably been closed by the
// upstream meanwhile, and an idempotent request may be sent again on another
// (RFC 9110 section 9.2.2).
func (c *ClientConn) Untouched() bool { return !c.rd.got }

// Reusable tells whether another request can be sent: both messages have been
// whole, nobody said "close", and nothing more has come.
func (c *ClientConn) Reusable() bool {
	return c.keep && !c.lost && !c.w.open && c.w.err == nil && c.Body.Done() && c.rd.r == c.rd.w
}

// Alive tells, without waiting and in one system call, whether an idle
// connection can still be used: the upstream has not closed it and, on a
// plain socket, has sent nothing unasked.
func (c *ClientConn) Alive() bool {
	raw := c.rd.raw
	if raw == nil {
		raw = socket(c.nc)
	}
	if raw == nil {
		return true // not a socket: only use will tell
	}
	if c.look == nil {
		c.look = c.lookAt
	}
	c.alive = false
	return raw.Read(c.look) == nil && c.alive
}

// lookAt is Alive's look at the socket.
func (c *ClientConn) lookAt(fd uintptr) bool {
	if c.rd.raw != nil {
		c.alive = peeked(int(fd)) == peekNothing
	} else {
		c.alive = !peerClosed(int(fd))
	}
	return true
}

// Release ends an exchange: limits end and all memory but the connection's
// own goes back. Call it before a connection rests in a pool.
func (c *ClientConn) Release() {
	for s := range slots {
		c.dl.clear(s)
	}
	c.rd.drop()
	c.w.drop()
	c.releaseHead()
}

func (c *ClientConn) releaseHead() {
	if c.head == nil {
		return
	}
	h := c.head
	c.head = nil
	c.Body.chunks = ChunkDecoder{}
	if cap(h.Fields) > 128 {
		return
	}
	clear(h.Fields[:cap(h.Fields)])
	*h = ResponseHead{Fields: h.Fields[:0]}
	responseHeads.Put(h)
}

// Hijack takes the connection over after a 101. What was read beyond it comes
// first out of the net.Conn; that is the plain connection itself when there
// is nothing. Close does nothing any more.
func (c *ClientConn) Hijack() net.Conn {
	c.lost = true
	nc := leftover(c.nc, &c.rd)
	c.dl.close()
	c.w.drop()
	c.releaseHead()
	return nc
}

// Interrupt makes reads and writes that are under way in other goroutines
// fail now. The connection is of no more use.
func (c *ClientConn) Interrupt() { c.nc.Close() }

// Close closes the connection and gives its memory back. No other goroutine
// may be using c; see Interrupt.
func (c *ClientConn) Close() error {
	if c.lost {
		return nil
	}
	c.lost = true
	c.dl.close()
	c.rd.r = c.rd.w
	c.rd.drop()
	c.w.drop()
	c.releaseHead()
	err := c.nc.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
