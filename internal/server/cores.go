package server

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"
)

// cores decides how many processors the runtime uses: one while little is to be
// done. With more, two requests that come together have a second thread woken for
// one of them, which costs more than it takes off: a sixth of all CPU at 2,000
// requests a second.
type cores struct {
	one   bool
	quiet int // looks in a row that saw little to do
}

const (
	lookEvery = 100 * time.Millisecond
	// One processor does below idleShare of it for quietLooks, and is too few from
	// busyShare on.
	idleShare, busyShare = 0.3, 0.6
	quietLooks           = 20
)

// see takes in the share of one processor that was used since the last look, and
// tells whether the number is to change.
func (c *cores) see(used float64) (change bool) {
	switch {
	case c.one && used >= busyShare, !c.one && c.quiet == quietLooks:
		*c = cores{one: !c.one}
		return true
	case used < idleShare:
		c.quiet++
	default:
		c.quiet = 0
	}
	return false
}

// fitCores fits the number of processors to the load until ctx ends.
func fitCores(ctx context.Context) {
	all := runtime.GOMAXPROCS(0)
	if all == 1 {
		return
	}
	restore := func() { runtime.GOMAXPROCS(all) }
	if os.Getenv("GOMAXPROCS") == "" {
		restore = runtime.SetDefaultGOMAXPROCS // what the container may use by then
	}
	defer restore()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var c cores
	since, spent := time.Now(), cpuTime()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, cpu := time.Now(), cpuTime()
		if c.see(float64(cpu-spent) / float64(now.Sub(since))) {
			if c.one {
				runtime.GOMAXPROCS(1)
			} else {
				restore()
			}
		}
		since, spent = now, cpu
	}
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
