package upstream

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// resolver answers as the test says.
type resolver struct {
	mu      sync.Mutex
	answers map[string][]string
	err     error
	hold    chan struct{} // where set, an answer takes until it is closed
	asked   int
}

func (r *resolver) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if r.hold != nil {
		select {
		case <-r.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.err != nil {
		return nil, r.err
	}
	var ips []netip.Addr
	for _, a := range r.answers[host] {
		ips = append(ips, netip.MustParseAddr(a))
	}
	return ips, nil
}

func (r *resolver) set(err error, host string, addresses ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	r.answers = map[string][]string{host: addresses}
}

func named(addresses ...string) *plan.Backend {
	b := backend("named", addresses...)
	b.DNS, b.Balance = true, plan.RoundRobin
	return b
}

func addressesOf(c *Cluster) (list []string) {
	for _, m := range c.state.Load().members {
		list = append(list, m.endpoint.Address())
	}
	return list
}

func TestNamesBecomeEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &resolver{answers: map[string][]string{
			"two.example":   {"10.0.0.2", "::ffff:10.0.0.1", "fd00::1", "10.0.0.2"},
			"only6.example": {"fd00::2"},
		}}
		m := newManager(t, Options{Resolve: r.resolve})
		c := clusterOf(m, named("two.example:80", "only6.example:81", "10.9.9.9:82"))
		pick(t, c)
		synctest.Wait()
		want := []string{"10.0.0.1:80", "10.0.0.2:80", "[fd00::2]:81", "10.9.9.9:82"}
		if got := addressesOf(c); !slices.Equal(got, want) {
			t.Errorf("endpoints: got %v, want %v", got, want)
		}
	})
}

func TestResolutionIsRepeatedAndKeepsTheLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &resolver{answers: map[string][]string{"app.example": {"10.0.0.1"}}}
		m := newManager(t, Options{Resolve: r.resolve, Dial: (&pipes{}).dial})
		c := clusterOf(m, named("app.example:80"))
		e, idle := rest(t, c)
		for _, step := range []struct {
			err  error
			to   []string
			want string
		}{
			{errors.New("no such host"), nil, "10.0.0.1:80"},
			{nil, nil, "10.0.0.1:80"}, // an answer without addresses
			{nil, []string{"10.0.0.1", "10.0.0.7"}, "10.0.0.1:80"},
		} {
			r.set(step.err, "app.example", step.to...)
			time.Sleep(7 * time.Second)
			if got := addressesOf(c); got[0] != step.want {
				t.Errorf("after %v %v: got %v, want %s first", step.err, step.to, got, step.want)
			}
		}
		if got := conn(t, e, Want{}); got != idle {
			t.Error("the endpoint lost its connection although its address stays")
		} else {
			got.Close()
		}
		r.set(nil, "app.example", "10.0.0.7")
		time.Sleep(7 * time.Second)
		if got := addressesOf(c); !slices.Equal(got, []string{"10.0.0.7:80"}) {
			t.Errorf("got %v, want the new address alone", got)
		}
	})
}

func TestFirstResolutionIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &resolver{answers: map[string][]string{"app.example": {"10.0.0.1"}}, hold: make(chan struct{})}
		m := newManager(t, Options{Resolve: r.resolve})
		c := clusterOf(m, named("app.example:80"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Pick(ctx, 0, false, nil)
		var dial *DialError
		if !errors.As(err, &dial) || dial.Reason != DNSFailed || dial.Address != "app.example" || !errors.Is(err, ErrNoneHealthy) {
			t.Errorf("a context that ends while the name is resolved: got %v", err)
		}
		picked := make(chan *Endpoint)
		go func() {
			e, _ := c.Pick(t.Context(), 0, false, nil)
			picked <- e
		}()
		synctest.Wait()
		// A new plan does not lose the round under way.
		again := named("app.example:80")
		again.Pool.MaxConnections = 3
		m.Sync(planOf(again))
		close(r.hold)
		if e := <-picked; e == nil || e.Address() != "10.0.0.1:80" {
			t.Errorf("Pick: got %v, want the endpoint as soon as the name is resolved", e)
		}
	})
}

func TestNameThatCannotBeResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &resolver{err: errors.New("no such host")}
		m := newManager(t, Options{Resolve: r.resolve})
		c := clusterOf(m, named("ghost.example:80"))
		_, err := c.Pick(t.Context(), 0, false, nil)
		want := "connection to ghost.example (named) failed: the name cannot be resolved: no such host"
		if err == nil || err.Error() != want || !errors.Is(err, ErrNoneHealthy) {
			t.Errorf("got %v, want %s", err, want)
		}
		asked := r.asked
		for range 10 {
			c.Pick(t.Context(), 0, false, nil)
		}
		if r.asked != asked {
			t.Errorf("ten requests asked %d times more, want no more than once a second", r.asked-asked)
		}
		r.set(nil, "ghost.example", "10.0.0.1")
		time.Sleep(1100 * time.Millisecond)
		if got := pick(t, c).Address(); got != "10.0.0.1:80" {
			t.Errorf("when the name appears: got %s", got)
		}
	})
}

// One name that takes for ever does not hold up the others.
func TestNamesAreResolvedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		m := newManager(t, Options{Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == "slow.example" {
				<-ctx.Done()
				close(slow)
				return nil, ctx.Err()
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}, ResolveEvery: time.Hour})
		c := clusterOf(m, named("slow.example:80", "quick.example:80"))
		start := time.Now()
		if got := pick(t, c).Address(); got != "10.0.0.1:80" {
			t.Errorf("got %s, want the name that can be resolved", got)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the request waited %v for a name that it does not need", d)
		}
		<-slow
	})
}

func TestAddressWithoutPortIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, Options{Resolve: (&resolver{}).resolve})
		c := clusterOf(m, named("no-port"))
		if _, err := c.Pick(t.Context(), 0, false, nil); !errors.Is(err, ErrNoneHealthy) {
			t.Errorf("got %v, want ErrNoneHealthy", err)
		}
	})
}
