package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// ballast is memory that is never touched, and so takes none, but counts as in
// use: the heap grows by as much before it is collected. Otherwise a plan of a
// few megabytes would be marked again many times a second under load.
type ballast []byte

const ballastSize = 24 << 20

func newBallast() ballast { return make(ballast, ballastSize) }

const (
	// trimEvery is how often it is looked whether there is little to do.
	trimEvery = time.Second
	// littleToDo is what is allocated in that time, in bytes, by less than about
	// 500 requests a second.
	littleToDo = 1 << 20
)

// trim gives back the memory that is free at the start, and what a busy time has
// left behind once little is done: the runtime keeps as much as there is in use. It
// returns when ctx ends.
func trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	debug.FreeOSMemory()
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	before := allocated[0].Value.Uint64()
	trimmed := before
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(allocated)
		now := allocated[0].Value.Uint64()
		if now-before < littleToDo && now-trimmed > ballastSize {
			debug.FreeOSMemory()
			trimmed = now
		}
		before = now
	}
}
