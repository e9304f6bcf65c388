package http1

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
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
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	}
	return serveOn(t, s, ln, handle)
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
