//go:build !race

package upstream

import (
	"context"
	"testing"
)

func TestConnPutDoesNotAllocate(t *testing.T) {
	m := newManager(t, Options{})
	e := endpointOf(t, m, backend("a", answering(t)))
	c := conn(t, e, Want{})
	get(t, c)
	e.Put(c)
	if n := testing.AllocsPerRun(100, func() { e.Put(conn(t, e, Want{Sure: true})) }); n != 0 {
		t.Errorf("Conn and Put: %v allocations, want 0", n)
	}
}

// A whole exchange allocates the memory of the response's head and nothing else.
func TestExchangeAllocatesOnce(t *testing.T) {
	m := newManager(t, Options{})
	b := backend("a", answering(t))
	m.Sync(planOf(b))
	ctx, head := context.Background(), getHead()
	if n := testing.AllocsPerRun(200, func() {
		cl := m.Cluster(b)
		cl.Acquire()
		e, _ := cl.Pick(ctx, 0, false, nil)
		e.Begin()
		c, err := e.Conn(ctx, Want{})
		if err != nil {
			t.Fatal(err)
		}
		c.Begin(head)
		c.End(nil)
		resp, err := c.ReadResponse(nil)
		if err != nil {
			t.Fatal(err)
		}
		status := resp.Status
		c.Body.Next()
		e.Put(c)
		e.Done(Result(status))
		cl.Release()
	}); n > 1 {
		t.Errorf("an exchange: %v allocations, want 1", n)
	}
}
