package stage

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/doorward/doorward/internal/pki"
)

// standIn is one program in the place of every application. Every connection that the
// server makes comes to it, and it knows to which address each was meant to go. It
// speaks HTTP/1.1 and HTTP/2, in plain text and over TLS.
type standIn struct {
	listener net.Listener
	server   *http.Server
	handler  func(address string) http.Handler

	mu    sync.Mutex
	meant map[string]string        // the address that a connection was made to, by its own
	hosts map[string]string        // the names behind addresses that were made up for them
	got   map[string]*http.Request // what applications got, by their address
}

func newStandIn(handler func(address string) http.Handler) (*standIn, error) {
	cert, err := pki.SelfSigned("upstream.example.com")
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &standIn{listener: ln, handler: handler, meant: map[string]string{}, hosts: map[string]string{}, got: map[string]*http.Request{}}
	s.server = &http.Server{
		Protocols: new(http.Protocols),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}},
		Handler:   s,
		ConnState: s.forget,
	}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetHTTP2(true)
	s.server.Protocols.SetUnencryptedHTTP2(true)
	plain, secure := sort(ln)
	go s.server.Serve(plain)
	go s.server.ServeTLS(secure, "", "")
	return s, nil
}

// Close ends it.
func (s *standIn) Close() {
	s.server.Close()
	s.listener.Close()
}

// dial connects to the stand-in for an address.
func (s *standIn) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, s.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if host, port, err := net.SplitHostPort(address); err == nil && s.hosts[host] != "" {
		address = net.JoinHostPort(s.hosts[host], port)
	}
	s.meant[conn.LocalAddr().String()] = address
	return conn, nil
}

// resolve makes up an address for a name, of those that are nobody's (RFC 2544).
func (s *standIn) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, known := range s.hosts {
		if known == host {
			return []netip.Addr{netip.MustParseAddr(address)}, nil
		}
	}
	n := len(s.hosts) + 1
	address := netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})
	s.hosts[address.String()] = host
	return []netip.Addr{address}, nil
}

// forget forgets a connection that has ended.
func (s *standIn) forget(c net.Conn, state http.ConnState) {
	if state == http.StateClosed {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.meant, c.RemoteAddr().String())
	}
}

// ServeHTTP answers in the place of whoever has the address.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	address := s.meant[r.RemoteAddr]
	s.mu.Unlock()
	if s.handler != nil {
		if h := s.handler(address); h != nil {
			h.ServeHTTP(w, r)
			return
		}
	}
	io.Copy(io.Discard, r.Body)
	if strings.Contains(r.Host, "-shadow") {
		return // a mirror's copy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[address] = r
}

// reset forgets what applications got.
func (s *standIn) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.got)
}

// last is what an application got since then, and its address; "" if none got anything.
func (s *standIn) last() (address string, r *http.Request, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) > 1 {
		return "", nil, fmt.Errorf("%d endpoints got the request", len(s.got))
	}
	for address, r = range s.got {
	}
	return address, r, nil
}

// sort splits the connections of a socket into those in plain text and those that
// begin with a TLS handshake.
func sort(ln net.Listener) (plain, secure net.Listener) {
	p := &sorted{Listener: ln, conns: make(chan net.Conn), end: make(chan struct{})}
	s := &sorted{Listener: ln, conns: make(chan net.Conn), end: p.end}
	go func() {
		defer close(p.end)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				b := bufio.NewReader(c)
				first, err := b.Peek(1)
				if err != nil {
					c.Close()
					return
				}
				to := p
				if first[0] == 0x16 {
					to = s
				}
				select {
				case to.conns <- peeked{c, b}:
				case <-p.end:
					c.Close()
				}
			}()
		}
	}()
	return p, s
}

type sorted struct {
	net.Listener
	conns chan net.Conn
	end   chan struct{}
}

func (s *sorted) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.end:
		return nil, net.ErrClosed
	}
}

// peeked is a connection of which something was read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
