package http1

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
)

func BenchmarkParseRequest(b *testing.B) {
	raw, lim := benchRequest(), DefaultLimits()
	h := RequestHead{Fields: make(header.Fields, 0, 24)}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRequest(raw, &lim, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseResponse(b *testing.B) {
	raw, lim := benchResponse(), DefaultLimits()
	h := ResponseHead{Fields: make(header.Fields, 0, 24)}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseResponse(raw, &lim, "GET", &h); err != nil {
			b.Fatal(err)
		}
	}
}

func benchResponse() []byte {
	return []byte("HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 00:02:03 GMT\r\nContent-Type: application/json\r\n" +
		"Cache-Control: no-store\r\nX-Trace: 0123456789abcdef\r\nContent-Length: 1024\r\n\r\n")
}

func BenchmarkAppendRequestHead(b *testing.B) {
	lim := DefaultLimits()
	var h RequestHead
	ParseRequest(benchRequest(), &lim, &h)
	buf := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequestHead(buf, &h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendAddedLines is of lines that a proxy has added.
func BenchmarkAppendAddedLines(b *testing.B) {
	h := getHead()
	h.Fields = fields("x-request-id", "0123456789abcdef0123456789abcdef", "x-real-ip", "192.0.2.7", "x-forwarded-for", "192.0.2.7",
		"x-forwarded-host", "app.example.com", "x-forwarded-port", "443", "x-forwarded-proto", "https",
		"x-forwarded-scheme", "https", "x-scheme", "https", "x-envoy-attempt-count", "1", "x-envoy-external-address", "192.0.2.7")
	buf := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequestHead(buf, h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	lim := DefaultLimits()
	var h ResponseHead
	ParseResponse(benchResponse(), &lim, "GET", &h)
	buf := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendResponseHead(buf, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRemoveHopByHop(b *testing.B) {
	lim := DefaultLimits()
	var h RequestHead
	ParseRequest(benchRequest(), &lim, &h)
	b.ReportAllocs()
	for b.Loop() {
		f := h.Fields
		RemoveHopByHop(&f)
	}
}

func BenchmarkDeadlines(b *testing.B) {
	var d deadlines
	d.init(&fakeConn{})
	defer d.close()
	for b.Loop() {
		d.set(slotRead, TimeoutIdle, time.Minute)
		d.clear(slotRead)
	}
}

func BenchmarkChunkDecoder(b *testing.B) {
	lim := DefaultLimits()
	raw := AppendChunk(nil, []byte(strings.Repeat("a", 4096)))
	d := ChunkDecoder{Limits: &lim}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		d.Next(raw)
	}
}

// BenchmarkEcho is a whole exchange over loopback between our two drivers.
func BenchmarkEcho(b *testing.B) {
	limits := Timeouts{Idle: time.Minute, Header: time.Minute, FirstByte: time.Minute, Read: time.Minute, Write: time.Minute}
	for _, size := range []int{0, 1 << 10, 16 << 10, 256 << 10} {
		b.Run(map[int]string{0: "0", 1 << 10: "1K", 16 << 10: "16K", 256 << 10: "256K"}[size], func(b *testing.B) {
			body := make([]byte, size)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			s := &Server{Timeouts: limits}
			go func() {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				c := s.NewConn(nc)
				defer c.Close()
				for {
					if _, err := c.ReadRequest(); err != nil {
						return
					}
					c.Respond(200, nil, body)
				}
			}()
			nc, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			c := (&Client{Timeouts: limits}).NewConn(nc)
			defer c.Close()
			h := getHead()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.Begin(h)
				c.End(nil)
				if _, err := c.ReadResponse(nil); err != nil {
					b.Fatal(err)
				}
				for {
					if _, err := c.Body.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				c.Release()
			}
		})
	}
}
