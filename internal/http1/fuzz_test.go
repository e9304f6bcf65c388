package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

// endToEnd returns the fields that a writer takes from Fields.
func endToEnd(f header.Fields) (kept header.Fields) {
	for _, x := range f {
		if !engineOwned(x.Name) {
			kept = append(kept, x)
		}
	}
	return kept
}

func FuzzParseRequest(f *testing.F) {
	for _, r := range headRefusals() {
		f.Add([]byte(r.raw), 3)
	}
	for _, r := range bodyRefusals()[:3] {
		f.Add([]byte(r.raw), 1)
	}
	f.Add([]byte("\r\nPUT http://a.example/x?y HTTP/1.1\r\nHost: A.example\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"), 7)
	f.Add([]byte("GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"), 1000)
	f.Add([]byte("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nConnection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n"), 2)
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\nUpgrade:\r\n\r\n"), 5)
	lim := DefaultLimits()
	lim.RequestLine, lim.HeaderBytes, lim.HeaderCount = 300, 700, 12 // so that the limits are met
	f.Fuzz(func(t *testing.T, raw []byte, piece int) {
		var whole, inPieces RequestHead
		n, err := ParseRequest(raw, &lim, &whole)
		n2, err2 := parseInPieces(raw, piece, func(b []byte) (int, error) { return ParseRequest(b, &lim, &inPieces) })
		if n != n2 || err != err2 {
			t.Fatalf("%q: whole %d, %v; in pieces of %d: %d, %v", raw, n, err, piece, n2, err2)
		}
		if n == 0 {
			return
		}
		if !sameRequest(&whole, &inPieces) {
			t.Fatalf("%q: whole %+v; in pieces %+v", raw, whole, inPieces)
		}
		requestRoundTrip(t, &whole)
		compareWithNetHTTP(t, raw, &whole)
	})
}

// parseInPieces feeds raw in growing prefixes, as a connection would.
func parseInPieces(raw []byte, piece int, parse func([]byte) (int, error)) (n int, err error) {
	piece = max(piece, -piece)%64 + 1
	for end := 0; end < len(raw) && n == 0 && err == nil; {
		end = min(end+piece, len(raw))
		n, err = parse(raw[:end:end])
	}
	return n, err
}

// requestRoundTrip shows that what was read is written, and read again equal.
func requestRoundTrip(t *testing.T, h *RequestHead) {
	out, err := AppendRequestHead(nil, h)
	if h.HTTP10 && h.Host == "" && err != nil {
		t.Fatalf("%+v: %v", h, err)
	}
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", h, err)
	}
	plainly := *h
	plainly.Lines = Lines{}
	if want, err := AppendRequestHead(nil, &plainly); string(out) != string(want) || err != nil {
		t.Fatalf("%+v is written as %q; judged anew as %q, %v", h, out, want, err)
	}
	lim := DefaultLimits()
	var again RequestHead
	n, err := ParseRequest(out, &lim, &again)
	if err != nil || n != len(out) {
		t.Fatalf("%+v is written as %q: read again %d, %v", h, out, n, err)
	}
	a, b := *h, again
	a.Fields, b.Fields = endToEnd(a.Fields), endToEnd(b.Fields)
	if !sameRequest(&a, &b) {
		t.Fatalf("%+v is written as %q and read as %+v", h, out, again)
	}
}

// compareWithNetHTTP shows that net/http reads what we accept in the same way.
func compareWithNetHTTP(t *testing.T, raw []byte, h *RequestHead) {
	if h.Form == Authority || h.Target[0] == '/' && strings.ContainsAny(h.Target, "%") || h.Form == Absolute {
		return // net/http parses the URL too and may find fault with it
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, crlf))))
	if err != nil {
		if h.HTTP10 || h.Method == "PRI" {
			return
		}
		t.Fatalf("%q: we accept, net/http says %v", raw, err)
	}
	chunked := slices.Equal(req.TransferEncoding, []string{"chunked"})
	length := int64(0)
	if h.Framing == Length {
		length = h.ContentLength
	}
	if req.Method != h.Method || req.RequestURI != h.Target || req.Host != h.Host || chunked != (h.Framing == Chunked) ||
		!chunked && req.ContentLength != length || req.ProtoMinor == 0 != h.HTTP10 {
		t.Fatalf("%q: we read %+v, net/http %+v", raw, h, req)
	}
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"), "GET", 3)
	f.Add([]byte("HTTP/1.0 404 \r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"), "HEAD", 1)
	f.Add([]byte("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "GET", 9)
	f.Add([]byte("HTTP/1.1 204\r\nTransfer-Encoding: chunked\r\n\r\n"), "GET", 2)
	f.Add([]byte("HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"), "CONNECT", 2)
	lim := DefaultLimits()
	lim.RequestLine, lim.HeaderBytes, lim.HeaderCount = 300, 700, 12
	f.Fuzz(func(t *testing.T, raw []byte, method string, piece int) {
		var h, inPieces, again ResponseHead
		n, err := ParseResponse(raw, &lim, method, &h)
		n2, err2 := parseInPieces(raw, piece, func(b []byte) (int, error) { return ParseResponse(b, &lim, method, &inPieces) })
		if n != n2 || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("%q: whole %d, %v; in pieces of %d: %d, %v", raw, n, err, piece, n2, err2)
		}
		if n == 0 {
			return
		}
		if !sameResponse(&h, &inPieces) {
			t.Fatalf("%q: whole %+v; in pieces %+v", raw, h, inPieces)
		}
		out, err := AppendResponseHead(nil, &h)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", h, err)
		}
		lim := DefaultLimits()
		if n, err = ParseResponse(out, &lim, method, &again); err != nil || n != len(out) {
			t.Fatalf("%+v is written as %q: read again %d, %v", h, out, n, err)
		}
		if again.Status != h.Status || again.Framing != h.Framing || !slices.Equal(endToEnd(again.Fields), endToEnd(h.Fields)) ||
			h.Framing == Length && again.ContentLength != h.ContentLength {
			t.Fatalf("%+v is written as %q and read as %+v", h, out, again)
		}
	})
}

func FuzzChunked(f *testing.F) {
	for _, r := range bodyRefusals() {
		_, body, _ := strings.Cut(r.raw, "\r\n\r\n")
		f.Add(body, 3)
	}
	f.Add("5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, raw string, piece int) {
		piece = max(piece, -piece)%64 + 1
		d, data, used, done, err := decodeChunked(raw, len(raw)+1)
		_, data2, used2, done2, err2 := decodeChunked(raw, piece)
		if data != data2 || done != done2 || err != err2 || done && used != used2 {
			t.Fatalf("%q: whole %q, %d, %v, %v; in pieces of %d: %q, %d, %v, %v", raw, data, used, done, err, piece, data2, used2, done2, err2)
		}
		if !done {
			return
		}
		out := AppendChunk(nil, []byte(data))
		out, err = AppendLastChunk(out, d.Trailers)
		if err != nil {
			t.Fatalf("%q: trailers %q cannot be written: %v", raw, d.Trailers, err)
		}
		again, data3, used3, done3, err := decodeChunked(string(out), piece)
		if data3 != data || used3 != len(out) || !done3 || err != nil || !slices.Equal(again.Trailers, d.Trailers) {
			t.Fatalf("%q is written as %q and read as %q, %v", raw, out, data3, err)
		}
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(chunks(raw))))
		if err != nil {
			t.Fatal(err)
		}
		if std, err := io.ReadAll(req.Body); err == nil && string(std) != data {
			t.Fatalf("%q: we read %q, net/http %q", raw, data, std)
		}
	})
}
