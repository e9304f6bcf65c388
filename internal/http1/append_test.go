package http1

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

// TestAppendRefuses shows that no rule that edits a message can split it.
func TestAppendRefuses(t *testing.T) {
	ok := RequestHead{Method: "GET", Target: "/", Host: "a", ContentLength: -1}
	for _, c := range []struct {
		name string
		edit func(*RequestHead)
		want string
	}{
		{"CR LF in a value", func(h *RequestHead) { h.Fields = fields("x", "a\r\nevil: b") }, "x"},
		{"LF in a value", func(h *RequestHead) { h.Fields = fields("x", "a\nb") }, "x"},
		{"CR in a value", func(h *RequestHead) { h.Fields = fields("x", "a\rb") }, "x"},
		{"NUL in a value", func(h *RequestHead) { h.Fields = fields("x", "a\x00b") }, "x"},
		{"blank around a value", func(h *RequestHead) { h.Fields = fields("x", " a") }, "x"},
		{"colon in a name", func(h *RequestHead) { h.Fields = fields("x: y\r\nz", "a") }, "x: y\r\nz"},
		{"NUL as a name", func(h *RequestHead) { h.Fields = fields("\x00", "a") }, "\x00"},
		{"no name", func(h *RequestHead) { h.Fields = fields("", "a") }, ""},
		{"upper case name", func(h *RequestHead) { h.Fields = fields("Host", "evil") }, "Host"},
		{"method", func(h *RequestHead) { h.Method = "GET / HTTP/1.1\r\nx:" }, "method"},
		{"target with blank", func(h *RequestHead) { h.Target = "/ HTTP/1.1\r\nx:" }, "target"},
		{"no target", func(h *RequestHead) { h.Target = "" }, "target"},
		{"host", func(h *RequestHead) { h.Host = "a\r\nx: y" }, "host"},
		{"no host", func(h *RequestHead) { h.Host = "" }, "host"},
		{"upgrade", func(h *RequestHead) { h.Upgrade = "a\r\nb" }, "upgrade"},
		{"length without a number", func(h *RequestHead) { h.Framing = Length }, "content-length"},
		{"request until close", func(h *RequestHead) { h.Framing = UntilClose }, "transfer-encoding"},
		{"chunked HTTP/1.0", func(h *RequestHead) { h.Framing, h.HTTP10 = Chunked, true }, "transfer-encoding"},
	} {
		h := ok
		c.edit(&h)
		got, err := AppendRequestHead([]byte("before"), &h)
		var f *FieldError
		if !errors.As(err, &f) || f.Name != c.want || string(got) != "before" {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
	for _, h := range []ResponseHead{
		{Status: 200, Reason: "a\r\nb"}, {Status: 99}, {Status: 600}, {Status: 200, Fields: fields("x", "a\nb")},
		{Status: 101, Upgrade: "a\nb"}, {Status: 200, Framing: Length, ContentLength: -1},
	} {
		var f *FieldError
		if got, err := AppendResponseHead(nil, &h); !errors.As(err, &f) || len(got) != 0 {
			t.Errorf("%+v: got %q, %v", h, got, err)
		}
	}
	for _, f := range []header.Fields{fields("x", "a\nb"), fields("content-length", "5"), fields("x\n", "a"), fields("host", "b")} {
		if got, err := AppendLastChunk(nil, f); err == nil || len(got) != 0 {
			t.Errorf("trailers %q: got %q, %v", f, got, err)
		}
	}
}

// TestAppendOwnsFraming shows that the lines that frame a message come from
// its typed members, whatever its fields say.
func TestAppendOwnsFraming(t *testing.T) {
	evil := fields("host", "evil", "content-length", "99", "transfer-encoding", "chunked", "connection", "close",
		"keep-alive", "x", "proxy-connection", "x", "upgrade", "h2c", "expect", "100-continue", "x", "y")
	req := func(h RequestHead) string {
		h.Method, h.Target, h.Host, h.Fields = "PUT", "/", "a", evil
		b, err := AppendRequestHead(nil, &h)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	resp := func(h ResponseHead) string {
		h.Fields = evil
		b, err := AppendResponseHead(nil, &h)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	const put = "PUT / HTTP/1.1\r\nhost: a\r\nx: y\r\n"
	for _, c := range []struct{ name, got, want string }{
		{"no body", req(RequestHead{ContentLength: -1}), put + "\r\n"},
		{"empty body", req(RequestHead{}), put + "content-length: 0\r\n\r\n"},
		{"length", req(RequestHead{Framing: Length, ContentLength: 5, ExpectContinue: true}),
			put + "expect: 100-continue\r\ncontent-length: 5\r\n\r\n"},
		{"chunked", req(RequestHead{Framing: Chunked, ContentLength: 7, Close: true}),
			put + "transfer-encoding: chunked\r\nconnection: close\r\n\r\n"},
		{"upgrade", req(RequestHead{ContentLength: -1, Upgrade: "websocket"}), put + "connection: upgrade\r\nupgrade: websocket\r\n\r\n"},
		{"HTTP/1.0", req(RequestHead{ContentLength: -1, HTTP10: true}), "PUT / HTTP/1.0\r\nhost: a\r\nx: y\r\nconnection: keep-alive\r\n\r\n"},
		{"response", resp(ResponseHead{Status: 200, Framing: Length, ContentLength: 5}), "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\n"},
		{"own reason", resp(ResponseHead{Status: 299, Reason: "Fine"}), "HTTP/1.1 299 Fine\r\nx: y\r\ncontent-length: 0\r\n\r\n"},
		{"204 says no length", resp(ResponseHead{Status: 204, Framing: Length, ContentLength: 5}), "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"},
		{"304 says one", resp(ResponseHead{Status: 304, ContentLength: 5}), "HTTP/1.1 304 Not Modified\r\nx: y\r\ncontent-length: 5\r\n\r\n"},
		{"101", resp(ResponseHead{Status: 101, ContentLength: 5, Upgrade: "websocket", Close: true}),
			"HTTP/1.1 101 Switching Protocols\r\nx: y\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"},
		{"until close", resp(ResponseHead{Status: 200, Framing: UntilClose, ContentLength: -1, HTTP10: true}), "HTTP/1.0 200 OK\r\nx: y\r\n\r\n"},
		{"until close in 1.1", resp(ResponseHead{Status: 200, Framing: UntilClose, ContentLength: -1}),
			"HTTP/1.1 200 OK\r\nx: y\r\nconnection: close\r\n\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q\nwant %q", c.name, c.got, c.want)
		}
	}
}

func TestRemoveHopByHop(t *testing.T) {
	for _, c := range []struct {
		name      string
		have, got header.Fields
	}{
		{"nothing to do", fields("host", "a", "x", "1"), fields("host", "a", "x", "1")},
		{"the usual", fields("connection", "keep-alive", "x", "1", "keep-alive", "5", "te", "gzip", "upgrade", "h2c", "y", "2",
			"transfer-encoding", "chunked", "proxy-connection", "a"), fields("x", "1", "y", "2")},
		{"named, in any order", fields("x", "1", "a", "1", "connection", "close, X , b", "y", "2", "b", "3", "x", "4"), fields("a", "1", "y", "2")},
		{"named in a second line", fields("connection", "close", "x", "1", "connection", "x"), header.Fields{}},
		{"te: trailers", fields("te", "Trailers", "connection", "te"), fields("te", "Trailers")},
		{"what cannot be named away", fields("connection", "host, content-length, authorization, cookie", "host", "a", "cookie", "b",
			"authorization", "c", "content-length", "4"), fields("host", "a", "cookie", "b", "authorization", "c", "content-length", "4")},
	} {
		got := c.have.Clone()
		RemoveHopByHop(&got)
		if !slices.Equal(got, c.got) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.got)
		}
	}
}

func TestReason(t *testing.T) {
	for status, want := range map[int]string{200: "OK", 404: "Not Found", 418: "Client Error", 599: "Server Error", 199: "Informational", 999: "Server Error", 0: "Informational"} {
		if got := Reason(status); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}

func TestAppendChunk(t *testing.T) {
	b := AppendChunk([]byte("head"), []byte(strings.Repeat("a", 17)))
	b = AppendChunk(b, nil)
	b, err := AppendLastChunk(b, fields("x", "1"))
	if want := "head11\r\n" + strings.Repeat("a", 17) + "\r\n0\r\nx: 1\r\n\r\n"; string(b) != want || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}
