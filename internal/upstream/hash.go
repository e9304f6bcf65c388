package upstream

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Hash turns the text that a consistent hash is taken of into Pick's number.
// It is the same in every process, so that replicas choose alike.
func Hash(text string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// mix spreads a number over all 64 bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const (
	defaultRing = 1024 // DestinationRule minimumRingSize
	// maxRing bounds what a rule can make us build; Envoy's bound is 8M.
	maxRing = 1 << 18
	// maxMaglev is Envoy's bound of a Maglev table.
	maxMaglev = 5_000_011
)

// ring is a hash ring: each endpoint stands at many points of it, as many as
// its weight says, and takes the hashes up to the next lower point. An endpoint
// that comes or goes moves only its own share of the hashes, except where the
// number of endpoints passes a power of two.
type ring []point

type point struct {
	hash     uint64
	endpoint int32
}

// newRing makes a ring of at least size points.
func newRing(endpoints []*Endpoint, weights []uint32, size int) ring {
	if size <= 0 {
		size = defaultRing
	}
	least, sum := slices.Min(weights), 0.0
	for _, w := range weights {
		sum += float64(w)
	}
	// The lightest endpoint has a power of two of points: that number stays the
	// same when others come or go, so that their points do not crowd out its own.
	share := float64(least) / sum
	points := math.Exp2(math.Ceil(math.Log2(math.Ceil(share * float64(size)))))
	scale := min(points/share, maxRing)
	r := make(ring, 0, int(scale)+len(endpoints))
	target := 0.0
	for i, e := range endpoints {
		target += scale * float64(weights[i]) / sum
		seed := Hash(e.address)
		for n := uint64(0); float64(len(r)) < target || n == 0; n++ {
			r = append(r, point{mix(seed ^ mix(n)), int32(i)})
		}
	}
	slices.SortFunc(r, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.endpoint, b.endpoint))
	})
	return r
}

func (r ring) at(hash uint64) (endpoint, place int) {
	place = sort.Search(len(r), func(i int) bool { return r[i].hash >= hash })
	if place == len(r) {
		place = 0
	}
	return int(r[place].endpoint), place
}

func (r ring) after(place int) (endpoint, next int) {
	next = (place + 1) % len(r)
	return int(r[next].endpoint), next
}

func (r ring) places() int { return len(r) }

// maglev is the table of Google's Maglev: every endpoint fills places in an
// order of its own, taking turns by weight, so that shares are almost exact and
// few places change hands when an endpoint comes or goes.
type maglev []int32

// newMaglev makes a table with size places, or a few more: a prime number.
func newMaglev(endpoints []*Endpoint, weights []uint32, size int) maglev {
	m := uint64(prime(min(max(size, len(endpoints)), maxMaglev)))
	type filler struct{ at, skip, weight, due uint64 }
	fill := make([]filler, len(endpoints))
	most := uint64(slices.Max(weights))
	for i, e := range endpoints {
		h := Hash(e.address)
		fill[i] = filler{at: mix(h) % m, skip: mix(^h)%(m-1) + 1, weight: uint64(weights[i])}
	}
	table := make(maglev, m)
	for i := range table {
		table[i] = -1
	}
	for filled, round := uint64(0), uint64(1); ; round++ {
		for i := range fill {
			f := &fill[i]
			if round*f.weight < f.due {
				continue // a lighter one sits this round out
			}
			f.due += most
			for table[f.at] >= 0 {
				f.at = (f.at + f.skip) % m
			}
			table[f.at] = int32(i)
			if filled++; filled == m {
				return table
			}
		}
	}
}

func (t maglev) at(hash uint64) (endpoint, place int) {
	place = int(hash % uint64(len(t)))
	return int(t[place]), place
}

func (t maglev) after(place int) (endpoint, next int) {
	next = (place + 1) % len(t)
	return int(t[next]), next
}

func (t maglev) places() int { return len(t) }

// prime returns the first prime number from n on.
func prime(n int) int {
	for n = max(n, 2); ; n++ {
		composite := false
		for d := 2; d*d <= n && !composite; d++ {
			composite = n%d == 0
		}
		if !composite {
			return n
		}
	}
}
