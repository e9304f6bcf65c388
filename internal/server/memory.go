package server

import (
	"os"
	"runtime"
	"runtime/debug"
)

// heapRoom is how far the heap may grow between two collections where what
// lives is small: a plan of a few megabytes would be marked again many times a
// second under load.
const heapRoom = 24 << 20

// settle gives back what a load needed, and makes room for what requests need.
// GOGC in the environment overrides that.
func settle() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(collectAt(m.HeapAlloc))
}

// collectAt is the growth of a heap of live bytes, in percent, at which it is
// collected: Go's own 100, or more for a small one.
func collectAt(live uint64) int {
	return int(max(100, 100*heapRoom/max(live, 1<<20)))
}
