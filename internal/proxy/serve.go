package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/http1"
)

// Security says whether a socket speaks TLS.
type Security uint8

const (
	Plain Security = iota
	TLS
	// AsPlanned speaks TLS when the plan's listener has TLS chains at the moment
	// of accepting.
	AsPlanned
)

// conn is a connection from a client.
type conn struct {
	p      *Proxy
	key    string            // of the plan's listener
	nc     net.Conn          // the socket
	wire   net.Conn          // what HTTP is spoken on: the socket, or TLS above it
	h1     *http1.ServerConn // nil before it is known that HTTP/1.1 is spoken, and in HTTP/2
	remote netip.AddrPort
	peer   string // remote's address as it is written
	secure bool
	sni    string
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	mu  sync.Mutex // guards:
	now *exchange  // under way in HTTP/1.1
}

// Serve accepts connections from ln for the plan's listener called key, until
// ln is closed; then it returns nil. Connections go on: see Shutdown.
func (p *Proxy) Serve(ln net.Listener, key string, s Security) error {
	t := p.tlsConfig(key)
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			go p.serve(nc, key, s, t)
		case errors.Is(err, net.ErrClosed):
			return nil
		case !temporary(err):
			return err
		default: // out of file descriptors, most often
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			p.o.Log.Warn("a connection cannot be accepted", "listener", key, "error", err, "next try in", pause)
			time.Sleep(pause)
		}
	}
}

func temporary(err error) bool {
	var ne net.Error
	//lint:ignore SA1019 there is no other word for "try again" of Accept
	return errors.As(err, &ne) && ne.Temporary()
}

// serve serves one connection to its end.
func (p *Proxy) serve(nc net.Conn, key string, s Security, t *tls.Config) {
	c := &conn{p: p, key: key, nc: nc, wire: nc}
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		c.remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		c.peer = c.remote.Addr().String()
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	defer c.cancel()
	if !p.track(c) {
		nc.Close()
		return
	}
	defer p.untrack(c)
	defer func() {
		if v := recover(); v != nil {
			p.panicked(v)
			nc.Close()
		}
	}()
	if s == TLS || s == AsPlanned && p.plannedTLS(key) {
		http2, ok := c.handshake(t)
		if !ok {
			nc.Close()
			return
		}
		if http2 {
			c.serveHTTP2(c.wire)
			return
		}
	}
	c.serveHTTP1()
}

func (p *Proxy) plannedTLS(key string) bool {
	l := p.o.Plan().Listener(key)
	return l != nil && l.TLS()
}

// panicked notes a failure of our own that was caught.
func (p *Proxy) panicked(v any) {
	p.count.panics.Add(1)
	p.o.Log.Error("a request failed inside doorward", "panic", v, "stack", string(debug.Stack()))
}

// track notes an open connection; false in Shutdown.
func (p *Proxy) track(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) untrack(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	if p.empty != nil && len(p.conns) == 0 {
		close(p.empty)
		p.empty = nil
	}
}

// speaks says that the connection speaks HTTP/1.1 from now on, nil: HTTP/2.
func (c *conn) speaks(h1 *http1.ServerConn) {
	c.p.mu.Lock()
	c.h1 = h1
	draining := c.p.draining
	c.p.mu.Unlock()
	if draining && h1 != nil {
		h1.Shutdown()
	}
}

// Shutdown ends all connections: idle ones now, the others when the requests
// under way are answered, or the tunnels have ended. When ctx ends first the
// rest is cut, and ctx's error returned. Close the listeners before.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	p.draining = true
	for c := range p.conns {
		if c.h1 != nil {
			c.h1.Shutdown()
		}
	}
	if len(p.conns) == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.empty == nil {
		p.empty = make(chan struct{})
	}
	empty := p.empty
	p.mu.Unlock()

	// A connection may be between its preface and x/net's list of those that
	// are told, so they are told again.
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		p.hs.Shutdown(ctx)
		select {
		case <-empty:
			return nil
		case <-again.C:
		case <-ctx.Done():
			p.cut()
			return ctx.Err()
		}
	}
}

// cut closes what is still open.
func (p *Proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.cancel()
		c.mu.Lock()
		if c.now != nil {
			c.now.leave()
		}
		c.mu.Unlock()
		c.nc.Close()
	}
}

// carries says which exchange is under way, nil: none.
func (c *conn) carries(x *exchange) {
	c.mu.Lock()
	c.now = x
	c.mu.Unlock()
}
