package upstream

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// clock is a clock that only the test moves.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// newManager returns a Manager that is closed, and found without connections,
// when the test ends.
func newManager(t testing.TB, o Options) *Manager {
	m := New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Errorf("connections are left open at the end: %v", err)
		}
	})
	return m
}

// planOf returns a plan with these backends.
func planOf(backends ...*plan.Backend) *plan.Plan {
	var b plan.Builder
	h := &plan.Host{}
	for _, be := range backends {
		h.Routes = append(h.Routes, &plan.Route{Action: &plan.Forward{To: []plan.Destination{{Backend: be, Weight: 1}}}})
	}
	b.Add(&plan.Listener{Key: "edge", Chains: []*plan.Chain{{Hosts: []*plan.Host{h}}}})
	return b.Build()
}

// backend returns a backend with these endpoints.
func backend(key string, addresses ...string) *plan.Backend {
	b := &plan.Backend{Key: key}
	for _, a := range addresses {
		b.Endpoints = append(b.Endpoints, plan.Endpoint{Address: a, Weight: 1})
	}
	return b
}

// endpointOf syncs a plan with b alone and returns its first endpoint.
func endpointOf(t testing.TB, m *Manager, b *plan.Backend) *Endpoint {
	t.Helper()
	m.Sync(planOf(b))
	return pick(t, m.Cluster(b))
}

func pick(t testing.TB, c *Cluster, tried ...*Endpoint) *Endpoint {
	t.Helper()
	e, err := c.Pick(context.Background(), 0, false, tried)
	if err != nil {
		t.Fatalf("Pick: %v", err)
	}
	return e
}

func conn(t testing.TB, e *Endpoint, w Want) *Conn {
	t.Helper()
	c, err := e.Conn(context.Background(), w)
	if err != nil {
		t.Fatalf("Conn: %v", err)
	}
	return c
}

// answering listens and answers every request with 200 and an empty body.
func answering(t testing.TB) string {
	return serve(t, func(nc net.Conn) { answer(nc, "") })
}

// answer answers every request on nc, each of which comes in one piece.
func answer(nc net.Conn, with string) {
	if with == "" {
		with = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	}
	buf, all := make([]byte, 4096), []byte(with)
	for {
		if n, err := nc.Read(buf); err != nil || n == 0 {
			return
		}
		if _, err := nc.Write(all); err != nil {
			return
		}
	}
}

// serve listens and runs f for each connection, which is closed afterwards.
func serve(t testing.TB, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				f(nc)
			}()
		}
	}()
	return l.Addr().String()
}

// get does an exchange on c, up to the end of the response's body.
func get(t testing.TB, c *Conn) {
	t.Helper()
	if err := tryGet(c); err != nil {
		t.Fatalf("exchange: %v", err)
	}
}

func tryGet(c *Conn) error {
	if err := c.Begin(getHead()); err != nil {
		return err
	}
	if err := c.End(nil); err != nil {
		return err
	}
	if _, err := c.ReadResponse(nil); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, &c.Body)
	return err
}

// pipes makes connections in memory to an upstream that answers every request,
// so that tests can run in a bubble of testing/synctest.
type pipes struct {
	made   atomic.Int64
	refuse atomic.Bool
	hold   chan struct{} // where set, making one takes until it is closed
	answer string        // "" is 200 with an empty body
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if p.refuse.Load() {
		return nil, syscall.ECONNREFUSED
	}
	p.made.Add(1)
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		answer(far, p.answer)
	}()
	return near, nil
}

func getHead() *http1.RequestHead {
	return &http1.RequestHead{Method: "GET", Target: "/", Host: "app", Framing: http1.NoBody, ContentLength: -1}
}
