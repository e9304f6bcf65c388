package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// dial connects to the endpoint and does the TLS handshake, all within limit
// (see Want.Connect). p is HTTP1 or HTTP2. Errors are *DialError, or ErrClosed.
func (e *Endpoint) dial(ctx context.Context, limit time.Duration, p plan.Protocol) (net.Conn, error) {
	c := e.cluster
	if c.tlsErr != nil {
		return nil, e.dialFailed(TLSFailed, c.tlsErr)
	}
	if c.m.ctx.Err() != nil {
		return nil, ErrClosed
	}
	pool := &c.state.Load().pool
	limit = orDefault(limit, orDefault(pool.ConnectTimeout, c.m.options.Connect))
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	nc, err := c.m.options.dial(bounded, e.address, pool.KeepAlive)
	if err != nil {
		return nil, e.dialFailed(reasonOf(ctx, err), err)
	}
	if c.tls != nil {
		if nc, err = handshake(bounded, nc, c.tls, p); err != nil {
			reason := reasonOf(ctx, err)
			if reason == Unreachable || reason == Refused {
				reason = TLSFailed
			}
			return nil, e.dialFailed(reason, err)
		}
	}
	e.opened.Add(1)
	return nc, nil
}

func (e *Endpoint) dialFailed(r Reason, err error) error {
	if r != Canceled {
		e.failed.Add(1)
	}
	return &DialError{r, e.address, e.cluster.name, err}
}

func (o *Options) dial(ctx context.Context, address string, k *plan.KeepAlive) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, "tcp", address)
	}
	var d net.Dialer
	if k != nil {
		d.KeepAliveConfig = net.KeepAliveConfig{
			Enable: true, Idle: orSystem(k.Time), Interval: orSystem(k.Interval), Count: orSystem(k.Probes),
		}
	}
	return d.DialContext(ctx, "tcp", address)
}

// orSystem leaves a setting of KeepAliveConfig that is 0 to the system.
func orSystem[T int | time.Duration](v T) T {
	if v <= 0 {
		return -1
	}
	return v
}

// handshake makes nc a TLS session; without one nc is closed.
func handshake(ctx context.Context, nc net.Conn, config *tls.Config, p plan.Protocol) (net.Conn, error) {
	if p == plan.HTTP2 {
		config = config.Clone()
		config.NextProtos = []string{"h2"}
	}
	session := tls.Client(http1.Direct(nc), config)
	if err := session.HandshakeContext(ctx); err != nil {
		nc.Close()
		if strings.HasSuffix(err.Error(), "no application protocol") { // the alert has no name in crypto/tls
			err = fmt.Errorf("the server does not agree to HTTP/2: %w", err)
		}
		return nil, err
	}
	if agreed := session.ConnectionState().NegotiatedProtocol; p == plan.HTTP2 && agreed != "h2" {
		nc.Close()
		return nil, fmt.Errorf("the server does not agree to HTTP/2 (ALPN %q)", agreed)
	}
	return session, nil
}

// reasonOf sorts an error of connecting; ctx is the caller's.
func reasonOf(ctx context.Context, err error) Reason {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	}
	return Unreachable
}
