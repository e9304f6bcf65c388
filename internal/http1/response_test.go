package http1

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseResponse(t *testing.T) {
	lim := DefaultLimits()
	for _, c := range []struct {
		name, method, raw string
		want              ResponseHead
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", Framing: Length, ContentLength: 5, Fields: fields("content-length", "5")}},
		{"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", Fields: fields("content-length", "0")}},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", Framing: Chunked, ContentLength: -1, Fields: fields("transfer-encoding", "chunked")}},
		{"until close", "GET", "HTTP/1.1 200 Very Well\r\n\r\n",
			ResponseHead{Status: 200, Reason: "Very Well", Framing: UntilClose, ContentLength: -1, Close: true}},
		{"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ResponseHead{Status: 200, Fields: fields("content-length", "0")}},
		{"no blank behind the status", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ResponseHead{Status: 200, Fields: fields("content-length", "0")}},
		{"HEAD with length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", ContentLength: 5, Fields: fields("content-length", "5")}},
		{"HEAD chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", ContentLength: -1, Fields: fields("transfer-encoding", "chunked")}},
		{"HEAD without either", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", ResponseHead{Status: 200, Reason: "OK", ContentLength: -1}},
		{"304 with length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 304, Reason: "Not Modified", ContentLength: 5, Fields: fields("content-length", "5")}},
		{"204", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
			ResponseHead{Status: 204, Reason: "No Content", Fields: fields("content-length", "0")}},
		{"204 that promises a body is the last", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
			ResponseHead{Status: 204, Reason: "No Content", ContentLength: -1, Close: true, Fields: fields("transfer-encoding", "chunked")}},
		{"100", "PUT", "HTTP/1.1 100 Continue\r\n\r\n", ResponseHead{Status: 100, Reason: "Continue", ContentLength: -1}},
		{"103", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
			ResponseHead{Status: 103, Reason: "Early Hints", ContentLength: -1, Fields: fields("link", "</a>")}},
		{"101", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
			ResponseHead{Status: 101, Reason: "Switching Protocols", ContentLength: -1, Upgrade: "websocket",
				Fields: fields("connection", "Upgrade", "upgrade", "websocket")}},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", HTTP10: true, Framing: Length, ContentLength: 5, Close: true, Fields: fields("content-length", "5")}},
		{"HTTP/1.0 kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", HTTP10: true, Framing: Length, ContentLength: 5,
				Fields: fields("connection", "keep-alive", "content-length", "5")}},
		{"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
			ResponseHead{Status: 200, Reason: "OK", Framing: Length, ContentLength: 5, Close: true,
				Fields: fields("connection", "close", "content-length", "5")}},
		{"tunnel", "CONNECT", "HTTP/1.1 200 OK\r\n\r\n", ResponseHead{Status: 200, Reason: "OK", ContentLength: -1}},
		{"no tunnel", "CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n",
			ResponseHead{Status: 403, Reason: "No", Framing: Length, ContentLength: 2, Fields: fields("content-length", "2")}},
	} {
		var got ResponseHead
		n, err := ParseResponse([]byte(c.raw+"rest"), &lim, c.method, &got)
		if err != nil || n != len(c.raw) || !sameResponse(&got, &c.want) {
			t.Errorf("%s: got %d, %+v, %v\nwant %d, %+v", c.name, n, got, err, len(c.raw), c.want)
		}
		for cut := range c.raw {
			if n, err := ParseResponse([]byte(c.raw[:cut]), &lim, c.method, &got); n != 0 || err != nil {
				t.Errorf("%s: the first %d bytes: got %d, %v, want 0, nil", c.name, cut, n, err)
			}
		}
	}
}

func sameResponse(a, b *ResponseHead) bool {
	return a.Status == b.Status && a.Reason == b.Reason && a.HTTP10 == b.HTTP10 && a.Framing == b.Framing &&
		a.ContentLength == b.ContentLength && a.Close == b.Close && a.Upgrade == b.Upgrade && slices.Equal(a.Fields, b.Fields)
}

func TestParseResponseRefuses(t *testing.T) {
	lim := DefaultLimits()
	for name, raw := range map[string]string{
		"not HTTP":               "SSH-2.0-OpenSSH_9.9\r\n\r\n",
		"HTTP/2":                 "HTTP/2.0 200 OK\r\n\r\n",
		"lower case version":     "http/1.1 200 OK\r\n\r\n",
		"two digits":             "HTTP/1.1 20 OK\r\n\r\n",
		"four digits":            "HTTP/1.1 2000 OK\r\n\r\n",
		"status 099":             "HTTP/1.1 099 OK\r\n\r\n",
		"status 600":             "HTTP/1.1 600 OK\r\n\r\n",
		"status of letters":      "HTTP/1.1 abc OK\r\n\r\n",
		"two blanks":             "HTTP/1.1  200 OK\r\n\r\n",
		"CR in the reason":       "HTTP/1.1 200 O\rK\r\n\r\n",
		"NUL in the reason":      "HTTP/1.1 200 O\x00K\r\n\r\n",
		"long status line":       "HTTP/1.1 200 " + strings.Repeat("a", 9<<10) + "\r\n\r\n",
		"empty line first":       "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"bare LF":                "HTTP/1.1 200 OK\n\n",
		"bare LF later":          "HTTP/1.1 200 OK\r\nX: y\n\r\n",
		"folded":                 "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
		"blank before the colon": "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
		"control character":      "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
		"both framings":          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"both framings of a 304": "HTTP/1.1 304 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"length list":            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
		"negative length":        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"bad length of a 204":    "HTTP/1.1 204 OK\r\nContent-Length: x\r\n\r\n",
		"gzip, chunked":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"identity":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
		"chunked HTTP/1.0":       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"101 header lines":       "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n",
		"endless Connection":     "HTTP/1.1 200 OK\r\nConnection: " + strings.Repeat("a", 1100) + "\r\n\r\n",
		"large head":             "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 61<<10) + "\r\n\r\n",
	} {
		var h ResponseHead
		n, err := ParseResponse([]byte(raw), &lim, "GET", &h)
		var p *ProtocolError
		if !errors.As(err, &p) || p.Status != 502 || n != 0 {
			t.Errorf("%s: got %d, %v, want a ProtocolError with 502", name, n, err)
		}
	}
}
