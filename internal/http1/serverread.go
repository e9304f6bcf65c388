package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/header"
)

// preface is what an HTTP/2 connection begins with (RFC 9113 section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

var requestHeads = sync.Pool{New: func() any {
	return &RequestHead{Fields: make(header.Fields, 0, 24)}
}}

// ReadRequest waits for the next request and returns its head, which is valid
// until the next call. It first ends the exchange before: the rest of the
// request's body is read and dropped, within limits. Nobody may be reading
// Body then (see StopReading).
//
// The error is io.EOF when the connection is at its proper end (the client
// closed it, or one side asked for it, or Shutdown), ErrHTTP2, a
// *ProtocolError (the client has been told), a *TimeoutError, or an error of
// the connection. After any error but ErrHTTP2 all that remains is Close.
func (c *ServerConn) ReadRequest() (*RequestHead, error) {
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := c.awaitRequest(); err != nil {
		return nil, err
	}
	head := requestHeads.Get().(*RequestHead)
	c.head = head
	if err := c.readHead(head); err != nil {
		return nil, err
	}
	c.served, c.begun = true, false
	c.cont = continueNone
	if head.ExpectContinue {
		c.cont = continueWanted
	}
	c.Body.begin(head.Framing, max(head.ContentLength, 0))
	return head, nil
}

// awaitRequest waits for the first byte of a request, with as little memory
// and stack as can be: most connections are here most of the time.
func (c *ServerConn) awaitRequest() error {
	if c.rd.r < c.rd.w {
		return nil
	}
	c.state.Store(stateIdle)
	if c.draining.Load() {
		return c.goodbye()
	}
	err := c.rd.fill(TimeoutIdle, c.Timeouts.Idle, true)
	if !c.state.CompareAndSwap(stateIdle, stateBusy) {
		c.dl.resume() // Shutdown has stopped the read; it may have come too late
		c.state.Store(stateBusy)
	}
	if err == ErrStopped {
		return c.goodbye()
	}
	return err
}

// goodbye ends an idle connection; a request that crosses it gets no RST.
func (c *ServerConn) goodbye() error {
	c.linger()
	return io.EOF
}

// readHead reads until the head is whole.
func (c *ServerConn) readHead(head *RequestHead) error {
	limits := &c.server.Limits
	p := headProgress{limits: limits}
	timed := false
	for {
		in := c.rd.unread()
		if !c.served && c.server.HTTP2 && len(in) > 0 && bytes.HasPrefix([]byte(preface), in[:min(len(in), len(preface))]) {
			if len(in) >= len(preface) {
				c.dl.clear(slotRead)
				return ErrHTTP2
			}
		} else if p.worthParsing(in) {
			n, err := ParseRequest(in, limits, head)
			if n > 0 {
				c.rd.r += n
				c.dl.clear(slotRead)
				return nil
			}
			if err != nil {
				c.refuse(err.(*ProtocolError))
				return err
			}
		}
		if !timed {
			timed = true
			c.dl.set(slotRead, TimeoutHeader, c.Timeouts.Header)
		}
		if err := c.rd.fill(TimeoutNone, 0, false); err != nil {
			return c.headFailed(err)
		}
	}
}

func (c *ServerConn) headFailed(err error) error {
	var t *TimeoutError
	if errors.As(err, &t) {
		c.refuse(&ProtocolError{408, "the head of the request did not come in time"})
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// refuse answers a request that cannot be read, and ends the connection.
func (c *ServerConn) refuse(p *ProtocolError) {
	c.head.Method, c.head.HTTP10, c.head.ExpectContinue = "", false, false
	c.begun, c.closing = false, true
	body := p.Reason + "\n"
	fields := header.Fields{{Name: "content-type", Value: "text/plain; charset=utf-8"}}
	if c.Respond(p.Status, fields, []byte(body)) == nil {
		c.linger()
	}
}

// finish ends the exchange before the next request, or the connection.
func (c *ServerConn) finish() error {
	if c.lost {
		return io.EOF
	}
	if c.head == nil {
		return nil
	}
	if !c.begun || c.w.open {
		return ErrState
	}
	if c.w.err != nil {
		return c.w.err
	}
	c.dl.resume()
	if !c.closing && !c.Body.Done() && !c.drain() {
		c.closing = true
	}
	if c.closing {
		if !c.Body.Done() || !c.head.Close {
			c.linger()
		}
		return io.EOF
	}
	c.releaseHead()
	return nil
}

func (c *ServerConn) releaseHead() {
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
	*h = RequestHead{Fields: h.Fields[:0]}
	requestHeads.Put(h)
}

// drain reads the rest of a request's body away; false when that is too much.
func (c *ServerConn) drain() bool {
	if c.Body.left.Load() > c.server.DrainBytes {
		return false
	}
	c.dl.set(slotTotal, timeoutLinger, c.Timeouts.Linger)
	err := c.Body.discard(c.server.DrainBytes)
	c.dl.clear(slotTotal)
	return err == nil
}

// linger closes our direction and reads what still comes until the client has
// closed its own, so that it reads our last answer: unread bytes would make
// the kernel send a RST, which throws that answer away (RFC 9112 section
// 9.6). It waits up to Timeouts.Linger between reads and six times that
// altogether.
func (c *ServerConn) linger() {
	c.lost = true
	if closer, ok := c.nc.(interface{ CloseWrite() error }); ok {
		closer.CloseWrite()
	}
	nc := c.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
		if closer, ok := nc.(interface{ CloseWrite() error }); ok {
			closer.CloseWrite()
		}
	}
	c.dl.close()
	buf := getBuffer(bufferSize)
	defer putBuffer(buf)
	end := time.Now().Add(6 * c.Timeouts.Linger)
	for {
		t := time.Now().Add(c.Timeouts.Linger)
		if t.After(end) {
			t = end
		}
		nc.SetReadDeadline(t)
		if _, err := nc.Read(buf); err != nil || time.Now().After(end) {
			return
		}
	}
}

// StopReading makes a read of Body that is under way, or the next one, return
// ErrStopped, so that its goroutine can be waited for. ReadRequest undoes it.
func (c *ServerConn) StopReading() { c.dl.stop() }

// Shutdown ends the connection at the next proper moment: at once when no
// request is under way, otherwise behind the response, which says so if it
// has not begun. The loop around ReadRequest then gets io.EOF.
func (c *ServerConn) Shutdown() {
	c.draining.Store(true)
	c.dl.mu.Lock()
	stopped := c.state.CompareAndSwap(stateIdle, stateStopped)
	if stopped {
		c.dl.stopLocked()
	}
	c.dl.mu.Unlock()
}

// Hijack takes the connection over, for an upgrade, a tunnel or HTTP/2. What
// was read beyond the last request comes first out of the net.Conn; that is
// the plain connection itself when there is nothing. The limits end; Close
// does nothing any more.
func (c *ServerConn) Hijack() net.Conn {
	c.w.Flush()
	c.lost = true
	nc := leftover(c.nc, &c.rd)
	c.dl.close()
	c.releaseHead()
	return nc
}

// Close closes the connection and gives its memory back. A response that has
// begun and not ended, or whose end only the close can tell, must look broken
// to the client: use Abort.
func (c *ServerConn) Close() error { return c.end(false) }

// Abort closes the connection with a RST on a plain socket and without a
// close_notify on TLS, so that a response that lasts until the close cannot
// be taken for whole.
func (c *ServerConn) Abort() error { return c.end(true) }

func (c *ServerConn) end(abort bool) error {
	hijacked := c.lost && c.head == nil && c.rd.conn == nil
	if hijacked {
		return nil
	}
	c.dl.close()
	c.rd.r = c.rd.w
	c.rd.drop()
	c.w.drop()
	c.releaseHead()
	c.lost = true
	nc := c.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok && abort {
		nc = t.NetConn()
	}
	if t, ok := nc.(interface{ SetLinger(int) error }); ok && abort {
		t.SetLinger(0)
	}
	return nc.Close()
}

// prefixed is a connection of which some bytes have been read already.
type prefixed struct {
	net.Conn
	rest []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// leftover takes the connection away from its reader.
func leftover(nc net.Conn, rd *reader) net.Conn {
	if rest := rd.unread(); len(rest) > 0 {
		nc = &prefixed{nc, bytes.Clone(rest)}
	}
	rd.r = rd.w
	rd.drop()
	rd.conn = nil
	return nc
}
