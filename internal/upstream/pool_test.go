package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// pooled returns an endpoint with these bounds whose connections are pipes.
func pooled(t *testing.T, p *pipes, bounds plan.Pool) *Endpoint {
	b := backend("a", "10.0.0.1:80")
	b.Pool = bounds
	return endpointOf(t, newManager(t, Options{Dial: p.dial, Idle: 2}), b)
}

// asked is the answer of a Conn in another goroutine.
type asked struct {
	c   *Conn
	err error
}

func ask(ctx context.Context, e *Endpoint, w Want) <-chan asked {
	ch := make(chan asked, 1)
	go func() {
		c, err := e.Conn(ctx, w)
		ch <- asked{c, err}
	}()
	return ch
}

// waiting checks that nothing has come of a Conn.
func waiting(t *testing.T, ch <-chan asked) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-ch:
		t.Fatalf("Conn returned (%v), want it to wait", got.err)
	default:
	}
}

// answered checks that there is an answer without more ado.
func answered(t *testing.T, ch <-chan asked) asked {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-ch:
		return got
	default:
		t.Fatal("Conn still waits")
		return asked{}
	}
}

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

func TestSureFindsDeadConnections(t *testing.T) {
	for name, sure := range map[string]bool{"sure": true, "not sure": false} {
		t.Run(name, func(t *testing.T) {
			closing := serve(t, func(nc net.Conn) {
				buf := make([]byte, 4096)
				nc.Read(buf)
				io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			})
			e := endpointOf(t, newManager(t, Options{}), backend("a", closing))
			dead := conn(t, e, Want{})
			get(t, dead)
			e.Put(dead)
			for dead.Alive() {
				runtime.Gosched() // the close is on its way
			}
			c := conn(t, e, Want{Sure: sure})
			defer c.Close()
			if sure == (c == dead) {
				t.Errorf("got the dead connection: %t, want %t", c == dead, !sure)
			}
		})
	}
}

func TestPutKeepsOnlyWhatCanBeUsedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		pool   plan.Pool
		use    func(t *testing.T, e *Endpoint, c *Conn)
		want   int64 // idle afterwards
	}{
		"whole exchange":    {use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c) }, want: 1},
		"no exchange":       {use: func(t *testing.T, e *Endpoint, c *Conn) {}},
		"response unread":   {answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", use: func(t *testing.T, e *Endpoint, c *Conn) { c.Begin(getHead()); c.End(nil); c.ReadResponse(nil) }},
		"connection: close": {answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c) }},
		"bytes too many":    {answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c) }},
		"one request each":  {pool: plan.Pool{PerConnection: 1}, use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c) }},
		"too old": {pool: plan.Pool{MaxConnectionAge: time.Minute}, use: func(t *testing.T, e *Endpoint, c *Conn) {
			get(t, c)
			time.Sleep(time.Minute)
		}},
		"no plan names it": {use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c); e.cluster.m.Sync(planOf()) }},
		"hijacked":         {use: func(t *testing.T, e *Endpoint, c *Conn) { get(t, c); c.Hijack().Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := pooled(t, &pipes{answer: test.answer}, test.pool)
				c := conn(t, e, Want{})
				test.use(t, e, c)
				e.Put(c)
				s := e.stats(0)
				if s.Idle != test.want || s.Connections != test.want {
					t.Errorf("idle %d, open %d, want %d", s.Idle, s.Connections, test.want)
				}
				// What was given back once is not counted out twice.
				e.Put(c)
				c.Close()
				if s := e.stats(0); s.Idle != test.want || s.Connections != test.want {
					t.Errorf("given back twice: idle %d, open %d, want %d", s.Idle, s.Connections, test.want)
				}
			})
		})
	}
}

func TestPerConnectionBoundsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		e := pooled(t, p, plan.Pool{PerConnection: 3})
		for range 7 {
			c := conn(t, e, Want{})
			get(t, c)
			e.Put(c)
		}
		if got := p.made.Load(); got != 3 {
			t.Errorf("7 requests took %d connections of 3 requests, want 3", got)
		}
	})
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pooled(t, &pipes{}, plan.Pool{}) // Options.Idle is 2
		var all []*Conn
		for range 4 {
			all = append(all, conn(t, e, Want{}))
		}
		for _, c := range all {
			get(t, c)
			e.Put(c)
		}
		if s := e.stats(0); s.Idle != 2 || s.Connections != 2 {
			t.Errorf("idle %d, open %d, want 2", s.Idle, s.Connections)
		}
	})
}

func TestIdleConnectionsExpire(t *testing.T) {
	for name, test := range map[string]struct {
		pool  plan.Pool
		after time.Duration
	}{
		"default":        {plan.Pool{}, time.Minute},
		"idleTimeout":    {plan.Pool{IdleTimeout: 10 * time.Second}, 10 * time.Second},
		"max connection": {plan.Pool{MaxConnectionAge: 20 * time.Second}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := pooled(t, &pipes{}, test.pool)
				c := conn(t, e, Want{})
				get(t, c)
				e.Put(c)
				time.Sleep(test.after - time.Millisecond)
				if s := e.stats(0); s.Idle != 1 {
					t.Errorf("before its time: idle %d, want 1", s.Idle)
				}
				time.Sleep(2*time.Second + time.Millisecond) // it is looked for once a second
				synctest.Wait()
				if s := e.stats(0); s.Idle != 0 || s.Connections != 0 {
					t.Errorf("after its time: idle %d, open %d, want 0", s.Idle, s.Connections)
				}
			})
		})
	}
}

func TestMaxConnectionsMakesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		e := pooled(t, p, plan.Pool{MaxConnections: 2})
		a, b := conn(t, e, Want{}), conn(t, e, Want{})
		get(t, a)
		first := ask(t.Context(), e, Want{})
		waiting(t, first)
		second := ask(t.Context(), e, Want{})
		waiting(t, second)
		if got := e.cluster.stats(0).Pending; got != 2 {
			t.Errorf("pending: got %d, want 2", got)
		}
		e.Put(a)
		got := answered(t, first)
		if got.c != a || !got.c.Reused {
			t.Fatalf("the first in the queue got %v, %v, want the connection given back", got.c, got.err)
		}
		waiting(t, second)
		b.Close()
		fresh := answered(t, second)
		if fresh.err != nil || fresh.c.Reused {
			t.Fatalf("the second got %v, %v, want a new connection in place of the one that ended", fresh.c, fresh.err)
		}
		if made := p.made.Load(); made != 3 {
			t.Errorf("%d connections made, want 3", made)
		}
		got.c.Close()
		fresh.c.Close()
		if s := e.cluster.stats(0); s.Pending != 0 || s.Connections != 0 {
			t.Errorf("at the end: pending %d, connections %d, want 0", s.Pending, s.Connections)
		}
	})
}

func TestMaxPendingOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pooled(t, &pipes{}, plan.Pool{MaxConnections: 1, MaxPending: 1})
		c := conn(t, e, Want{})
		ctx, cancel := context.WithCancel(t.Context())
		queued := ask(ctx, e, Want{})
		waiting(t, queued)
		if _, err := e.Conn(t.Context(), Want{}); err != ErrOverflow {
			t.Errorf("Conn beyond http1MaxPendingRequests: got %v, want ErrOverflow", err)
		}
		if got := e.cluster.stats(0).Overflows; got != 1 {
			t.Errorf("overflows: got %d, want 1", got)
		}
		cancel()
		if got := answered(t, queued); !errors.Is(got.err, context.Canceled) {
			t.Errorf("waiting with a context that ends: got %v, want its error", got.err)
		}
		again := ask(t.Context(), e, Want{}) // there is room in the queue again
		waiting(t, again)
		c.Close()
		answered(t, again).c.Close()
	})
}

// Envoy counts a request that waits for its own connection as pending, too.
func TestMaxPendingCountsConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{hold: make(chan struct{})}
		e := pooled(t, p, plan.Pool{MaxPending: 1})
		first := ask(t.Context(), e, Want{})
		waiting(t, first)
		if _, err := e.Conn(t.Context(), Want{}); err != ErrOverflow {
			t.Errorf("a second request while the first connects: got %v, want ErrOverflow", err)
		}
		close(p.hold)
		answered(t, first).c.Close()
	})
}

func TestWaitersShareAFailureToConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{hold: make(chan struct{})}
		e := pooled(t, p, plan.Pool{MaxConnections: 1})
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(ctx, e, Want{})
		waiting(t, gone)
		first := ask(t.Context(), e, Want{})
		waiting(t, first)
		second := ask(t.Context(), e, Want{})
		waiting(t, second)
		cancel() // the one that connects gives up: that says nothing of the upstream
		var dial *DialError
		if got := answered(t, gone); !errors.As(got.err, &dial) || dial.Reason != Canceled {
			t.Errorf("canceled: got %v, want a DialError that says so", got.err)
		}
		waiting(t, first)
		waiting(t, second)
		p.refuse.Store(true)
		close(p.hold)
		for _, ch := range []<-chan asked{first, second} {
			if got := answered(t, ch); !errors.As(got.err, &dial) || dial.Reason != Refused {
				t.Errorf("refused: got %v, want a DialError that says so", got.err)
			}
		}
		if s := e.stats(0); s.ConnectErrors != 1 || s.Connections != 0 {
			t.Errorf("connect errors %d, connections %d, want 1 and 0", s.ConnectErrors, s.Connections)
		}
	})
}

func TestNewTakesTheRoomOfAnIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		e := pooled(t, p, plan.Pool{MaxConnections: 1})
		idle := conn(t, e, Want{})
		get(t, idle)
		e.Put(idle)
		fresh := conn(t, e, Want{New: true})
		if fresh == idle || fresh.Reused {
			t.Error("Conn(New): got a connection that was used before")
		}
		get(t, fresh)
		another := ask(t.Context(), e, Want{New: true})
		waiting(t, another)
		e.Put(fresh)
		got := answered(t, another)
		if got.err != nil || got.c.Reused {
			t.Fatalf("Conn(New) in the queue: got %v, %v, want a new connection", got.c, got.err)
		}
		got.c.Close()
		if made := p.made.Load(); made != 3 {
			t.Errorf("%d connections made, want 3", made)
		}
	})
}

// The bound is the cluster's, but each endpoint may have one connection.
func TestMaxConnectionsIsTheClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend("a", "10.0.0.1:80", "10.0.0.2:80")
		b.Balance, b.Pool.MaxConnections = plan.RoundRobin, 1
		m := newManager(t, Options{Dial: (&pipes{}).dial})
		one := endpointOf(t, m, b)
		two := pick(t, one.cluster)
		a, c := conn(t, one, Want{}), conn(t, two, Want{})
		queued := ask(t.Context(), two, Want{})
		waiting(t, queued)
		a.Close() // frees no room: the other has its one still
		waiting(t, queued)
		wider := *b
		wider.Pool.MaxConnections = 2
		m.Sync(planOf(&wider)) // a wider bound lets in who waits
		got := answered(t, queued)
		if got.err != nil {
			t.Fatal(got.err)
		}
		got.c.Close()
		c.Close()
	})
}

// Whatever is canceled at whatever moment, nothing is lost: at the end no
// connection is counted and everybody has been served.
func TestWaitersAndCancellations(t *testing.T) {
	b := backend("a", answering(t))
	b.Pool.MaxConnections = 3
	m := newManager(t, Options{})
	e := endpointOf(t, m, b)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+n)%3 == 0 {
					go cancel()
				}
				c, err := e.Conn(ctx, Want{New: n%7 == 0, Sure: n%5 == 0})
				if err == nil {
					if open := e.cluster.conns.n.Load(); open > 3 {
						t.Errorf("%d connections, want at most 3", open)
					}
					if err := tryGet(c); err != nil {
						t.Errorf("exchange: %v", err)
					}
					if n%4 == 0 {
						c.Close()
					} else {
						e.Put(c)
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
	m.Sync(planOf())
	if s := e.cluster.stats(0); s.Connections != 0 || s.Pending != 0 {
		t.Errorf("at the end: connections %d, pending %d, want 0", s.Connections, s.Pending)
	}
}

func TestBreakersCount(t *testing.T) {
	b := backend("a", "10.0.0.1:80")
	b.Pool = plan.Pool{MaxRequests: 2, MaxRetries: 1}
	c := endpointOf(t, newManager(t, Options{}), b).Cluster()
	for name, test := range map[string]struct {
		limit   int
		acquire func() error
		release func()
	}{
		"requests": {2, c.Acquire, c.Release},
		"retries":  {1, c.AcquireRetry, c.ReleaseRetry},
	} {
		for i := range test.limit {
			if err := test.acquire(); err != nil {
				t.Errorf("%s: number %d: %v", name, i, err)
			}
		}
		if err := test.acquire(); err != ErrOverflow {
			t.Errorf("%s: one too many: got %v, want ErrOverflow", name, err)
		}
		test.release()
		if err := test.acquire(); err != nil {
			t.Errorf("%s: after one has ended: %v", name, err)
		}
		for range test.limit {
			test.release()
		}
	}
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
