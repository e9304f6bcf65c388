package http1

import (
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines keeps all limits of one connection with one timer. Setting a
// limit stores a number; the timer is touched only when it would fire too
// late, and when it fires it looks at the numbers again. The net.Conn learns
// of a deadline only once it has passed.
type deadlines struct {
	conn  net.Conn
	start time.Time
	at    [slots]atomic.Int64 // nanoseconds since start with the Timeout in the low bits; negative: ran out
	armed atomic.Int64        // when the timer fires; 0: not armed; MinInt64: closed

	mu    sync.Mutex // guards the timer and every running out
	timer *time.Timer
	owner *ServerConn // told when slotWatch runs out; nil on a ClientConn
}

// A slot holds one limit at a time.
type slot uint8

const (
	slotRead slot = iota
	slotWrite
	slotFirst // the response's head, whatever reads are under way
	slotTotal
	slotWatch
	slots
)

// kindBits is the part of a slot's number that holds the Timeout.
const kindBits = 15

func (d *deadlines) init(nc net.Conn) { d.conn, d.start = nc, time.Now().Add(-time.Second) }

// now returns nanoseconds since d.start on the monotonic clock, never 0.
func (d *deadlines) now() int64 { return int64(time.Since(d.start)) }

// set starts a limit of length d, or none for d <= 0.
func (d *deadlines) set(s slot, kind Timeout, after time.Duration) {
	if after <= 0 {
		return
	}
	d.setAt(s, kind, d.now()+int64(after))
}

// setAt starts a limit that ends when now is when.
func (d *deadlines) setAt(s slot, kind Timeout, when int64) {
	when = max(when, 1)&^kindBits | int64(kind)
	d.swap(s, when)
	if armed := d.armed.Load(); armed == 0 || when < armed {
		d.arm(when)
	}
}

// clear ends a limit.
func (d *deadlines) clear(s slot) {
	if d.at[s].Load() > 0 {
		d.swap(s, 0)
	}
}

// swap leaves alone a limit that has run out: the connection is spoilt.
func (d *deadlines) swap(s slot, v int64) {
	for {
		old := d.at[s].Load()
		if old < 0 || d.at[s].CompareAndSwap(old, v) {
			return
		}
	}
}

func (d *deadlines) arm(when int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if armed := d.armed.Load(); armed != 0 && when >= armed {
		return
	}
	d.armed.Store(when)
	wait := time.Duration(when - d.now())
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.fire)
	} else {
		d.timer.Reset(wait)
	}
}

// fire runs out what is due and arms the timer for the rest. A limit that is
// stored while it runs either sees armed at 0 or is seen by it.
func (d *deadlines) fire() {
	d.mu.Lock()
	if d.armed.Load() == math.MinInt64 {
		d.mu.Unlock()
		return
	}
	d.armed.Store(0)
	next := int64(0)
	for s := range slots {
		for {
			v := d.at[s].Load()
			if v <= 0 {
				break
			}
			if v &^= kindBits; v > d.now() {
				if next == 0 || v < next {
					next = v
				}
				break
			}
			if d.runOut(s) {
				break
			}
		}
	}
	d.mu.Unlock()
	if next != 0 {
		d.arm(next)
	}
}

// runOut marks a due limit and tells the connection; false when it was
// changed meanwhile. d.mu is held.
func (d *deadlines) runOut(s slot) bool {
	v := d.at[s].Load()
	if v <= 0 || v&^kindBits > d.now() || !d.at[s].CompareAndSwap(v, -(v&kindBits)) {
		return false
	}
	past := time.Unix(1, 0)
	switch s {
	case slotRead, slotFirst:
		d.conn.SetReadDeadline(past)
	case slotWrite:
		d.conn.SetWriteDeadline(past)
	case slotTotal:
		d.conn.SetDeadline(past)
	case slotWatch:
		d.owner.startWatch()
	}
	return true
}

// stop makes reads fail now, until resume.
func (d *deadlines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopLocked()
}

func (d *deadlines) stopLocked() {
	if d.at[slotRead].Load() >= 0 {
		d.at[slotRead].Store(-int64(timeoutStopped))
		d.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// resume undoes stop.
func (d *deadlines) resume() {
	if d.at[slotRead].Load() != -int64(timeoutStopped) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at[slotRead].CompareAndSwap(-int64(timeoutStopped), 0) {
		d.conn.SetReadDeadline(time.Time{})
	}
}

// close ends the timer for good.
func (d *deadlines) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed.Store(math.MinInt64)
	if d.timer != nil {
		d.timer.Stop()
	}
}

// explain turns a deadline error into the limit that ran out.
func (d *deadlines) explain(s slot, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	for _, s := range [...]slot{slotTotal, s, slotFirst} {
		switch kind := Timeout(-min(d.at[s].Load(), 0)); kind {
		case TimeoutNone:
		case timeoutStopped:
			return ErrStopped
		default:
			return &TimeoutError{kind}
		}
	}
	return err
}

// cancelWatch ends slotWatch; false when it has run out, so that the watch
// has been started.
func (d *deadlines) cancelWatch() bool {
	if v := d.at[slotWatch].Load(); v > 0 && d.at[slotWatch].CompareAndSwap(v, 0) {
		return true
	}
	d.mu.Lock() // it is running out
	defer d.mu.Unlock()
	return d.at[slotWatch].Swap(0) >= 0
}
