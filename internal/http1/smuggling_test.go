package http1

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// refusal is a message that RFC 9112 (or our own strictness) refuses.
type refusal struct {
	name, raw string
	status    int
}

const hostLine = "Host: a.example\r\n"

func get(lines string) string  { return "GET / HTTP/1.1\r\n" + hostLine + lines + "\r\n" }
func post(lines string) string { return "POST / HTTP/1.1\r\n" + hostLine + lines + "\r\n" }
func chunks(body string) string {
	return post("Transfer-Encoding: chunked\r\n") + body
}

// headRefusals are refused by ParseRequest.
func headRefusals() []refusal {
	return []refusal{
		// Two framings, or one that reads in two ways (sections 6.1 to 6.3).
		{"length and coding", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), 400},
		{"coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400},
		{"two lengths", post("Content-Length: 4\r\nContent-Length: 5\r\n"), 400},
		{"the same length twice", post("Content-Length: 4\r\nContent-Length: 4\r\n"), 400},
		{"length list", post("Content-Length: 4, 4\r\n"), 400},
		{"length with plus", post("Content-Length: +4\r\n"), 400},
		{"length with minus", post("Content-Length: -0\r\n"), 400},
		{"length in hex", post("Content-Length: 0x4\r\n"), 400},
		{"length with blank inside", post("Content-Length: 4 4\r\n"), 400},
		{"length with underscore", post("Content-Length: 4_0\r\n"), 400},
		{"empty length", post("Content-Length:\r\n"), 400},
		{"length beyond 63 bits", post("Content-Length: 99999999999999999999\r\n"), 400},
		{"length with a full-width digit", post("Content-Length: \xef\xbc\x94\r\n"), 400},
		{"unknown coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
		{"unknown coding", post("Transfer-Encoding: xchunked\r\n"), 400},
		{"coding that is not last", post("Transfer-Encoding: chunked, gzip\r\n"), 400},
		{"chunked twice in a list", post("Transfer-Encoding: chunked, chunked\r\n"), 400},
		{"chunked in two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
		{"identity and chunked lines", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 400},
		{"empty coding", post("Transfer-Encoding:\r\n"), 400},
		{"quoted coding", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
		{"coding with parameter", post("Transfer-Encoding: chunked;q=1\r\n"), 400},
		{"coding with vertical tab", post("Transfer-Encoding: \vchunked\r\n"), 400},
		{"coding in HTTP/1.0", "POST / HTTP/1.0\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n", 400},

		// Lines (sections 2.2 and 5).
		{"bare LF behind the request line", "GET / HTTP/1.1\n" + hostLine + "\r\n", 400},
		{"bare LF behind a header", "GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", 400},
		{"bare LF as the last line", "GET / HTTP/1.1\r\n" + hostLine + "\n", 400},
		{"only bare LFs", "GET / HTTP/1.1\nHost: a.example\n\n", 400},
		{"bare CR in a value", get("X: a\rb\r\n"), 400},
		{"bare CR hides a coding", get("X: a\rTransfer-Encoding: chunked\r\n"), 400},
		{"bare CR in the request line", "GET /\r HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"CR CR LF", get("X: a\r\r\n"), 400},
		{"folded value", get("X: a\r\n b\r\n"), 400},
		{"folded with tab", get("X: a\r\n\tb\r\n"), 400},
		{"folded coding", post("Transfer-Encoding:\r\n chunked\r\n"), 400},
		{"blank before the first header", "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n", 400},
		{"blank before the colon", post("Content-Length : 4\r\n"), 400},
		{"tab before the colon", post("Transfer-Encoding\t: chunked\r\n"), 400},
		{"no name", get(": a\r\n"), 400},
		{"no colon", get("X-Header\r\n"), 400},
		{"NUL in a value", get("X: a\x00b\r\n"), 400},
		{"NUL in a name", get("X\x00Y: a\r\n"), 400},
		{"DEL in a value", get("X: a\x7f\r\n"), 400},
		{"escape in a value", get("X: \x1b[0m\r\n"), 400},
		{"high byte in a name", get("X\xe9: a\r\n"), 400},
		{"parenthesis in a name", get("X(1): a\r\n"), 400},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"a bare LF first", "\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 400},

		// Request line and target (section 3).
		{"two blanks behind the method", "GET  / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"two blanks before the version", "GET /  HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"tab as separator", "GET\t/\tHTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"blank first", " GET / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"blank last", "GET / HTTP/1.1 \r\n" + hostLine + "\r\n", 400},
		{"blank in the target", "GET /a b HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"method with colon", "GE:T / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"method of 65 bytes", strings.Repeat("M", 65) + " / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"fragment", "GET /a#b HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"high byte in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"relative target", "GET a HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"asterisk with GET", "GET * HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"authority with GET", "GET a.example:80 HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"path with CONNECT", "CONNECT / HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"CONNECT without port", "CONNECT a.example HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n" + hostLine + "\r\n", 505},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + hostLine + "\r\n", 505},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"version of three digits", "GET / HTTP/1.10\r\n" + hostLine + "\r\n", 400},
		{"version in lower case", "GET / http/1.1\r\n" + hostLine + "\r\n", 400},
		{"version of something else", "GET / ICAP/1.0\r\n" + hostLine + "\r\n", 400},

		// Host (section 3.2).
		{"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"two hosts", get("Host: b.example\r\n"), 400},
		{"the same host twice", get(hostLine), 400},
		{"two hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" + hostLine + hostLine + "\r\n", 400},
		{"host list", "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", 400},
		{"host with user", "GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", 400},
		{"host with path", "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n", 400},
		{"host with blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"host with a bad port", "GET / HTTP/1.1\r\nHost: a.example:http\r\n\r\n", 400},
		{"host with port 65536", "GET / HTTP/1.1\r\nHost: a.example:65536\r\n\r\n", 400},
		{"host with open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
		{"absolute target of another host", "GET http://b.example/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute target of another port", "GET http://a.example:81/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute target with user", "GET http://u@a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute target without host", "GET http:///x HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute target of another scheme", "GET file://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", 400},
		{"absolute target without Host line", "GET http://a.example/ HTTP/1.1\r\n\r\n", 400},
		{"CONNECT with a bad host", "CONNECT b.example:443 HTTP/1.1\r\nHost: a b\r\n\r\n", 400},

		// Sizes.
		{"long request line", "GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\n" + hostLine + "\r\n", 414},
		{"large header line", get("X: " + strings.Repeat("a", 60<<10) + "\r\n"), 431},
		{"large header lines together", get(strings.Repeat("X: "+strings.Repeat("a", 6<<10)+"\r\n", 11)), 431},
		{"101 header lines", get(strings.Repeat("X: y\r\n", 100)), 431},
		{"endless name", get(strings.Repeat("x", 61<<10) + ": y\r\n"), 431},
		{"endless Connection", get("Connection: " + strings.Repeat("a,", 600) + "\r\n"), 400},
		{"unknown expectation", get("Expect: a-miracle\r\n"), 417},
	}
}

// bodyRefusals are found while the body is read.
func bodyRefusals() []refusal {
	return []refusal{
		{"size with plus", chunks("+5\r\nhello\r\n0\r\n\r\n"), 400},
		{"size with minus", chunks("-5\r\nhello\r\n0\r\n\r\n"), 400},
		{"size with 0x", chunks("0x5\r\nhello\r\n0\r\n\r\n"), 400},
		{"size with a blank first", chunks(" 5\r\nhello\r\n0\r\n\r\n"), 400},
		{"size with a blank last", chunks("5 \r\nhello\r\n0\r\n\r\n"), 400},
		{"size with underscore", chunks("1_0\r\nhello\r\n0\r\n\r\n"), 400},
		{"no size", chunks("\r\nhello\r\n0\r\n\r\n"), 400},
		{"size that is no number", chunks("five\r\nhello\r\n0\r\n\r\n"), 400},
		{"size beyond 64 bits", chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
		{"size beyond 63 bits", chunks("fffffffffffffff5\r\nhello\r\n0\r\n\r\n"), 400},
		{"size with 17 digits", chunks("00000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
		{"size line with bare LF", chunks("5\nhello\r\n0\r\n\r\n"), 400},
		{"size line with bare CR", chunks("5\rhello\r\n0\r\n\r\n"), 400},
		{"extension with bare LF", chunks("5;a\nhello\r\n0\r\n\r\n"), 400},
		{"extension with bare CR", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
		{"extension with NUL", chunks("5;a\x00\r\nhello\r\n0\r\n\r\n"), 400},
		{"extension too long", chunks("5;" + strings.Repeat("a", 300) + "\r\nhello\r\n0\r\n\r\n"), 400},
		{"data too long", chunks("5\r\nhello!\r\n0\r\n\r\n"), 400},
		{"data too short", chunks("6\r\nhello\r\n0\r\n\r\n"), 400},
		{"bare LF behind data", chunks("5\r\nhello\n0\r\n\r\n"), 400},
		{"nothing behind data", chunks("5\r\nhello0\r\n\r\n"), 400},
		{"bare LF behind the last chunk", chunks("0\n\n"), 400},
		{"length as trailer", chunks("0\r\nContent-Length: 5\r\n\r\n"), 400},
		{"coding as trailer", chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
		{"host as trailer", chunks("0\r\nHost: b.example\r\n\r\n"), 400},
		{"token as trailer", chunks("0\r\nAuthorization: Bearer x\r\n\r\n"), 400},
		{"address as trailer", chunks("0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"), 400},
		{"trailer without colon", chunks("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
		{"folded trailer", chunks("0\r\nX: a\r\n b\r\n\r\n"), 400},
		{"trailer with bare LF", chunks("0\r\nX: a\n\r\n"), 400},
		{"33 trailers", chunks("0\r\n" + strings.Repeat("X: y\r\n", 33) + "\r\n"), 431},
		{"large trailer", chunks("0\r\nX: " + strings.Repeat("a", 9<<10) + "\r\n\r\n"), 431},
	}
}

func TestParseRequestRefuses(t *testing.T) {
	lim := DefaultLimits()
	for _, c := range headRefusals() {
		var h RequestHead
		n, err := ParseRequest([]byte(c.raw), &lim, &h)
		var p *ProtocolError
		if !errors.As(err, &p) || p.Status != c.status || n != 0 {
			t.Errorf("%s: got %d, %v, want status %d", c.name, n, err, c.status)
		}
	}
}

// TestSmuggling sends each refused message with a request behind it, that a
// careless reader would serve, and one before it on the same connection.
func TestSmuggling(t *testing.T) {
	const before = "GET /before HTTP/1.1\r\nHost: a.example\r\n\r\n"
	const after = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
	rows := append(headRefusals(), bodyRefusals()...)
	if len(rows) < 100 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, &testServer{}, func(c *ServerConn, req *RequestHead) {
				for {
					if _, err := c.Body.Next(); err != nil {
						if c.Body.Done() {
							c.Respond(200, nil, nil)
						} else {
							refuseBody(c, err)
						}
						return
					}
				}
			})
			got := exchange(t, s, before+c.raw+after)
			if codes := statuses(t, got); len(codes) != 2 || codes[0] != 200 || codes[1] != c.status {
				t.Errorf("got %d, want 200 and %d and the end", codes, c.status)
			}
			if i := strings.LastIndex(got, "HTTP/1.1 "+strconv.Itoa(c.status)); !strings.Contains(got[max(i, 0):], "\r\nconnection: close\r\n") {
				t.Errorf("the refusal does not say that the connection ends: %q", got[i:])
			}
			for _, r := range s.requests() {
				if strings.Contains(r, "smuggled") {
					t.Errorf("served %q", r)
				}
			}
		})
	}
}
