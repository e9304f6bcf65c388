package telemetry

import (
	"sync"
	"sync/atomic"
)

// counts is a counter by one label whose values are few and known.
type counts struct {
	by sync.Map // string → *atomic.Uint64
}

func newCounts() *counts { return new(counts) }

func (c *counts) add(label string) {
	v, ok := c.by.Load(label)
	if !ok {
		v, _ = c.by.LoadOrStore(label, new(atomic.Uint64))
	}
	v.(*atomic.Uint64).Add(1)
}

func (c *counts) each(f func(label string, n uint64)) {
	c.by.Range(func(k, v any) bool {
		f(k.(string), v.(*atomic.Uint64).Load())
		return true
	})
}
