package upstream

import (
	"errors"
	"fmt"
)

// Errors that callers decide by.
var (
	// ErrNoneHealthy is Pick's answer when there is no endpoint, or all of them
	// are ejected: 503 "no healthy upstream".
	ErrNoneHealthy = errors.New("upstream: no healthy endpoint")
	// ErrOverflow is the answer when one of the backend's bounds is reached
	// (DestinationRule connectionPool): 503.
	ErrOverflow = errors.New("upstream: a bound of the connection pool is reached")
	// ErrClosed is the answer after Manager.Close.
	ErrClosed = errors.New("upstream: closed")
)

// Reason says why a connection could not be made.
type Reason uint8

const (
	// Refused means that nobody listens at the address.
	Refused Reason = iota + 1
	// Timeout means that no connection, or no TLS session, stood in time.
	Timeout
	// TLSFailed means that the handshake failed or the certificate was not
	// acceptable.
	TLSFailed
	// DNSFailed means that the name has never been resolved.
	DNSFailed
	// Unreachable is every other failure: no route, out of ports.
	Unreachable
	// Canceled means that the caller's context ended first.
	Canceled
)

func (r Reason) String() string {
	return [...]string{"", "refused", "timed out", "failed in TLS", "failed: the name cannot be resolved", "failed", "canceled"}[r]
}

// A DialError is a connection that could not be made.
type DialError struct {
	Reason  Reason
	Address string // "10.1.2.3:8080", or the name for DNSFailed
	Backend string // "Service myapp/myapp-service:80"
	Err     error  // what lies beneath
}

// Error is a sentence for people: "connection to 127.0.0.1:8080 (Service
// myapp/myapp-service:80) refused".
func (e *DialError) Error() string {
	s := fmt.Sprintf("connection to %s (%s) %s", e.Address, e.Backend, e.Reason)
	switch e.Reason {
	case TLSFailed, DNSFailed, Unreachable:
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what lies beneath.
func (e *DialError) Unwrap() error { return e.Err }

// Is says that a name that has never been resolved leaves no healthy endpoint.
func (e *DialError) Is(target error) bool {
	return e.Reason == DNSFailed && target == ErrNoneHealthy
}
