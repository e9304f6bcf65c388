package http1

import (
	"os"
	"syscall"
)

// outlet writes to a socket by its raw connection. The system call does not
// wait, so the scheduler is not told of it: a goroutine known to be in one has
// its processor taken away, and the runtime's watchdog sleeps shorter.
type outlet struct {
	raw    syscall.RawConn
	rest   []byte
	err    error
	try    func(uintptr) bool // attempt, made once
	full   func()             // told once for each write that has to wait
	waited bool
}

func (o *outlet) init(raw syscall.RawConn, full func()) {
	o.raw, o.full = raw, full
	o.try = o.attempt
}

// write writes all of p.
func (o *outlet) write(p []byte) error {
	o.rest, o.err, o.waited = p, nil, false
	err := o.raw.Write(o.try)
	o.rest = nil
	if err != nil {
		return err
	}
	return o.err
}

// attempt writes what the socket takes; false asks to wait until it takes more.
func (o *outlet) attempt(fd uintptr) bool {
	for len(o.rest) > 0 {
		n, err := transmit(int(fd), o.rest)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if !o.waited {
				o.waited = true
				o.full()
			}
			return false
		case err != nil:
			o.err = os.NewSyscallError("write", err)
			return true
		default:
			o.rest = o.rest[n:]
		}
	}
	return true
}
