package telemetry

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// bounds are the upper ends of the histogram's buckets: Istio's, which hold
// those of ingress-nginx as well. The array is never written to.
var bounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
	5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// firstNGINX and lastNGINX are the part of bounds that ingress-nginx has.
const firstNGINX, lastNGINX = 2, 12

// cell is one shard of a series: a histogram, whose buckets add up to the
// number of requests. Its size is a multiple of a cache line.
type cell struct {
	buckets [len(bounds) + 1]atomic.Uint64
	sum     atomic.Uint64 // nanoseconds
	_       [3]uint64
}

// series is the requests with one set of labels.
type series struct {
	labels []string
	cells  []cell
}

// add counts one request.
func (s *series) add(d time.Duration) {
	c := &s.cells[rand.Uint32()&uint32(len(s.cells)-1)]
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	c.buckets[i].Add(1)
	c.sum.Add(uint64(max(d, 0)))
}

// total is the sum over all shards.
func (s *series) total() (t histogram) {
	for i := range s.cells {
		c := &s.cells[i]
		for j := range c.buckets {
			n := c.buckets[j].Load()
			t.buckets[j] += n
			t.count += n
		}
		t.sum += time.Duration(c.sum.Load())
	}
	return t
}

// histogram is what a series has counted.
type histogram struct {
	buckets [len(bounds) + 1]uint64
	count   uint64
	sum     time.Duration
}

// cumulative gives the buckets from first to last as Prometheus wants them,
// each with all below it, under bounds in the given unit.
func (h *histogram) cumulative(first, last int, unit time.Duration) map[float64]uint64 {
	m := make(map[float64]uint64, last-first+1)
	var n uint64
	for i := range bounds {
		n += h.buckets[i]
		if first <= i && i <= last {
			m[float64(bounds[i])/float64(unit)] = n
		}
	}
	return m
}

// family is all series of one layer's metrics, by their labels. Series live as
// long as the process: a counter must not go back when a plan is swapped.
type family struct {
	shards int
	mu     sync.Mutex
	by     map[string]*series
}

func newFamily() *family { return &family{shards: shards(), by: map[string]*series{}} }

// shards is the number of cells of a series: a power of two, about one a
// processor.
func shards() int {
	n := 1
	for n < runtime.GOMAXPROCS(0) && n < 8 {
		n *= 2
	}
	return n
}

// with returns the series that has these labels.
func (f *family) with(labels ...string) *series {
	key := ""
	for _, l := range labels {
		key += l + "\x00"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.by[key]
	if s == nil {
		s = &series{labels: labels, cells: make([]cell, f.shards)}
		f.by[key] = s
	}
	return s
}

// all is every series of the family, in no order.
func (f *family) all() []*series {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*series, 0, len(f.by))
	for _, s := range f.by {
		list = append(list, s)
	}
	return list
}
