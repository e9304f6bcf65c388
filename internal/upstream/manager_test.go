package upstream

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// rest does an exchange with the cluster's first endpoint and leaves the
// connection at rest.
func rest(t *testing.T, c *Cluster) (*Endpoint, *Conn) {
	t.Helper()
	e := pick(t, c)
	nc := conn(t, e, Want{})
	get(t, nc)
	e.Put(nc)
	return e, nc
}

func TestSyncKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, Options{Dial: (&pipes{}).dial})
		c := clusterOf(m, backend("a", "10.0.0.1:80", "10.0.0.2:80"))
		one, first := rest(t, c)
		other := backend("a", "10.0.0.2:80", "10.0.0.1:80") // another order, another pool
		other.Pool.MaxConnections = 5
		c2 := clusterOf(m, other)
		if c2 != c {
			t.Fatal("a backend with the same key got another cluster")
		}
		i := slices.IndexFunc(c.state.Load().members, func(m member) bool { return m.endpoint == one })
		if i < 0 {
			t.Fatal("an endpoint that stays is another one")
		}
		if got := conn(t, one, Want{}); got != first {
			t.Error("the connection at rest was not kept")
		} else {
			e := one
			get(t, got)
			// The endpoint goes while the exchange is under way: that ends as usual.
			left := backend("a", "10.0.0.3:80")
			clusterOf(m, left)
			if got := pick(t, c).Address(); got != "10.0.0.3:80" {
				t.Errorf("after Sync %s was chosen, which no plan names", got)
			}
			e.Put(got)
			if s := e.stats(0); s.Connections != 0 {
				t.Errorf("an endpoint that no plan names has %d connections, want 0", s.Connections)
			}
		}
	})
}

func TestSyncClosesWhatIsAtRest(t *testing.T) {
	for name, next := range map[string]*plan.Backend{
		"endpoint gone": backend("a", "10.0.0.2:80"),
		"cluster gone":  backend("b", "10.0.0.1:80"),
		"other TLS": func() *plan.Backend {
			b := backend("a", "10.0.0.1:80")
			b.TLS = &plan.UpstreamTLS{Digest: "other"}
			return b
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(t, Options{Dial: (&pipes{}).dial})
				b := backend("a", "10.0.0.1:80")
				c := clusterOf(m, b)
				e, _ := rest(t, c)
				c2 := clusterOf(m, next)
				if s := e.stats(0); s.Connections != 0 {
					t.Errorf("%d connections are left, want 0", s.Connections)
				}
				if want := next.Key == b.Key && next.TLS == nil; (c2 == c) != want {
					t.Errorf("the cluster is the same: %t, want %t", c2 == c, want)
				}
			})
		})
	}
}

// A request of an older plan finds its cluster, in which nothing rests; when all
// is over it is forgotten.
func TestClusterOfAnOlderPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, Options{Dial: (&pipes{}).dial})
		b := backend("a", "10.0.0.1:80")
		c := clusterOf(m, b)
		if err := c.Acquire(); err != nil {
			t.Fatal(err)
		}
		e := pick(t, c)
		nc := conn(t, e, Want{})
		m.Sync(planOf())
		if m.Cluster(b) != c {
			t.Error("while it is at work the cluster is another one")
		}
		time.Sleep(2 * time.Second)
		if m.Cluster(b) != c {
			t.Error("it was forgotten while it was at work")
		}
		get(t, nc)
		e.Put(nc)
		c.Release()
		time.Sleep(2 * time.Second)
		late := m.Cluster(b)
		if late == c {
			t.Error("it was not forgotten when all was over")
		}
		e, _ = rest(t, late)
		if s := e.stats(0); s.Connections != 0 {
			t.Errorf("a retired cluster keeps %d connections, want 0", s.Connections)
		}
		// It comes back with a plan, and keeps connections again.
		back := clusterOf(m, b)
		e, _ = rest(t, back)
		if s := e.stats(0); back != late || s.Idle != 1 {
			t.Errorf("back in the plan: the same %t, idle %d, want true and 1", back == late, s.Idle)
		}
	})
}

func TestClusterOfAnOlderPlanWithNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &resolver{answers: map[string][]string{"app.example": {"10.0.0.1"}}}
		m := newManager(t, Options{Resolve: r.resolve})
		if got := pick(t, m.Cluster(named("app.example:80"))).Address(); got != "10.0.0.1:80" {
			t.Errorf("got %s, want 10.0.0.1:80", got)
		}
	})
}

// Once Sync has returned nothing refers to the plan, not even to its text.
func TestPlansAreFreed(t *testing.T) {
	m := newManager(t, Options{Resolve: (&resolver{answers: map[string][]string{"app.example.com": {"10.0.0.1"}}}).resolve})
	var refs []func() bool // whether what it refers to is still there
	text := func(s string) string {
		p := unsafe.SliceData([]byte(s))
		w := weak.Make(p)
		refs = append(refs, func() bool { return w.Value() != nil })
		return unsafe.String(p, len(s))
	}
	sync := func() {
		var all []*plan.Backend
		for _, dns := range []bool{false, true} {
			b := &plan.Backend{Key: text("outbound|80||app.shop.svc.cluster.local, at length"), DNS: dns, Port: 80}
			b.Service = object.Ref{Kind: text("Service of some kind"), Namespace: text("a long namespace: shop"), Name: text("a long name of app")}
			host := "[fd00::1234:5678:9abc]:8080" // no short text: those share their memory
			if dns {
				b.Key = text("ServiceEntry app.example.com, at length")
				host = "app.example.com:8080"
			}
			b.Endpoints = []plan.Endpoint{{Address: text(host)}}
			b.TLS = &plan.UpstreamTLS{Digest: text("a digest of some length"), Name: text("a name of some length"), Names: []string{text("another name, of some length")}}
			b.Outlier, b.Pool.KeepAlive, b.Hash = &plan.Outlier{}, &plan.KeepAlive{}, &plan.Hash{Header: text("x-some-header-of-length")}
			b.Balance = plan.BalanceHash
			all = append(all, b)
			wb, wt := weak.Make(b), weak.Make(b.TLS)
			refs = append(refs, func() bool { return wb.Value() != nil || wt.Value() != nil })
		}
		p := planOf(all...)
		wp := weak.Make(p)
		refs = append(refs, func() bool { return wp.Value() != nil })
		m.Sync(p)
		for _, b := range all {
			e := pick(t, m.Cluster(b))
			e.Begin()
			e.Done(200)
		}
	}
	sync()
	for range 10 {
		runtime.GC()
	}
	for i, alive := range refs {
		if alive() {
			t.Errorf("reference %d is still there", i)
		}
	}
	if got := len(m.Snapshot()); got != 2 {
		t.Errorf("%d clusters, want 2", got)
	}
}

func TestCloseWaitsForExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Dial: (&pipes{}).dial})
		c := clusterOf(m, backend("a", "10.0.0.1:80"))
		e, _ := rest(t, c)
		busy := conn(t, e, Want{New: true})
		closed := make(chan error, 1)
		go func() { closed <- m.Close(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close returned %v while an exchange was under way", err)
		default:
		}
		if s := e.stats(0); s.Idle != 0 || s.Connections != 1 {
			t.Errorf("while it waits: idle %d, open %d, want 0 and 1", s.Idle, s.Connections)
		}
		if _, err := e.Conn(context.Background(), Want{}); err != ErrClosed {
			t.Errorf("Conn after Close: got %v, want ErrClosed", err)
		}
		get(t, busy)
		e.Put(busy)
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCloseInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Dial: (&pipes{answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"}).dial})
		e := endpointOf(t, m, backend("a", "10.0.0.1:80"))
		c := conn(t, e, Want{})
		failed := make(chan error, 1)
		go func() { failed <- tryGet(c) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: got %v, want the context's error", err)
		}
		if err := <-failed; err == nil {
			t.Error("the exchange under way was not interrupted")
		}
		c.Close()
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close when the last connection has ended: %v", err)
		}
	})
}

func TestSyncAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Dial: (&pipes{}).dial, Resolve: (&resolver{}).resolve})
		m.Close(t.Context())
		e := endpointOf(t, m, backend("a", "10.0.0.1:80"))
		if _, err := e.Conn(t.Context(), Want{}); err != ErrClosed {
			t.Errorf("Conn: got %v, want ErrClosed", err)
		}
		if _, err := clusterOf(m, named("app.example:80")).Pick(t.Context(), 0, false, nil); err == nil {
			t.Error("Pick of a name that cannot be resolved any more: no error")
		}
	})
}
