package http1

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestH1Spec sends the kinds of requests that the h1spec suite of
// uNetworking sends, 33 of them, over real sockets. A want of 0 means that
// the server must wait for more.
func TestH1Spec(t *testing.T) {
	s := serve(t, &testServer{}, echo)
	const h = "Host: spec.example\r\n"
	for _, c := range []struct {
		name, send string
		min, max   int
	}{
		{"method begun", "P", 0, 0},
		{"method done", "PUT ", 0, 0},
		{"target begun", "PUT /a", 0, 0},
		{"target done", "PUT /a ", 0, 0},
		{"version begun", "PUT /a HTT", 0, 0},
		{"version done", "PUT /a HTTP/1.1", 0, 0},
		{"request line with CR", "PUT /a HTTP/1.1\r", 0, 0},
		{"request line with CRLF", "PUT /a HTTP/1.1\r\n", 0, 0},
		{"name begun", "PUT /a HTTP/1.1\r\nHo", 0, 0},
		{"name done", "PUT /a HTTP/1.1\r\nHost:", 0, 0},
		{"blank before the value", "PUT /a HTTP/1.1\r\nHost: ", 0, 0},
		{"value begun", "PUT /a HTTP/1.1\r\nHost: spec", 0, 0},
		{"value with CR", "PUT /a HTTP/1.1\r\nHost: spec\r", 0, 0},
		{"value with CRLF", "PUT /a HTTP/1.1\r\nHost: spec\r\n", 0, 0},
		{"end begun", "PUT /a HTTP/1.1\r\nHost: spec\r\n\r", 0, 0},
		{"no version", "GET /a \r\n\r\n", 400, 599},
		{"expectation without a body", "GET / HTTP/1.1\r\n" + h + "Expect: 100-continue\r\n\r\n", 200, 299},
		{"plain GET", "GET / HTTP/1.1\r\n" + h + "\r\n", 200, 299},
		{"mixed case, tab, no value", "GET / HTTP/1.1\r\nhOsT:\tspec.example\r\nnothing:\r\n\r\n", 200, 299},
		{"brackets in a name", "GET / HTTP/1.1\r\n" + h + "X-Odd[1]: a\r\n\r\n", 400, 499},
		{"no host", "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n", 400, 499},
		{"two hosts", "GET / HTTP/1.1\r\n" + h + "Host: other.example\r\n\r\n", 400, 499},
		{"huge negative length", "GET / HTTP/1.1\r\n" + h + "Content-Length: -987654321987654321987654321\r\n\r\n", 400, 499},
		{"negative length", "GET / HTTP/1.1\r\n" + h + "Content-Length: -12\r\n\r\n", 400, 499},
		{"length of letters", "GET / HTTP/1.1\r\n" + h + "Content-Length: ten\r\n\r\n", 400, 499},
		{"blank value", "GET / HTTP/1.1\r\n" + h + "X-Nothing: \r\n\r\n", 200, 299},
		{"bell in a value", "GET / HTTP/1.1\r\n" + h + "X-Bell: ring\x07\r\n\r\n", 400, 499},
		{"version 9.9", "GET / HTTP/9.9\r\n" + h + "\r\n", 400, 599},
		{"words before the method", "Some wordsGET / HTTP/1.1\r\n" + h + "\r\n", 400, 599},
		{"CR that ends no line", "GET / HTTP/1.1\r\n" + h + "\rX-After: a\r\n\r\n", 400, 499},
		{"POST with a body", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello", 200, 299},
		{"both framings", "GET / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400, 499},
		{"chunked POST", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, 299},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nc := dial(t, s)
			io.WriteString(nc, c.send)
			buf := make([]byte, 4096)
			if c.max == 0 { // a wrong answer would come at once
				nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				n, err := nc.Read(buf)
				if e, ok := err.(net.Error); !ok || !e.Timeout() {
					t.Errorf("got %q, %v, want the server to wait", buf[:n], err)
				}
				return
			}
			n, err := nc.Read(buf)
			if err != nil || n < 12 {
				t.Fatalf("got %q, %v", buf[:n], err)
			}
			got := int(buf[9]-'0')*100 + int(buf[10]-'0')*10 + int(buf[11]-'0')
			if got < c.min || got > c.max {
				t.Errorf("got %q, want a status from %d to %d", buf[:n], c.min, c.max)
			}
		})
	}
}
