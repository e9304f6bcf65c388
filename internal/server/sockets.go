package server

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/proxy"
)

// socket is an address that is listened on.
type socket struct {
	net.Listener
	name     string // "http", "https", "admin", or the key
	key      string // of the plan's listener; "" for the admin pages
	security proxy.Security
}

// listen opens all sockets. Clients that connect before the first plan wait.
func (s *Server) listen() error {
	wanted := []struct {
		flag, address string
		socket
	}{
		{"--http", s.o.HTTP, socket{name: "http", key: plan.Edge, security: proxy.Plain}},
		{"--https", s.o.HTTPS, socket{name: "https", key: plan.Edge, security: proxy.TLS}},
		{"--admin", s.o.Admin, socket{name: "admin"}},
	}
	for _, d := range s.o.Direct {
		w := wanted[0]
		w.flag, w.address = "--listen "+d.Key, d.Address
		w.socket = socket{name: d.Key, key: d.Key, security: proxy.AsPlanned}
		wanted = append(wanted, w)
	}
	for _, w := range wanted {
		if w.address == "" {
			continue
		}
		ln, err := net.Listen("tcp", w.address)
		if err != nil {
			return fmt.Errorf("%s %s: %w", w.flag, w.address, explained(err))
		}
		w.Listener = ln
		s.sockets = append(s.sockets, &w.socket)
	}
	return nil
}

// explained says what to do about the usual failures to listen.
func explained(err error) error {
	for _, known := range []struct {
		is   error
		text string
	}{
		{syscall.EADDRINUSE, "another process listens there; end it, or give another port"},
		{syscall.EACCES, "this user may not listen on ports below 1024; give a higher port, or the right cap_net_bind_service"},
		{syscall.EADDRNOTAVAIL, "this machine has no such address"},
	} {
		if errors.Is(err, known.is) {
			return errors.New(known.text)
		}
	}
	return err
}

// serve accepts connections for the plan's listeners.
func (s *Server) serve() {
	for _, socket := range s.sockets {
		if socket.key == "" {
			continue
		}
		s.work.Go(func() {
			if err := s.proxy.Serve(socket, socket.key, socket.security); err != nil {
				s.fail(fmt.Errorf("listen on %s: %w", socket.Addr(), err))
			}
		})
		s.log.Info("listening", "listener", socket.key, "as", socket.name, "address", socket.Addr().String())
	}
}
