package upstream

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

func hashed(h plan.Hash, weights ...uint32) *plan.Backend {
	b := weighted(plan.BalanceHash, weights...)
	b.Hash = &h
	return b
}

// owners tells which endpoint has each of n hashes.
func owners(t *testing.T, c *Cluster, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		e, err := c.Pick(context.Background(), Hash(fmt.Sprintf("user-%d", i)), true, nil)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = e.Address()
	}
	return list
}

// An endpoint that goes leaves its hashes to the others; nothing else moves, or
// next to nothing with Maglev. When it comes back all is as it was.
func TestHashIsStable(t *testing.T) {
	const n = 4000
	for _, test := range []struct {
		name string
		hash plan.Hash
		move float64 // of the hashes that may change hands without need
	}{
		{"ring", plan.Hash{Header: "x"}, 0},
		{"small ring", plan.Hash{Header: "x", Ring: 64}, 0},
		{"Maglev", plan.Hash{Header: "x", Maglev: 65537}, 0.05},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newManager(t, Options{})
			all := hashed(test.hash, 1, 1, 1, 1, 1)
			before := owners(t, clusterOf(m, all), n)
			less := hashed(test.hash, 1, 1, 1, 1, 1)
			gone := less.Endpoints[2].Address
			less.Endpoints = append(less.Endpoints[:2:2], less.Endpoints[3:]...)
			after := owners(t, clusterOf(m, less), n)
			moved, taken := 0, map[string]int{}
			for i := range before {
				switch {
				case before[i] == gone:
					taken[after[i]]++
				case before[i] != after[i]:
					moved++
				}
			}
			if share := float64(moved) / n; share > test.move {
				t.Errorf("%.3f of the hashes moved between endpoints that stayed, want at most %.3f", share, test.move)
			}
			if len(taken) != 4 {
				t.Errorf("the hashes of the endpoint that went are with %d others, want 4", len(taken))
			}
			again := owners(t, clusterOf(m, all), n)
			for i := range before {
				if before[i] != again[i] {
					t.Fatalf("hash %d: with the same endpoints again got %s, want %s", i, again[i], before[i])
				}
			}
		})
	}
}

func TestHashSharesFollowWeights(t *testing.T) {
	const n = 20000
	for name, test := range map[string]struct {
		hash   plan.Hash
		within float64
	}{
		"ring":   {plan.Hash{Header: "x", Ring: 8192}, 0.05},
		"Maglev": {plan.Hash{Header: "x", Maglev: 65537}, 0.015},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, Options{})
			got := map[string]int{}
			for _, a := range owners(t, clusterOf(m, hashed(test.hash, 1, 2, 5)), n) {
				got[a]++
			}
			for i, w := range []float64{1, 2, 5} {
				share := float64(got[fmt.Sprintf("10.0.0.%d:80", i+1)]) / n
				if math.Abs(share-w/8) > test.within {
					t.Errorf("endpoint %d: got the share %.3f, want %.3f", i+1, share, w/8)
				}
			}
		})
	}
}

// Replicas must choose alike: the numbers are part of what we promise.
func TestHashIsTheSameInEveryProcess(t *testing.T) {
	for _, text := range []string{"", "user-1", "\x00\xff"} {
		h := fnv.New64a()
		io.WriteString(h, text)
		if got, want := Hash(text), h.Sum64(); got != want {
			t.Errorf("Hash(%q): got %#x, want %#x", text, got, want)
		}
	}
}

func TestHashTablesAreBounded(t *testing.T) {
	var endpoints []*Endpoint
	var weights []uint32
	for i := range 3 {
		endpoints = append(endpoints, &Endpoint{address: fmt.Sprint(i)})
		weights = append(weights, []uint32{1, math.MaxUint32, math.MaxUint32}[i])
	}
	if n := len(newRing(endpoints, weights, math.MaxInt32)); n > maxRing+len(endpoints) {
		t.Errorf("ring: %d points, want at most %d", n, maxRing)
	}
	if n := len(newMaglev(endpoints, []uint32{1, 2, 3}, 1000)); n != 1009 {
		t.Errorf("Maglev: %d places for 1000, want the next prime, 1009", n)
	}
	if got := prime(maxMaglev); got != maxMaglev {
		t.Errorf("the bound of a Maglev table is not prime: the next is %d", got)
	}
}
