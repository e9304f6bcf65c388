package http1

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// reader holds the bytes that came from a connection and are not yet used:
// buf[r:w]. While there are none it holds no buffer. It waits at the socket, also
// below TLS: on a small stack, and without what a read in vain would need.
type reader struct {
	conn net.Conn
	dl   *deadlines
	raw  syscall.RawConn    // of a plain socket, whose bytes are the message's; else nil
	low  *direct            // of a socket that carries TLS; else nil
	wire syscall.RawConn    // of either; nil for all other connections
	try  func(uintptr) bool // attempt, made once
	buf  []byte
	r, w int
	got  bool // a byte came since reset by the owner

	yielder yielder

	// Of the read under way.
	kind   Timeout
	limit  time.Duration
	waited bool
	err    error
	one    [1]byte
}

func (b *reader) init(nc net.Conn, dl *deadlines) {
	b.conn, b.dl = nc, dl
	b.raw = plainSocket(nc)
	b.wire = b.raw
	if t, ok := nc.(*tls.Conn); ok && t.ConnectionState().HandshakeComplete {
		if b.low, ok = t.NetConn().(*direct); ok {
			b.wire = b.low.raw
		}
	}
	b.try = b.attempt
}

// plainSocket returns the raw connection of a TCP or unix socket itself, nil
// for everything that wraps one.
func plainSocket(nc net.Conn) syscall.RawConn {
	switch c := nc.(type) {
	case *net.TCPConn:
		raw, _ := c.SyscallConn()
		return raw
	case *direct:
		return c.raw
	case *net.UnixConn:
		raw, _ := c.SyscallConn()
		return raw
	}
	return nil
}

// unread returns the bytes that are there.
func (b *reader) unread() []byte { return b.buf[b.r:b.w] }

// drop gives the buffer back when nothing is in it.
func (b *reader) drop() {
	if b.r == b.w && b.buf != nil {
		putBuffer(b.buf)
		b.buf, b.r, b.w = nil, 0, 0
	}
}

// room makes sure that there is space behind w.
func (b *reader) room() {
	switch {
	case b.buf == nil:
		b.buf = getBuffer(bufferSize)
	case b.w < len(b.buf):
	case b.r > 0:
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
	default:
		size := 2 * len(b.buf)
		if len(b.buf) < bigBufferSize {
			size = bigBufferSize
		}
		big := getBuffer(size)
		b.w = copy(big, b.buf)
		putBuffer(b.buf)
		b.buf = big
	}
}

// fill reads once and adds what came, waiting no longer than limit where
// kind is not TimeoutNone. With idle it waits without a buffer on every kind
// of connection, and may return with a single byte.
func (b *reader) fill(kind Timeout, limit time.Duration, idle bool) error {
	b.drop()
	b.kind, b.limit, b.waited = kind, limit, false
	if b.buf != nil {
		b.room()
	}
	var err error
	if b.wire != nil {
		if idle {
			b.yielder.yield()
		}
		err = b.wire.Read(b.try)
		if err == nil {
			err = b.err
		}
	} else {
		err = b.fillWrapped(idle)
	}
	if b.waited && kind != TimeoutNone {
		b.dl.clear(slotRead)
	}
	if err != nil {
		b.drop()
		return b.dl.explain(slotRead, err)
	}
	b.got = true
	return nil
}

// attempt reads from the socket without waiting; false asks to wait until it is
// readable. The limit is set only when it comes to that.
func (b *reader) attempt(fd uintptr) bool {
	if b.buf == nil {
		b.room()
	}
	n, err := b.receive(fd)
	if err == errWouldWait {
		b.yielder.saw(false)
		b.drop()
		b.wait()
		return false
	}
	b.yielder.saw(true)
	b.w += n
	b.err = err
	return true
}

// receive takes what is there: some bytes, or an error, which is errWouldWait
// where there is nothing.
func (b *reader) receive(fd uintptr) (int, error) {
	free := b.buf[b.w:]
	if b.low != nil {
		n, err := b.low.readHeld(fd, b.conn, free)
		if n > 0 {
			return n, nil // an error comes again
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		return 0, err
	}
	for {
		n, err := receive(int(fd), free)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, errWouldWait
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (b *reader) wait() {
	if !b.waited && b.kind != TimeoutNone {
		b.waited = true
		b.dl.set(slotRead, b.kind, b.limit)
	}
}

// fillWrapped reads from a connection that is no socket of ours.
func (b *reader) fillWrapped(idle bool) error {
	b.wait()
	if idle && b.buf == nil {
		n, err := b.conn.Read(b.one[:])
		if n > 0 {
			b.room()
			b.w = copy(b.buf, b.one[:n])
			return nil
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	if b.buf == nil {
		b.room()
	}
	n, err := b.conn.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}
