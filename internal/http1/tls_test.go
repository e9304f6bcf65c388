package http1

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// certificate is the one that httptest signs for itself.
func certificate(t testing.TB) tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
}

func serveMaybeTLS(t testing.TB, s *testServer, secure bool, handle func(*ServerConn, *RequestHead)) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		ln = &tlsListener{ln, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}}
	}
	return serveOn(t, s, ln, handle)
}

// tlsListener hands out connections whose handshake is over, as the proxy does.
type tlsListener struct {
	net.Listener
	config *tls.Config
}

func (l *tlsListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	session := tls.Server(Direct(nc), l.config)
	return session, session.Handshake()
}

// slowConn sends every byte by itself, and now and then rests.
type slowConn struct {
	net.Conn
	sent int
}

func (c *slowConn) Write(p []byte) (int, error) {
	for i := range p {
		if c.sent++; c.sent%50 == 0 {
			time.Sleep(time.Millisecond)
		}
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// TestTLSInPieces: the driver waits at the socket, between any two bytes of a
// record. It leans on crypto/tls, which keeps what it has got of one when a read
// has to be tried again.
func TestTLSInPieces(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		s := serveMaybeTLS(t, &testServer{}, true, func(c *ServerConn, _ *RequestHead) {
			body, err := io.ReadAll(&c.Body)
			if err != nil {
				t.Error(err)
			}
			c.Respond(200, nil, body)
		})
		socket, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		nc := tls.Client(&slowConn{Conn: socket}, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		answers := bufio.NewReader(nc)
		for _, body := range []string{"", "a", strings.Repeat("b", 300), "c"} {
			fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
			io.WriteString(nc, body)
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%x: %v", version, err)
			}
			if got, err := io.ReadAll(res.Body); string(got) != body || err != nil {
				t.Errorf("%x: got %q, %v, want %q", version, got, err, body)
			}
		}
	}
}

func dialMaybeTLS(t testing.TB, s *testServer, secure bool) net.Conn {
	t.Helper()
	if !secure {
		return dial(t, s)
	}
	nc, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return nc
}
