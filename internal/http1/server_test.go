package http1

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// readUntil reads until the bytes that came end with want.
func readUntil(t testing.TB, nc net.Conn, want string) string {
	t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), want) {
		one := make([]byte, 1)
		if _, err := nc.Read(one); err != nil {
			t.Fatalf("got %q, then %v; want it to end with %q", got, err, want)
		}
		got = append(got, one[0])
	}
	return string(got)
}

func undated(raw string) string {
	var out []string
	for line := range strings.Lines(raw) {
		if !strings.HasPrefix(line, "date: ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// TestExchanges sends raw bytes and compares all that comes back.
func TestExchanges(t *testing.T) {
	const h = "Host: a\r\n"
	say := func(status int, length int64, body string) func(*ServerConn, *RequestHead) {
		return func(c *ServerConn, _ *RequestHead) {
			c.Begin(status, fields("x", "y"), length)
			c.Write([]byte(body))
			c.End(nil)
		}
	}
	for _, c := range []struct {
		name, send string
		handle     func(*ServerConn, *RequestHead)
		want       string
	}{
		{"pipelined, in order", "POST /1 HTTP/1.1\r\n" + h + "Content-Length: 3\r\n\r\nonePOST /2 HTTP/1.1\r\n" + h +
			"Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\nPOST /3 HTTP/1.1\r\n" + h + "Connection: close\r\nContent-Length: 5\r\n\r\nthree", echo,
			"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none" +
				"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n" +
				"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthree"},
		{"nothing behind a close", "GET / HTTP/1.1\r\n" + h + "Connection: close\r\n\r\nGET / HTTP/1.1\r\n" + h + "\r\n", say(200, 2, "ok"),
			"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"},
		{"unread body is passed over", "POST / HTTP/1.1\r\n" + h + "Content-Length: 3\r\n\r\nonePOST / HTTP/1.1\r\n" + h +
			"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n", say(200, 2, "ok"),
			"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\nok" +
				"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"},
		{"chunked with trailers", "POST / HTTP/1.1\r\n" + h + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n", echo,
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n0\r\nx-sum: 7\r\n\r\n"},
		{"HTTP/1.0, length not known", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", say(200, -1, "until close"),
			"HTTP/1.0 200 OK\r\nx: y\r\n\r\nuntil close"},
		{"HTTP/1.0, length known, kept", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", say(200, 2, "ok"),
			"HTTP/1.0 200 OK\r\nx: y\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nokHTTP/1.0 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\nok"},
		{"HEAD with length", "HEAD / HTTP/1.1\r\n" + h + "\r\n", say(200, 5, "never"), "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\n"},
		{"HEAD without length", "HEAD / HTTP/1.1\r\n" + h + "\r\n", say(200, -1, "never"), "HTTP/1.1 200 OK\r\nx: y\r\n\r\n"},
		{"HEAD of HTTP/1.0", "HEAD / HTTP/1.0\r\n\r\n", say(200, -1, "never"), "HTTP/1.0 200 OK\r\nx: y\r\n\r\n"},
		{"204", "GET / HTTP/1.1\r\n" + h + "\r\n", say(204, 5, "never"), "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"},
		{"304 with length", "GET / HTTP/1.1\r\n" + h + "\r\n", say(304, 5, "never"), "HTTP/1.1 304 Not Modified\r\nx: y\r\ncontent-length: 5\r\n\r\n"},
		{"304 without length", "GET / HTTP/1.1\r\n" + h + "\r\n", say(304, -1, "never"), "HTTP/1.1 304 Not Modified\r\nx: y\r\n\r\n"},
		{"empty chunked", "GET / HTTP/1.1\r\n" + h + "\r\n", say(200, -1, ""), "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"interim", "GET / HTTP/1.1\r\n" + h + "\r\n", func(c *ServerConn, _ *RequestHead) {
			c.Interim(103, fields("link", "</a>"))
			c.Respond(200, nil, nil)
		}, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"},
		{"no interim for HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", func(c *ServerConn, _ *RequestHead) {
			c.Interim(103, fields("link", "</a>"))
			c.Respond(200, nil, nil)
		}, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"},
		{"a field that would split the response", "GET / HTTP/1.1\r\n" + h + "\r\n", func(c *ServerConn, _ *RequestHead) {
			if err := c.Begin(200, fields("x", "a\r\n\r\nevil"), 0); err == nil || c.Begun() {
				panic("written")
			}
			c.Respond(500, nil, nil)
		}, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"},
		{"expectation answered without reading", "POST / HTTP/1.1\r\n" + h + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", say(401, 2, "no"),
			"HTTP/1.1 401 Unauthorized\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"},
		{"expectation not waited for", "POST / HTTP/1.1\r\n" + h + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", echo,
			"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"},
		{"large pieces", "GET / HTTP/1.1\r\n" + h + "\r\n", func(c *ServerConn, _ *RequestHead) {
			c.Begin(200, nil, -1)
			c.Write(bytes.Repeat([]byte("a"), 100))
			c.Write(bytes.Repeat([]byte("b"), 300<<10))
			c.Write(bytes.Repeat([]byte("c"), 600<<10))
			c.End(nil)
		}, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n" + strings.Repeat("a", 100) + "\r\n4b000\r\n" +
			strings.Repeat("b", 300<<10) + "\r\n96000\r\n" + strings.Repeat("c", 600<<10) + "\r\n0\r\n\r\n"},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", c.name, secure), func(t *testing.T) {
				t.Parallel()
				s := serveMaybeTLS(t, &testServer{}, secure, c.handle)
				nc := dialMaybeTLS(t, s, secure)
				io.WriteString(nc, c.send)
				nc.(interface{ CloseWrite() error }).CloseWrite()
				got, err := io.ReadAll(nc)
				if undated(string(got)) != c.want || err != nil {
					t.Errorf("got %.400q, %v\nwant %.400q", undated(string(got)), err, c.want)
				}
			})
		}
	}
}

func TestContinueIsSentWhenTheBodyIsRead(t *testing.T) {
	s := serve(t, &testServer{}, echo)
	nc := dial(t, s)
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if got := readUntil(t, nc, "\r\n\r\n"); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
	io.WriteString(nc, "hello")
	if got := undated(readUntil(t, nc, "hello")); got != "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello" {
		t.Errorf("got %q", got)
	}
	// The connection is in order.
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
	readUntil(t, nc, "\r\n\r\nx")
}

// TestEarlyResponse shows that a client that is still sending a large body
// reads the answer to the end and sees no RST.
func TestEarlyResponse(t *testing.T) {
	for _, head := range []string{"Content-Length: 50000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n2faf080\r\n"} {
		s := serve(t, &testServer{}, func(c *ServerConn, _ *RequestHead) { c.Respond(413, nil, []byte("too large")) })
		nc := dial(t, s)
		io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\n"+head)
		var wg sync.WaitGroup
		wg.Go(func() {
			block := make([]byte, 64<<10)
			for range 50000000 / len(block) {
				if _, err := nc.Write(block); err != nil {
					return
				}
			}
			nc.CloseWrite()
		})
		got, err := io.ReadAll(nc)
		if !strings.HasSuffix(string(got), "\r\n\r\ntoo large") || err != nil {
			t.Errorf("%q: got %q, %v", head, got, err)
		}
		nc.Close()
		wg.Wait()
		if err := <-s.ends; err != io.EOF {
			t.Errorf("%q: the loop ended with %v, want EOF", head, err)
		}
	}
}

func TestHijack(t *testing.T) {
	s := serve(t, &testServer{}, func(c *ServerConn, req *RequestHead) {
		c.Begin(101, fields("upgrade", req.Upgrade, "connection", "upgrade"), -1)
		nc := c.Hijack()
		io.Copy(nc, nc)
		nc.Close()
	})
	nc := dial(t, s)
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst ")
	io.WriteString(nc, "second")
	nc.CloseWrite()
	got, err := io.ReadAll(nc)
	if want := "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nfirst second"; undated(string(got)) != want || err != nil {
		t.Errorf("got %q, %v, want %q", undated(string(got)), err, want)
	}
}

// TestHTTP2 hands connections that begin with the preface to net/http.
func TestHTTP2(t *testing.T) {
	h2 := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	})}
	h2.Protocols.SetUnencryptedHTTP2(true)
	s := &testServer{Server: Server{HTTP2: true}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handed := &oneListener{conns: make(chan net.Conn), done: make(chan bool), addr: ln.Addr()}
	go h2.Serve(handed)
	defer h2.Close()
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c := s.NewConn(nc)
			for {
				_, err := c.ReadRequest()
				if err == ErrHTTP2 {
					handed.conns <- c.Hijack()
					break
				}
				if err != nil {
					break
				}
				c.Respond(200, nil, []byte("HTTP/1"))
			}
			c.Close()
		}
	}()
	for _, prior := range []bool{true, false} {
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(!prior)
		tr.Protocols.SetUnencryptedHTTP2(prior)
		resp, err := (&http.Client{Transport: tr}).Post("http://"+ln.Addr().String(), "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		tr.CloseIdleConnections()
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1"}[prior]; string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

type oneListener struct {
	conns chan net.Conn
	done  chan bool
	once  sync.Once
	addr  net.Addr
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}
func (l *oneListener) Addr() net.Addr { return l.addr }

func TestPrefaceInPieces(t *testing.T) {
	s := &testServer{Server: Server{HTTP2: true}}
	for piece := 1; piece < len(preface); piece += 5 {
		client, server := net.Pipe()
		go func() {
			for i := 0; i < len(preface); i += piece {
				io.WriteString(client, preface[i:min(i+piece, len(preface))])
			}
			io.WriteString(client, "frames")
			client.Close()
		}()
		c := s.NewConn(server)
		if _, err := c.ReadRequest(); err != ErrHTTP2 {
			t.Errorf("pieces of %d: %v", piece, err)
		}
		got, err := io.ReadAll(c.Hijack())
		if string(got) != preface+"frames" || err != nil {
			t.Errorf("pieces of %d: got %q, %v", piece, got, err)
		}
	}
}
