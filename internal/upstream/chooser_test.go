package upstream

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

// weighted returns a backend whose endpoints have these weights.
func weighted(balance plan.Balance, weights ...uint32) *plan.Backend {
	b := &plan.Backend{Key: "w", Balance: balance}
	for i, w := range weights {
		b.Endpoints = append(b.Endpoints, plan.Endpoint{Address: fmt.Sprintf("10.0.0.%d:80", i+1), Weight: w})
	}
	return b
}

// seeded returns the options of a Manager whose chance is the same every time.
func seeded() Options { return Options{Rand: rand.New(rand.NewPCG(1, 2)).Uint64} }

// picks counts how often each endpoint is chosen; busy exchanges stay under way.
func picks(t *testing.T, c *Cluster, n int, busy bool) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		e := pick(t, c)
		got[e.Address()]++
		if busy {
			e.Begin()
		}
	}
	return got
}

func clusterOf(m *Manager, b *plan.Backend) *Cluster {
	m.Sync(planOf(b))
	return m.Cluster(b)
}

func TestBalancingGivesEachItsShare(t *testing.T) {
	for _, test := range []struct {
		balance plan.Balance
		weights []uint32
		busy    bool
		within  float64 // of the share, as a fraction of all picks
	}{
		{plan.RoundRobin, []uint32{1, 1, 1}, false, 1. / 8000},
		{plan.RoundRobin, []uint32{5, 1, 2}, false, 0},
		{plan.RoundRobin, []uint32{0, 1}, false, 0}, // 0 counts as 1
		{plan.Random, []uint32{1, 1, 1, 1}, false, 0.02},
		{plan.Random, []uint32{1, 3}, false, 0.02},
		{plan.LeastRequest, []uint32{1, 1, 1, 1}, false, 0.02},
		{plan.LeastRequest, []uint32{1, 1, 1, 1}, true, 0.001},
		{plan.LeastRequest, []uint32{1, 3}, false, 0.02},
		{plan.LeastRequest, []uint32{1, 3}, true, 0.02},
		{plan.BalanceHash, []uint32{1, 1}, false, 0.1},
	} {
		t.Run(fmt.Sprint(test.balance, test.weights, test.busy), func(t *testing.T) {
			const n = 8000
			m := newManager(t, seeded())
			got := picks(t, clusterOf(m, weighted(test.balance, test.weights...)), n, test.busy)
			sum := 0.0
			for _, w := range test.weights {
				sum += float64(max(w, 1))
			}
			for i, w := range test.weights {
				a := fmt.Sprintf("10.0.0.%d:80", i+1)
				want := float64(max(w, 1)) / sum
				if share := float64(got[a]) / n; math.Abs(share-want) > test.within {
					t.Errorf("%s: got %.4f of the picks, want %.4f", a, share, want)
				}
			}
		})
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	m := newManager(t, Options{})
	c := clusterOf(m, weighted(plan.RoundRobin, 1, 1, 1))
	for i := range 9 {
		if got, want := pick(t, c).Address(), fmt.Sprintf("10.0.0.%d:80", i%3+1); got != want {
			t.Errorf("turn %d: got %s, want %s", i, got, want)
		}
	}
}

func TestLeastRequestTakesTheLessBusy(t *testing.T) {
	m := newManager(t, seeded())
	c := clusterOf(m, weighted(plan.LeastRequest, 1, 1))
	busy := pick(t, c)
	busy.Begin()
	defer busy.Done(NoResult)
	for range 100 {
		if pick(t, c) == busy {
			t.Fatal("of two endpoints the busy one was chosen")
		}
	}
}

func TestTriedEndpointsAreAvoided(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RoundRobin, plan.Random, plan.LeastRequest, plan.BalanceHash} {
		t.Run(balance.String(), func(t *testing.T) {
			m := newManager(t, seeded())
			c := clusterOf(m, weighted(balance, 1, 2, 3, 4))
			for range 200 {
				var tried []*Endpoint
				seen := map[*Endpoint]bool{}
				for range 4 {
					e := pick(t, c, tried...)
					if seen[e] {
						t.Fatalf("%s was chosen although it had been tried and others had not", e.Address())
					}
					seen[e] = true
					tried = append(tried, e)
				}
				pick(t, c, tried...) // all have been tried: any will do
			}
		})
	}
}

func TestWithoutEndpointsNothingIsHealthy(t *testing.T) {
	m := newManager(t, Options{})
	c := clusterOf(m, backend("none"))
	if _, err := c.Pick(context.Background(), 0, false, nil); err != ErrNoneHealthy {
		t.Errorf("Pick: got %v, want ErrNoneHealthy", err)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RoundRobin, plan.Random, plan.LeastRequest, plan.BalanceHash} {
		m := newManager(t, Options{})
		c := clusterOf(m, weighted(balance, 1, 2, 3))
		ctx := context.Background()
		if n := testing.AllocsPerRun(100, func() { c.Pick(ctx, 7, true, nil) }); n != 0 {
			t.Errorf("%s: %v allocations for a pick, want 0", balance, n)
		}
	}
}
