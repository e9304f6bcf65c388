package proxy

import (
	"io"
	"net"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// lean is an upstream that costs little itself: every request gets the same 1 KiB.
func lean(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := &http1.Server{}
	body := make([]byte, 1<<10)
	fields := header.Fields{{Name: "content-type", Value: "text/plain"}}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				c := s.NewConn(nc)
				defer c.Close()
				for {
					if _, err := c.ReadRequest(); err != nil {
						return
					}
					if c.Respond(200, fields, body) != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// BenchmarkProxy is a keep-alive GET of 1 KiB through the proxy over loopback,
// with metrics. The allocations are those of the client and upstream too, which
// have one each for a head that they read.
func BenchmarkProxy(b *testing.B) {
	up := backend("up", lean(b))
	for _, layer := range []struct {
		name      string
		key       string
		listeners []*plan.Listener
	}{
		{"edge", plan.Edge, []*plan.Listener{edge(to(up))}},
		{"gateway", gatewayKey, []*plan.Listener{gateway(to(up))}},
	} {
		b.Run(layer.name, func(b *testing.B) {
			r := newRig(b, layer.key, nil, layer.listeners...)
			nc, err := net.Dial("tcp", r.addr)
			if err != nil {
				b.Fatal(err)
			}
			c := new(http1.Client).NewConn(nc)
			defer c.Close()
			h := &http1.RequestHead{Method: "GET", Target: "/path?q=1", Host: "shop.example", ContentLength: -1, Fields: header.Fields{
				{Name: "user-agent", Value: "bench"}, {Name: "accept", Value: "*/*"}, {Name: "cookie", Value: "a=b; c=d"},
			}}
			b.ReportAllocs()
			for b.Loop() {
				if err := exchange1(c, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// exchange1 sends h and reads the answer away.
func exchange1(c *http1.ClientConn, h *http1.RequestHead) error {
	if err := c.Begin(h); err != nil {
		return err
	}
	if err := c.End(nil); err != nil {
		return err
	}
	if _, err := c.ReadResponse(nil); err != nil {
		return err
	}
	for {
		if _, err := c.Body.Next(); err == io.EOF {
			c.Release()
			return nil
		} else if err != nil {
			return err
		}
	}
}
