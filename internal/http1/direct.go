package http1

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Direct returns nc with reads and writes that do not trouble the scheduler, to
// be wrapped in a tls.Conn. What is no TCP connection comes back as it is.
func Direct(nc net.Conn) net.Conn {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nc
	}
	d := &direct{TCPConn: t, raw: raw}
	d.out.init(raw, func() {})
	d.try = d.attempt
	return d
}

// direct is a TCP connection. Reads are one goroutine's at a time, and so are
// writes, as net.Conn has it.
type direct struct {
	*net.TCPConn
	raw syscall.RawConn

	reading sync.Mutex // guards:
	p       []byte
	n       int
	err     error
	try     func(uintptr) bool // attempt, made once
	at      uintptr            // the descriptor, while the reader does the waiting itself
	held    bool               // at is set

	writing sync.Mutex // guards:
	out     outlet
}

func (d *direct) Read(p []byte) (int, error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	d.p, d.n, d.err = p, 0, nil
	if d.held {
		if !d.attempt(d.at) {
			d.err = errWouldWait
		}
		d.p = nil
		return d.n, d.err
	}
	err := d.raw.Read(d.try)
	d.p = nil
	if err != nil {
		return 0, err
	}
	return d.n, d.err
}

// readHeld reads from session, which reads from d, for one who holds the descriptor
// for reading. It does not wait: the error is errWouldWait then, and the session
// keeps what it has of a record, as it does when a deadline passes.
func (d *direct) readHeld(fd uintptr, session net.Conn, p []byte) (int, error) {
	d.at, d.held = fd, true
	n, err := session.Read(p)
	d.held = false
	return n, err
}

// errWouldWait is for crypto/tls as good as a deadline: it can be tried again.
var errWouldWait error = wouldWait{}

type wouldWait struct{}

func (wouldWait) Error() string   { return "http1: nothing is there to be read" }
func (wouldWait) Timeout() bool   { return true }
func (wouldWait) Temporary() bool { return true }

func (d *direct) attempt(fd uintptr) bool {
	if len(d.p) == 0 {
		return true
	}
	for {
		n, err := receive(int(fd), d.p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			d.err = os.NewSyscallError("read", err)
		case n == 0:
			d.err = io.EOF
		default:
			d.n = n
		}
		return true
	}
}

func (d *direct) Write(p []byte) (int, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.out.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
