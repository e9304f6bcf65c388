package http1

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/doorward/doorward/internal/header"
)

// Timeouts are the limits of a connection; zero or less means none.
type Timeouts struct {
	Idle      time.Duration // ServerConn: for the first byte of a request
	Header    time.Duration // ServerConn: for a whole head after its first byte
	FirstByte time.Duration // ClientConn: for the head of the final response
	Read      time.Duration // between two reads of a body (or of a response head)
	Write     time.Duration // for the peer to take up to 256 KiB
	Linger    time.Duration // ServerConn: see Server.DrainBytes
}

// Server holds what its connections share. Set it up before the first
// NewConn and do not change it afterwards.
type Server struct {
	Limits   Limits // zero members: see DefaultLimits
	Timeouts Timeouts
	// DrainBytes is how much of an unread request body is read and dropped
	// so that the connection can be used again; for more, or when it takes
	// longer than Timeouts.Linger, the connection is closed. Default 256 KiB.
	DrainBytes int64
	// HTTP2 makes ReadRequest answer ErrHTTP2 to a connection that begins
	// with the HTTP/2 preface ("prior knowledge"); else it is a 505.
	HTTP2 bool

	once sync.Once
	date dateLine
}

// NewConn returns a driver for nc, a connection that has carried nothing yet
// or a TLS connection. Nothing is read before ReadRequest.
func (s *Server) NewConn(nc net.Conn) *ServerConn {
	s.once.Do(func() {
		s.Limits.fill()
		if s.DrainBytes == 0 {
			s.DrainBytes = 256 << 10
		}
		if s.Timeouts.Linger == 0 {
			s.Timeouts.Linger = 5 * time.Second
		}
	})
	c := &ServerConn{Timeouts: s.Timeouts, server: s, nc: nc}
	c.dl.init(nc)
	c.dl.owner = c
	c.rd.init(nc, &c.dl)
	c.w.init(nc, c.rd.raw, &c.dl, &c.Timeouts.Write)
	c.Body.rd, c.Body.limits, c.Body.server = &c.rd, &s.Limits, c
	c.Body.begin(NoBody, 0)
	return c
}

// ServerConn is a connection from a client. Its methods belong to one
// goroutine, except: Body may be read in another one while the response is
// written; StopReading and Shutdown may be called from anywhere.
type ServerConn struct {
	Body     Body     // of the request that ReadRequest returned
	Timeouts Timeouts // copied from the Server; may be changed between calls

	server *Server
	nc     net.Conn
	dl     deadlines
	rd     reader
	w      writer
	head   *RequestHead // pooled; nil between requests

	served   bool // a request has been read
	begun    bool // the response has begun
	closing  bool // no further request will be read
	lost     bool // hijacked, or ended: nothing more to do for Close
	state    atomic.Uint32
	draining atomic.Bool

	continueMu sync.Mutex
	cont       continueState
	watcher    watcher
}

// States of waiting, for Shutdown.
const (
	stateBusy uint32 = iota
	stateIdle
	stateStopped
)

type continueState uint8

const (
	continueNone continueState = iota
	continueWanted
	continueSent
)

// NetConn returns the connection below, for its addresses and TLS state.
func (c *ServerConn) NetConn() net.Conn { return c.nc }

// Begin starts the response to the last request: the status line, fields and
// the lines that frame it. length is the body's, or -1 when it is not known:
// then the body is chunked, or ends with the connection for HTTP/1.0. For
// HEAD, 204 and 304 the head says length where it may, and what is written
// is dropped. A Date line is added where fields have none. Fields follow the
// rules of RequestHead.Fields; with 101 and 426 the upgrade line is kept.
//
// Nothing is sent before Flush, End or enough of Write. With a *FieldError
// nothing has begun, and Begin may be called again.
func (c *ServerConn) Begin(status int, fields header.Fields, length int64) error {
	switch {
	case c.w.err != nil:
		return c.w.err
	case c.head == nil || c.begun || status < 200 && status != 101:
		return ErrState
	}
	h := ResponseHead{Status: status, Fields: fields, ContentLength: length, HTTP10: c.head.HTTP10}
	if status == 101 || status == 426 {
		h.Upgrade = fields.Value("upgrade")
	}
	none := noBody(status, c.head.Method)
	switch {
	case none:
	case length > 0:
		h.Framing = Length
	case length < 0 && h.HTTP10:
		h.Framing = UntilClose
	case length < 0:
		h.Framing = Chunked
	}
	c.settleContinue()
	c.closing = c.closing || c.head.Close || h.Framing == UntilClose || c.draining.Load() ||
		c.Body.broken.Load() || c.Body.left.Load() > c.server.DrainBytes
	h.Close = c.closing
	var date []byte
	if !fields.Has("date") {
		date = c.server.date.now()
	}
	c.w.take()
	buf, err := appendResponseHead(c.w.buf, &h, date)
	if err != nil {
		return err
	}
	c.w.buf = buf
	c.w.begin(h.Framing, length, none)
	c.begun = true
	return nil
}

// Write writes body bytes of the response; see End for what it may keep. It
// returns ErrLongBody for more than the announced length.
func (c *ServerConn) Write(p []byte) (int, error) { return c.w.Write(p) }

// Flush sends what Begin and Write kept.
func (c *ServerConn) Flush() error { return c.w.Flush() }

// End ends the response and sends what is kept. Trailers are sent in a
// chunked response only; a *FieldError leaves the response open. After
// ErrShortBody the connection must be closed.
func (c *ServerConn) End(trailers header.Fields) error { return c.w.End(trailers) }

// Begun tells whether Begin has succeeded for the last request, so that it is
// too late for another status.
func (c *ServerConn) Begun() bool { return c.begun }

// Respond is Begin, Write and End of a whole response in one write.
func (c *ServerConn) Respond(status int, fields header.Fields, body []byte) error {
	if err := c.Begin(status, fields, int64(len(body))); err != nil {
		return err
	}
	if _, err := c.w.Write(body); err != nil {
		return err
	}
	return c.w.End(nil)
}

// Interim sends a 1xx response other than 101 at once; a client of HTTP/1.0
// gets none.
func (c *ServerConn) Interim(status int, fields header.Fields) error {
	if c.head == nil || c.begun || status < 100 || status > 199 || status == 101 {
		return ErrState
	}
	if c.head.HTTP10 {
		return nil
	}
	c.continueMu.Lock()
	defer c.continueMu.Unlock()
	c.w.take()
	buf, err := AppendResponseHead(c.w.buf, &ResponseHead{Status: status, Fields: fields, ContentLength: -1})
	if err != nil {
		return err
	}
	if status == 100 {
		c.cont = continueSent
	}
	c.w.buf = buf
	return c.w.Flush()
}

// sendContinue sends the 100 that the client waits for, before its body is
// waited for. A client whose response has begun gets none.
func (c *ServerConn) sendContinue() error {
	if c.head == nil || !c.head.ExpectContinue {
		return nil
	}
	c.continueMu.Lock()
	defer c.continueMu.Unlock()
	if c.cont != continueWanted {
		return nil
	}
	c.cont = continueSent
	c.dl.set(slotWrite, TimeoutWrite, c.Timeouts.Write)
	_, err := c.nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	c.dl.clear(slotWrite)
	return c.dl.explain(slotWrite, err)
}

// settleContinue decides, when a response begins, about a client that still
// waits for its 100: it will not get one, and whether it sends its body is
// not known, so no further request can be read.
func (c *ServerConn) settleContinue() {
	if !c.head.ExpectContinue {
		return
	}
	c.continueMu.Lock()
	defer c.continueMu.Unlock()
	if c.cont == continueWanted && !c.Body.Done() {
		c.closing = true
	}
	c.cont = continueNone
}

// socket returns the raw connection of the socket below, TLS or not.
func socket(nc net.Conn) syscall.RawConn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return plainSocket(nc)
}
