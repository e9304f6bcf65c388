package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
)

// testServer serves handle on a loopback port until the test ends.
type testServer struct {
	Server
	addr  string
	mu    sync.Mutex
	seen  []string // METHOD TARGET of every request
	conns map[*ServerConn]bool
	ends  chan error // what each connection's loop ended with
}

func serve(t testing.TB, s *testServer, handle func(*ServerConn, *RequestHead)) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, s, ln, handle)
}

func serveOn(t testing.TB, s *testServer, ln net.Listener, handle func(*ServerConn, *RequestHead)) *testServer {
	s.addr, s.conns, s.ends = ln.Addr().String(), map[*ServerConn]bool{}, make(chan error, 10000)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.loop(nc, handle) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.nc.Close()
		}
		s.mu.Unlock()
		wg.Wait()
	})
	return s
}

func (s *testServer) loop(nc net.Conn, handle func(*ServerConn, *RequestHead)) {
	c := s.NewConn(nc)
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	for {
		req, err := c.ReadRequest()
		if err != nil {
			s.ends <- err
			return
		}
		s.mu.Lock()
		s.seen = append(s.seen, req.Method+" "+req.Target)
		s.mu.Unlock()
		handle(c, req)
	}
}

func (s *testServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

// echo answers with the body that it got.
func echo(c *ServerConn, req *RequestHead) {
	length := max(req.ContentLength, 0)
	if req.Framing == Chunked {
		length = -1
	}
	data, err := c.Body.Next()
	if err != nil && err != io.EOF {
		refuseBody(c, err)
		return
	}
	c.Begin(200, nil, length)
	for err == nil {
		c.Write(data)
		if data, err = c.Body.Next(); err != nil && err != io.EOF {
			c.Abort()
			return
		}
	}
	c.End(c.Body.Trailers())
}

// refuseBody is what a proxy does with a body that cannot be read.
func refuseBody(c *ServerConn, err error) {
	status := 400
	if p, ok := err.(*ProtocolError); ok {
		status = p.Status
	}
	c.Respond(status, nil, nil)
}

func dial(t testing.TB, s *testServer) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return nc.(*net.TCPConn)
}

// exchange sends raw bytes and returns all that comes until the server closes.
func exchange(t testing.TB, s *testServer, raw string) string {
	t.Helper()
	nc := dial(t, s)
	io.WriteString(nc, raw)
	nc.CloseWrite()
	got, err := io.ReadAll(nc)
	if err != nil {
		t.Errorf("reading the answer to %.60q: %v", raw, err)
	}
	return string(got)
}

// statuses returns the status of each response in raw, as net/http reads it,
// for requests of the given methods (GET beyond them).
func statuses(t testing.TB, raw string, methods ...string) (got []int) {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(raw))
	for {
		if _, err := br.Peek(1); err != nil {
			return got
		}
		req := &http.Request{Method: "GET"}
		if len(methods) > len(got) {
			req.Method = methods[len(got)]
		}
		resp, err := http.ReadResponse(br, req)
		if err != nil {
			t.Errorf("net/http cannot read our answer %q: %v", raw, err)
			return got
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Errorf("net/http cannot read the body of our answer %q: %v", raw, err)
		}
		got = append(got, resp.StatusCode)
	}
}

func fields(pairs ...string) (f header.Fields) {
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}
