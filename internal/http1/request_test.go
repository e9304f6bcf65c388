package http1

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

func TestParseRequest(t *testing.T) {
	lim := DefaultLimits()
	for _, c := range []struct {
		name, raw string
		want      RequestHead
	}{
		{"plain", "GET /a?b=c HTTP/1.1\r\nHost: A.example:80\r\nX-One:  v w \t\r\n\r\n",
			RequestHead{Method: "GET", Target: "/a?b=c", Host: "A.example:80", ContentLength: -1,
				Fields: fields("host", "A.example:80", "x-one", "v w")}},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1, Fields: fields("host", "a")}},
		{"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\r\n\r\n",
			RequestHead{Method: "POST", Target: "/", Host: "a", Framing: Length, ContentLength: 12,
				Fields: fields("host", "a", "content-length", "0012")}},
		{"length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
			RequestHead{Method: "POST", Target: "/", Host: "a", Fields: fields("host", "a", "content-length", "0")}},
		{"chunked, expectation, close", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\nConnection: x, CLOSE\r\n\r\n",
			RequestHead{Method: "POST", Target: "/", Host: "a", Framing: Chunked, ContentLength: -1, ExpectContinue: true, Close: true,
				Fields: fields("host", "a", "transfer-encoding", "Chunked", "expect", "100-Continue", "connection", "x, CLOSE")}},
		{"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1, Upgrade: "websocket",
				Fields: fields("host", "a", "connection", "keep-alive, Upgrade", "upgrade", "websocket")}},
		{"upgrade that Connection does not name", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1, Fields: fields("host", "a", "upgrade", "websocket")}},
		{"upgrade to h2c is not taken up", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: H2C\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1,
				Fields: fields("host", "a", "connection", "upgrade", "upgrade", "H2C")}},
		{"absolute", "GET HTTP://A.example/x?y HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n",
			RequestHead{Method: "GET", Target: "HTTP://A.example/x?y", Form: Absolute, Host: "A.example", ContentLength: -1,
				Fields: fields("host", "a.EXAMPLE")}},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
			RequestHead{Method: "OPTIONS", Target: "*", Form: Asterisk, Host: "a", ContentLength: -1, Fields: fields("host", "a")}},
		{"authority", "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:DB8::1]:443\r\n\r\n",
			RequestHead{Method: "CONNECT", Target: "[2001:db8::1]:443", Form: Authority, Host: "[2001:db8::1]:443", ContentLength: -1,
				Fields: fields("host", "[2001:DB8::1]:443")}},
		{"authority of another host", "CONNECT b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
			RequestHead{Method: "CONNECT", Target: "b.example:443", Form: Authority, Host: "b.example:443", ContentLength: -1,
				Fields: fields("host", "a.example")}},
		{"HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", HTTP10: true, Close: true, ContentLength: -1}},
		{"HTTP/1.0 kept, expectation and upgrade ignored", "POST / HTTP/1.0\r\nConnection: Keep-Alive, upgrade\r\nUpgrade: x\r\nExpect: y\r\nContent-Length: 1\r\n\r\n",
			RequestHead{Method: "POST", Target: "/", HTTP10: true, Framing: Length, ContentLength: 1,
				Fields: fields("connection", "Keep-Alive, upgrade", "upgrade", "x", "expect", "y", "content-length", "1")}},
		{"odd but valid", "M!#$%&'*+-.^_`|~9 /\"<>\\^`{|} HTTP/1.1\r\nHost: a_b-c.~\r\n!: \x80\xff\r\n\r\n",
			RequestHead{Method: "M!#$%&'*+-.^_`|~9", Target: "/\"<>\\^`{|}", Host: "a_b-c.~", ContentLength: -1,
				Fields: fields("host", "a_b-c.~", "!", "\x80\xff")}},
		{"a large token", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + strings.Repeat("j", 50<<10) + "\r\n\r\n",
			RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1,
				Fields: fields("host", "a", "authorization", "Bearer "+strings.Repeat("j", 50<<10))}},
	} {
		var got RequestHead
		n, err := ParseRequest([]byte(c.raw+"rest"), &lim, &got)
		if err != nil || n != len(c.raw) || !sameRequest(&got, &c.want) {
			t.Errorf("%s: got %d, %+v, %v\nwant %d, %+v", c.name, n, got, err, len(c.raw), c.want)
			continue
		}
		for cut := range min(len(c.raw), 500) {
			if n, err := ParseRequest([]byte(c.raw[:cut]), &lim, &got); n != 0 || err != nil {
				t.Errorf("%s: the first %d bytes: got %d, %v, want 0, nil", c.name, cut, n, err)
			}
		}
	}
}

func sameRequest(a, b *RequestHead) bool {
	x, y := *a, *b
	x.Fields, y.Fields = nil, nil
	return slices.Equal(a.Fields, b.Fields) && x.Method == y.Method && x.Target == y.Target && x.Form == y.Form &&
		x.Host == y.Host && x.HTTP10 == y.HTTP10 && x.Framing == y.Framing && x.ContentLength == y.ContentLength &&
		x.Close == y.Close && x.ExpectContinue == y.ExpectContinue && x.Upgrade == y.Upgrade
}

// TestParseRequestKeepsNothing shows that a head does not point into the
// connection's buffer, which is used again at once.
func TestParseRequestKeepsNothing(t *testing.T) {
	lim := DefaultLimits()
	raw := []byte("GET /path HTTP/1.1\r\nHost: a.example\r\nX-Name: value\r\n\r\n")
	var h RequestHead
	if _, err := ParseRequest(raw, &lim, &h); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] = '!'
	}
	if h.Method != "GET" || h.Target != "/path" || h.Host != "a.example" || h.Fields.Value("x-name") != "value" {
		t.Errorf("got %+v", h)
	}
}

func TestPathQuery(t *testing.T) {
	lim := DefaultLimits()
	for target, want := range map[string]string{
		"/a?b": "/a?b", "http://h": "/", "http://h?q=/": "/?q=/", "https://h/%2F//x?y": "/%2F//x?y",
	} {
		var h RequestHead
		if _, err := ParseRequest([]byte("GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n"), &lim, &h); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if got := h.PathQuery(); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

// TestValidText compares the eight-bytes-at-once check with the definition,
// for every byte at every place.
func TestValidText(t *testing.T) {
	for c := range 256 {
		b := byte(c)
		want := b >= ' ' && b != 0x7f || b == '\t'
		for at := range 45 {
			for _, around := range []byte{'a', 0x80, 0x20, 0xff} {
				s := slices.Repeat([]byte{around}, 45)
				s[at] = b
				if got := validText(s); got != want {
					t.Errorf("byte %#x at %d among %#x: got %v, want %v", b, at, around, got, want)
				}
			}
		}
	}
}

func TestParseAllocations(t *testing.T) {
	lim := DefaultLimits()
	req := benchRequest()
	h := RequestHead{Fields: make(header.Fields, 0, 24)}
	if n := testing.AllocsPerRun(100, func() { ParseRequest(req, &lim, &h) }); n != 1 {
		t.Errorf("ParseRequest allocates %v times, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { ParseRequest(req[:10], &lim, &h) }); n != 0 {
		t.Errorf("ParseRequest of an unfinished line allocates %v times, want 0", n)
	}
	resp := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n")
	r := ResponseHead{Fields: make(header.Fields, 0, 24)}
	if n := testing.AllocsPerRun(100, func() { ParseResponse(resp, &lim, "GET", &r) }); n != 1 {
		t.Errorf("ParseResponse allocates %v times, want 1", n)
	}
	ParseRequest(req, &lim, &h)
	buf := make([]byte, 0, 8<<10)
	if n := testing.AllocsPerRun(100, func() { AppendRequestHead(buf, &h); AppendResponseHead(buf, &r) }); n != 0 {
		t.Errorf("writing heads allocates %v times, want 0", n)
	}
	f := h.Fields.Clone()
	if n := testing.AllocsPerRun(100, func() { g := f; RemoveHopByHop(&g) }); n != 0 {
		t.Errorf("RemoveHopByHop allocates %v times, want 0", n)
	}
}

// benchRequest is a browser's request with a token of 817 bytes.
func benchRequest() []byte {
	return []byte("GET /app/api/items?page=2&size=50 HTTP/1.1\r\nHost: app.example.com\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: application/json, text/plain, */*\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
		"Authorization: Bearer " + strings.Repeat("eyJhbGci0", 90) + "\r\n\r\n")
}

// TestHeadProgress: a head that comes in single bytes is read once for each of
// its lines, and once more when it is too long.
func TestHeadProgress(t *testing.T) {
	lim := DefaultLimits()
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"three lines":      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3},
		"no line":          {strings.Repeat("a", lim.RequestLine), 0},
		"one long line":    {strings.Repeat("a", lim.RequestLine+4), 1},
		"line, long line":  {"\n" + strings.Repeat("a", lim.RequestLine+100), 1},
		"longer than both": {"\n" + strings.Repeat("a", lim.RequestLine+lim.HeaderBytes+7), 2},
	} {
		p, got := headProgress{limits: &lim}, 0
		for i := range c.raw {
			if p.worthParsing([]byte(c.raw[:i+1])) {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: parsed %d times, want %d", name, got, c.want)
		}
	}
}

// TestValidName: every byte is judged alike wherever it stands in a name.
func TestValidName(t *testing.T) {
	for c := range 256 {
		b := byte(c)
		want := lowerToken[b] == b && b != 0
		for length := 1; length <= 20; length++ {
			for at := range length {
				for _, among := range []byte("a-z0") {
					name := bytes.Repeat([]byte{among}, length)
					name[at] = b
					if got := ValidName(string(name)); got != want {
						t.Fatalf("%q: got %v, want %v", name, got, want)
					}
				}
			}
		}
	}
	if ValidName("") {
		t.Error("no name is valid")
	}
}
