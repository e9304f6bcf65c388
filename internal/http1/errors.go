package http1

import (
	"errors"
	"os"
	"strconv"
)

// A ProtocolError says why a message was refused. Nothing that follows on its
// connection may be read as a message.
type ProtocolError struct {
	// Status is the answer for a refused request (400, 414, 417, 431, 501,
	// 505); for a response it is 502.
	Status int
	// Reason is a fixed sentence that repeats nothing of the message.
	Reason string
}

func (e *ProtocolError) Error() string {
	return "http1: " + strconv.Itoa(e.Status) + ": " + e.Reason
}

func bad(reason string) *ProtocolError { return &ProtocolError{400, reason} }

// A Timeout says which of a connection's limits ran out.
type Timeout uint8

// The limits of a connection.
const (
	TimeoutNone      Timeout = iota
	TimeoutIdle              // no request came on a kept-alive connection
	TimeoutHeader            // a head did not become complete
	TimeoutFirstByte         // no byte of a response came
	TimeoutRead              // nothing came between two reads of a body
	TimeoutWrite             // the peer took nothing
	TimeoutTotal             // ClientConn.LimitTotal
	timeoutStopped           // not a limit: a reader was asked to stop
	timeoutLinger            // not reported: waiting for the peer's close
)

func (t Timeout) String() string {
	return [...]string{"none", "idle", "header", "first byte", "read", "write", "total", "stopped", "linger"}[t]
}

// A TimeoutError is the error of a read or write whose limit ran out. It
// matches os.ErrDeadlineExceeded.
type TimeoutError struct{ Limit Timeout }

func (e *TimeoutError) Error() string { return "http1: " + e.Limit.String() + " timeout" }

// Timeout is true: TimeoutError is a net.Error in spirit.
func (e *TimeoutError) Timeout() bool { return true }

// Unwrap returns os.ErrDeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// Errors that callers decide by.
var (
	// ErrHTTP2 is ReadRequest's answer to the HTTP/2 connection preface;
	// Hijack then returns a net.Conn that still holds it.
	ErrHTTP2 = errors.New("http1: the client speaks HTTP/2")
	// ErrStopped is a body read's answer after StopReading.
	ErrStopped = errors.New("http1: reading was stopped")
	// ErrShortBody is End's answer when fewer bytes were written than
	// announced; the connection cannot be used again.
	ErrShortBody = errors.New("http1: the body is shorter than announced")
	// ErrLongBody is Write's answer when more bytes come than announced.
	ErrLongBody = errors.New("http1: the body is longer than announced")
	// ErrState is the answer to a call out of order (Write before Begin).
	ErrState = errors.New("http1: call out of order")
)
