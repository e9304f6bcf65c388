package upstream

import (
	"testing"
)

func TestConnIsUsedAgain(t *testing.T) {
	m := newManager(t, Options{})
	e := endpointOf(t, m, backend("a", answering(t)))
	first, second := conn(t, e, Want{}), conn(t, e, Want{})
	if first.Reused || second.Reused {
		t.Error("a connection just made claims to have been used")
	}
	get(t, first)
	get(t, second)
	e.Put(first)
	e.Put(second)
	for _, w := range []Want{{}, {Sure: true}} {
		c := conn(t, e, w)
		if c != second || !c.Reused {
			t.Errorf("Conn(%+v): got Reused %t, want the connection last given back", w, c.Reused)
		}
		get(t, c)
		e.Put(c)
	}
	fresh := conn(t, e, Want{New: true})
	if fresh == first || fresh == second || fresh.Reused {
		t.Error("Conn(New): got a connection that was used before")
	}
	fresh.Close()
}

func BenchmarkConnPut(b *testing.B) {
	m := newManager(b, Options{})
	e := endpointOf(b, m, backend("a", answering(b)))
	c := conn(b, e, Want{})
	get(b, c)
	e.Put(c)
	b.ReportAllocs()
	for b.Loop() {
		e.Put(conn(b, e, Want{}))
	}
}

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
