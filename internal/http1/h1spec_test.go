package http1

import (
	"io"
	"slices"
	"strings"
	"testing"
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
			if c.max == 0 { // nothing is said about it, not even when no more comes
				if got := exchange(t, s, c.send); got != "" {
					t.Errorf("got %q, want the server to wait", got)
				}
				return
			}
			nc := dial(t, s)
			io.WriteString(nc, c.send)
			buf := make([]byte, 4096)
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

// TestH1Rules holds the server to the 33 rules of the h1spec suite of dropseed,
// ordered by the sections of RFC 9112, with what follows on the connection:
// behind whatever cannot be read nothing is served.
func TestH1Rules(t *testing.T) {
	s := serve(t, &testServer{}, echo)
	const h = "Host: spec.example\r\n"
	const coding = "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n"
	const next = "GET /next HTTP/1.1\r\n" + h + "\r\n"
	for _, c := range []struct {
		name, send string
		want       []int // the statuses of all answers until the connection ends
	}{
		// Request line (section 3).
		{"simple GET", "GET / HTTP/1.1\r\n" + h + "\r\n", []int{200}},
		{"POST with a body", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\n\r\nhello" + next, []int{200, 200}},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + h + "\r\n" + next, []int{200, 200}},
		{"absolute form", "GET http://spec.example/ HTTP/1.1\r\n" + h + "\r\n" + next, []int{200, 200}},
		{"authority form", "CONNECT other.example:443 HTTP/1.1\r\n" + h + "\r\n", []int{200}},
		{"another version", "GET / HTTP/2.0\r\n" + h + "\r\n" + next, []int{505}},
		{"no version", "GET /\r\n" + h + "\r\n" + next, []int{400}},
		// Header lines (section 5, and 3.2 for Host).
		{"no host", "GET / HTTP/1.1\r\n\r\n" + next, []int{400}},
		{"two hosts", "GET / HTTP/1.1\r\n" + h + "Host: other.example\r\n\r\n" + next, []int{400}},
		{"blank in the host", "GET / HTTP/1.1\r\nHost: spec example\r\n\r\n" + next, []int{400}},
		{"blank in a name", "GET / HTTP/1.1\r\n" + h + "Two Words: a\r\n\r\n" + next, []int{400}},
		{"folded line", "GET / HTTP/1.1\r\n" + h + "  and on\r\n\r\n" + next, []int{400}},
		{"blank before the colon", "GET / HTTP/1.1\r\nHost : spec.example\r\n\r\n" + next, []int{400}},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: spec\x00example\r\n\r\n" + next, []int{400}},
		// Bodies (sections 6 and 7).
		{"chunked", coding + "\r\n5\r\nhello\r\n0\r\n\r\n" + next, []int{200, 200}},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, []int{400}},
		{"chunked and a length", coding + "Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", []int{400}},
		{"chunked and a length end the connection", coding + "Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, []int{400}},
		{"unknown coding", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: odd\r\n\r\nhello" + next, []int{400}},
		{"chunked is not last", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, []int{400}},
		{"length that is no number", "POST / HTTP/1.1\r\n" + h + "Content-Length: five\r\n\r\nhello" + next, []int{400}},
		{"two lengths", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello!!" + next, []int{400}},
		{"chunk size that is no number", coding + "\r\nZ\r\nhello\r\n0\r\n\r\n" + next, []int{400}},
		// The answer has begun by then, and is broken off.
		{"chunk without its end", coding + "\r\n5\r\nhello0\r\n\r\n" + next, nil},
		{"100-continue", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", []int{100, 200}},
		// Connections (section 9).
		{"kept by default", next + next, []int{200, 200}},
		{"close", "GET / HTTP/1.1\r\n" + h + "Connection: close\r\n\r\n" + next, []int{200}},
		{"HTTP/1.0 closes", "GET / HTTP/1.0\r\n" + h + "\r\n" + next, []int{200}},
		// Answers (RFC 9110 sections 9.3.2 and 15).
		{"HEAD has no body", "HEAD / HTTP/1.1\r\n" + h + "\r\n" + next, []int{200, 200}},
		{"any answer says where it ends", "get / HTTP/1.1\r\n" + h + "\r\n" + next, []int{200, 200}},
		// Limits of our own.
		{"long request line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\n" + h + "\r\n" + next, []int{414}},
		{"101 lines more", "GET / HTTP/1.1\r\n" + h + strings.Repeat("X-Line: a\r\n", 101) + "\r\n" + next, []int{431}},
		{"line of 9000 bytes", "GET / HTTP/1.1\r\n" + h + "X-Long: " + strings.Repeat("a", 9000) + "\r\n\r\n" + next, []int{200, 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.want == nil {
				nc := dial(t, s)
				io.WriteString(nc, c.send)
				if raw, err := io.ReadAll(nc); err == nil && strings.HasSuffix(string(raw), "0\r\n\r\n") {
					t.Errorf("got %q, whole, want it broken off", raw)
				}
				return
			}
			var got []int
			if c.want[0] == 100 {
				nc := dial(t, s)
				io.WriteString(nc, c.send)
				readUntil(t, nc, "HTTP/1.1 100 Continue\r\n\r\n")
				io.WriteString(nc, "hello")
				nc.CloseWrite()
				rest, _ := io.ReadAll(nc)
				got = append([]int{100}, statuses(t, string(rest))...)
			} else {
				method, _, _ := strings.Cut(c.send, " ")
				got = statuses(t, exchange(t, s, c.send), method)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
