package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// connect returns our client's connection to addr.
func connect(t testing.TB, cl *Client, addr string) *ClientConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := cl.NewConn(nc)
	t.Cleanup(func() { c.Close() })
	return c
}

// script answers every connection with the given bytes once it has read a
// head, and then closes it if end is true.
func script(t testing.TB, answer string, end bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	t.Cleanup(func() { ln.Close(); close(done) })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				var got []byte
				for !bytes.HasSuffix(got, crlfcrlf) {
					one := make([]byte, 1)
					if _, err := nc.Read(one); err != nil {
						return
					}
					got = append(got, one[0])
				}
				io.WriteString(nc, answer)
				if !end {
					<-done
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func send(t testing.TB, c *ClientConn, h *RequestHead, body string) {
	t.Helper()
	if err := c.Begin(h); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte(body))
	if err := c.End(nil); err != nil {
		t.Fatal(err)
	}
}

func getHead() *RequestHead {
	return &RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1}
}

// TestClientWithNetHTTP sends many kinds of requests to net/http on one
// connection.
func TestClientWithNetHTTP(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", fmt.Sprint(r.Trailer.Get("X-Sum")))
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		} else {
			w.Header().Set("Trailer", "X-After")
			w.(http.Flusher).Flush()
		}
		w.Write(body)
		w.Header().Set("X-After", "done")
	}))
	defer up.Close()
	c := connect(t, &Client{}, up.Listener.Addr().String())
	for i, size := range []int{0, 1, 5000, 20000, 3 << 20} {
		for _, framing := range []Framing{Length, Chunked} {
			for _, path := range []string{"/known", "/unknown"} {
				body := strings.Repeat("abcdefg", size/7+1)[:size]
				head := &RequestHead{Method: "POST", Target: path, Host: "a", Framing: framing, ContentLength: int64(size)}
				if framing == Chunked {
					head.Fields = fields("trailer", "x-sum")
				}
				if err := c.Begin(head); err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				wg.Go(func() { // net/http answers while we still send
					io.Copy(c, strings.NewReader(body))
					if err := c.End(fields("x-sum", "17")); err != nil {
						t.Error(err)
					}
				})
				resp, err := c.ReadResponse(nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(&c.Body)
				wg.Wait()
				name := fmt.Sprintf("%d: %d bytes %d %s", i, size, framing, path)
				if string(got) != body || err != nil || resp.Status != 200 {
					t.Fatalf("%s: got %d bytes, %v, %+v", name, len(got), err, resp)
				}
				if want := map[Framing]string{Length: "", Chunked: "17"}[framing]; path == "/known" && resp.Fields.Value("x-sum") != want {
					t.Errorf("%s: the trailer arrived as %q, want %q", name, resp.Fields.Value("x-sum"), want)
				}
				if path == "/unknown" && c.Body.Trailers().Value("x-after") != "done" {
					t.Errorf("%s: trailers %v", name, c.Body.Trailers())
				}
				if !c.Reusable() || !c.Alive() {
					t.Fatalf("%s: reusable %v, alive %v", name, c.Reusable(), c.Alive())
				}
				c.Release()
			}
		}
	}
}

func TestReusable(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		method       string
		end          bool
		body         string
		err          error
		reusable     bool
	}{
		{name: "length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", body: "ok", reusable: true},
		{name: "chunked", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", body: "ok", reusable: true},
		{name: "nothing", answer: "HTTP/1.1 204 No Content\r\n\r\n", reusable: true},
		{name: "HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", reusable: true},
		{name: "HEAD with a body", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{name: "close", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", body: "ok"},
		{name: "until close", answer: "HTTP/1.1 200 OK\r\n\r\nok", end: true, body: "ok"},
		{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", body: "ok"},
		{name: "a second response", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", body: "ok"},
		{name: "cut off", answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", end: true, body: "ok", err: io.ErrUnexpectedEOF},
		{name: "cut off in chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", end: true, body: "ok", err: io.ErrUnexpectedEOF},
		{name: "after interim responses", answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", body: "ok", reusable: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := connect(t, &Client{}, script(t, c.answer, c.end))
			h := getHead()
			if c.method != "" {
				h.Method = c.method
			}
			send(t, conn, h, "")
			var interim []int
			if _, err := conn.ReadResponse(func(h *ResponseHead) error { interim = append(interim, h.Status); return nil }); err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(&conn.Body)
			if string(body) != c.body || err != c.err || conn.Reusable() != c.reusable {
				t.Errorf("got %q, %v, reusable %v; want %q, %v, %v", body, err, conn.Reusable(), c.body, c.err, c.reusable)
			}
			if strings.Contains(c.name, "interim") && !slices.Equal(interim, []int{100, 103}) {
				t.Errorf("interim responses %v", interim)
			}
		})
	}
}

// TestBeginBehindAnUnfinishedExchange: whatever is left of a response must not
// answer the next request.
func TestBeginBehindAnUnfinishedExchange(t *testing.T) {
	for name, answer := range map[string]string{
		"body unread":  "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"one too many": "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"last one":     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"head unread":  "",
	} {
		conn := connect(t, &Client{}, script(t, answer, false))
		send(t, conn, getHead(), "")
		if answer != "" {
			if _, err := conn.ReadResponse(nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Begin(getHead()); err != ErrState {
			t.Errorf("%s: got %v, want ErrState", name, err)
		}
	}
}

func TestReadResponseFails(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         error
		untouched    bool
	}{
		{"closed before a byte", "", io.EOF, true},
		{"closed in the head", "HTTP/1.1 200 OK\r\nX:", io.ErrUnexpectedEOF, false},
		{"closed behind an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n", io.ErrUnexpectedEOF, false},
		{"no HTTP", "220 smtp.example ESMTP\r\n", &ProtocolError{502, errStatusLine.Reason}, false},
	} {
		conn := connect(t, &Client{}, script(t, c.answer, true))
		send(t, conn, getHead(), "")
		_, err := conn.ReadResponse(nil)
		if err == nil || err.Error() != c.want.Error() || conn.Untouched() != c.untouched || conn.Reusable() {
			t.Errorf("%s: got %v, untouched %v, reusable %v", c.name, err, conn.Untouched(), conn.Reusable())
		}
	}
}

// TestStale: the upstream closes an idle connection, and both ways to find
// out about it do.
func TestStale(t *testing.T) {
	conn := connect(t, &Client{}, script(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true))
	send(t, conn, getHead(), "")
	conn.ReadResponse(nil)
	io.ReadAll(&conn.Body)
	if !conn.Reusable() {
		t.Fatal("the exchange itself was in order")
	}
	conn.Release()
	for conn.Alive() { // the close is on its way
	}
	err := conn.Begin(getHead())
	if err == nil {
		err = conn.End(nil)
	}
	if err == nil {
		_, err = conn.ReadResponse(nil)
	}
	if err != io.EOF && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) || !conn.Untouched() {
		t.Errorf("got %v, untouched %v", err, conn.Untouched())
	}
}

func TestAliveSeesUnaskedBytes(t *testing.T) {
	conn := connect(t, &Client{}, script(t, "HTTP/1.1 204 No Content\r\n\r\n", false))
	if !conn.Alive() {
		t.Fatal("a new connection is not alive")
	}
	conn.nc.Write([]byte("\r\n\r\n")) // makes the script speak
	for conn.Alive() {
	}
}

func TestClientTimeouts(t *testing.T) {
	const soon = 30 * time.Millisecond
	for _, c := range []struct {
		name, answer string
		limits       Timeouts
		total        time.Duration
		want         Timeout
	}{
		{"no answer", "", Timeouts{FirstByte: soon}, 0, TimeoutFirstByte},
		{"interim only", "HTTP/1.1 103 Early Hints\r\n\r\n", Timeouts{FirstByte: soon}, 0, TimeoutFirstByte},
		{"half a head", "HTTP/1.1 200 OK\r\n", Timeouts{Read: soon}, 0, TimeoutRead},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Timeouts{FirstByte: time.Hour, Read: soon}, 0, TimeoutRead},
		{"total in the head", "", Timeouts{FirstByte: time.Hour}, soon, TimeoutTotal},
		{"total in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Timeouts{Read: time.Hour}, soon, TimeoutTotal},
	} {
		conn := connect(t, &Client{Timeouts: c.limits}, script(t, c.answer, false))
		conn.LimitTotal(c.total)
		send(t, conn, getHead(), "")
		_, err := conn.ReadResponse(nil)
		if err == nil {
			_, err = io.ReadAll(&conn.Body)
		}
		var limit *TimeoutError
		if !errors.As(err, &limit) || limit.Limit != c.want || conn.Reusable() {
			t.Errorf("%s: got %v, want the %v timeout", c.name, err, c.want)
		}
	}
}

// TestLimitFirstByteLater: the limit begins while ReadResponse waits already.
func TestLimitFirstByteLater(t *testing.T) {
	conn := connect(t, &Client{}, script(t, "", false))
	send(t, conn, getHead(), "")
	var wg sync.WaitGroup
	wg.Go(func() { conn.LimitFirstByte(time.Now(), time.Millisecond) })
	_, err := conn.ReadResponse(nil)
	wg.Wait()
	var limit *TimeoutError
	if !errors.As(err, &limit) || limit.Limit != TimeoutFirstByte {
		t.Errorf("got %v", err)
	}
	// Once the head is there it has no effect.
	conn = connect(t, &Client{}, script(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false))
	send(t, conn, getHead(), "")
	if _, err := conn.ReadResponse(nil); err != nil {
		t.Fatal(err)
	}
	conn.LimitFirstByte(time.Now(), time.Nanosecond)
	if got, err := io.ReadAll(&conn.Body); string(got) != "ok" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestClientUpgrade(t *testing.T) {
	conn := connect(t, &Client{}, script(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello", true))
	h := getHead()
	h.Upgrade = "x"
	send(t, conn, h, "")
	resp, err := conn.ReadResponse(nil)
	if err != nil || resp.Status != 101 || resp.Upgrade != "x" || conn.Reusable() {
		t.Fatalf("got %+v, %v", resp, err)
	}
	nc := conn.Hijack()
	defer nc.Close()
	if got, err := io.ReadAll(nc); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestBodyLength shows what happens to messages that are longer or shorter
// than announced.
func TestBodyLength(t *testing.T) {
	conn := connect(t, &Client{}, script(t, "", false))
	h := getHead()
	h.Framing, h.ContentLength = Length, 3
	if _, err := conn.Write([]byte("x")); err != ErrState {
		t.Errorf("Write before Begin: %v", err)
	}
	conn.Begin(h)
	if _, err := conn.Write([]byte("four")); err != ErrLongBody {
		t.Errorf("too much: %v", err)
	}
	if _, err := conn.Write([]byte("tw")); err != nil {
		t.Errorf("not too much: %v", err)
	}
	if err := conn.End(nil); err != ErrShortBody {
		t.Errorf("too little: %v", err)
	}
	if conn.Reusable() || conn.Begin(h) == nil {
		t.Error("the connection can be used again")
	}
	h.Framing, h.ContentLength = NoBody, -1
	conn = connect(t, &Client{}, script(t, "", false))
	conn.Begin(h)
	if _, err := conn.Write([]byte("x")); err != ErrLongBody {
		t.Errorf("a body where none goes: %v", err)
	}
}

// countedConn counts the writes on a connection that is not a plain socket.
type countedConn struct {
	net.Conn
	writes int
	bytes  int
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes++
	c.bytes += len(p)
	return len(p), nil
}

func TestOneWrite(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 16000} {
		for _, framing := range []Framing{Length, Chunked} {
			nc := &countedConn{}
			c := (&Client{}).NewConn(nc)
			h := getHead()
			h.Framing, h.ContentLength = framing, int64(size)
			send(t, c, h, strings.Repeat("a", size))
			if nc.writes != 1 || nc.bytes < size {
				t.Errorf("%d bytes, framing %d: %d writes of %d bytes, want 1", size, framing, nc.writes, nc.bytes)
			}
		}
	}
}
