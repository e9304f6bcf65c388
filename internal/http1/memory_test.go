package http1

import (
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// idleMemory opens n connections, has each of them serve one request, and
// returns what the heap and the stacks grew by for each. The clients are bare
// file descriptors, so nothing of theirs is counted.
func idleMemory(t testing.TB, n int) float64 {
	answered := make(chan bool, n)
	s := serve(t, &testServer{Server: Server{Timeouts: Timeouts{Idle: time.Minute, Header: time.Minute, Write: time.Minute}}},
		func(c *ServerConn, _ *RequestHead) {
			c.Respond(200, nil, []byte("ok"))
			answered <- true
		})
	addr, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	to := &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	s.mu.Lock()
	s.seen = make([]string, 0, n)
	s.mu.Unlock()
	before := inUse()
	fds := make([]int, 0, n)
	defer func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}()
	request := []byte("GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: memory\r\nCookie: some=thing\r\n\r\n")
	for range n {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Skipf("after %d sockets: %v", len(fds), err)
		}
		fds = append(fds, fd)
		if err := syscall.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Write(fd, request); err != nil {
			t.Fatal(err)
		}
		<-answered
	}
	after := inUse()
	if len(s.ends) > 0 {
		t.Fatalf("a connection ended: %v", <-s.ends)
	}
	return float64(after-before) / float64(n)
}

// inUse collects garbage until stacks have shrunk and pools are empty.
func inUse() int64 {
	for range 5 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestIdleMemory: an idle connection holds no buffers.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has its own memory")
	}
	if got := idleMemory(t, 1000); got > 10<<10 {
		t.Errorf("an idle connection takes %.0f bytes, want at most 10 KiB", got)
	}
}

// BenchmarkIdleConnections reports the memory of one of 9,900 idle
// connections (both of its ends count against the limit of open files).
func BenchmarkIdleConnections(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(idleMemory(b, 9900), "B/conn")
	}
}

// wrappedConn is a connection that is not a socket, as a tls.Conn is.
type wrappedConn struct {
	net.Conn
	read func(p []byte) (int, error)
}

func (c *wrappedConn) Read(p []byte) (int, error)      { return c.read(p) }
func (c *wrappedConn) SetReadDeadline(time.Time) error { return nil }
func (c *wrappedConn) Close() error                    { return nil }

// TestIdleWrappedHoldsNoBuffer: waiting on a TLS connection takes no buffer
// either, on top of what crypto/tls keeps.
func TestIdleWrappedHoldsNoBuffer(t *testing.T) {
	in := []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	var c *ServerConn
	first := true
	c = (&Server{}).NewConn(&wrappedConn{read: func(p []byte) (int, error) {
		if first && (len(p) != 1 || c.rd.buf != nil) {
			t.Errorf("waiting for a request with room for %d bytes, buffer %v", len(p), c.rd.buf != nil)
		}
		first = false
		n := copy(p, in)
		in = in[n:]
		return n, nil
	}})
	if req, err := c.ReadRequest(); err != nil || req.Host != "a" {
		t.Errorf("got %+v, %v", req, err)
	}
	c.Close()
	if c.rd.buf != nil || c.w.buf != nil || c.head != nil {
		t.Error("Close keeps memory")
	}
}
