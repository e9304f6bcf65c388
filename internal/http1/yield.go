package http1

import "runtime"

// yielder lets other goroutines run before the first read after a write. Under
// load the peer has answered by then, which saves a read in vain and a wait;
// otherwise it is a detour. So it is tried now and then, and done while it helps.
type yielder struct {
	turn   uint8
	helped int8 // how often it has lately; 0: not
	asked  bool // the read that follows will tell
}

const (
	tryEvery   = 16
	mostHelped = 8
)

func (y *yielder) yield() {
	y.turn++
	if y.helped > 0 || y.turn%tryEvery == 0 {
		y.asked = true
		runtime.Gosched()
	}
}

// saw tells whether the next read found something.
func (y *yielder) saw(something bool) {
	switch {
	case !y.asked:
	case something:
		y.helped = min(y.helped+1, mostHelped)
	default:
		y.helped = max(y.helped-2, 0)
	}
	y.asked = false
}
