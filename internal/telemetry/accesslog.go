package telemetry

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Form is how a line of the access log is written.
type Form uint8

const (
	Off  Form = iota
	Text      // as ingress-nginx writes it (text.go)
	JSON      // an object a line (json.go)
)

// ParseForm reads off, json or text.
func ParseForm(s string) (Form, error) {
	switch s {
	case "off":
		return Off, nil
	case "text":
		return Text, nil
	case "json":
		return JSON, nil
	}
	return Off, fmt.Errorf("there is no access log %q: it is off, json or text", s)
}

const (
	flushAfter = 50 * time.Millisecond // how long a line waits for company
	flushAt    = 64 << 10              // bytes that do not wait
	maxBehind  = 8 << 20               // bytes that wait for a slow reader
)

// AccessLog writes a line for each exchange. Requests never wait for the
// writer: lines gather in memory and a goroutine of its own writes them, many
// in one call. When the writer is so slow that maxBehind bytes wait, further
// lines are dropped and counted (Dropped). Close writes everything that is left.
type AccessLog struct {
	form Form
	out  io.Writer

	mu      sync.Mutex
	pending []byte
	closed  bool
	wake    chan struct{} // something is pending
	full    chan struct{} // enough is pending not to wait
	done    chan struct{}
	dropped atomic.Uint64
	failed  atomic.Pointer[error]
}

// NewAccessLog begins to write to out; it must be closed.
func NewAccessLog(form Form, out io.Writer) *AccessLog {
	l := &AccessLog{form: form, out: out, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), done: make(chan struct{})}
	if form == Off {
		close(l.done)
		return l
	}
	go l.run()
	return l
}

// Enabled says whether lines are wanted at all.
func (l *AccessLog) Enabled() bool { return l != nil && l.form != Off }

// lines are buffers for one line. The pool is shared by all logs.
var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Record writes the line of an exchange.
func (l *AccessLog) Record(x *Exchange) {
	if !l.Enabled() {
		return
	}
	b := lines.Get().(*[]byte)
	if l.form == JSON {
		*b = appendJSON((*b)[:0], x)
	} else {
		*b = appendText((*b)[:0], x)
	}
	l.add(*b)
	if cap(*b) <= 16<<10 {
		lines.Put(b)
	}
}

func (l *AccessLog) add(line []byte) {
	l.mu.Lock()
	if l.closed || len(l.pending)+len(line) > maxBehind {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	first := len(l.pending) == 0
	l.pending = append(l.pending, line...)
	full := len(l.pending) >= flushAt && len(l.pending)-len(line) < flushAt
	l.mu.Unlock()
	if first {
		signal(l.wake)
	}
	if full {
		signal(l.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what is pending until the log is closed.
func (l *AccessLog) run() {
	defer close(l.done)
	timer := time.NewTimer(flushAfter)
	timer.Stop()
	var spare []byte
	for range l.wake {
		timer.Reset(flushAfter)
		select {
		case <-timer.C:
		case <-l.full:
			timer.Stop()
		}
		var last bool
		spare, last = l.flush(spare)
		if last {
			return
		}
	}
}

// flush writes what is pending. It gives the buffer back for the next time,
// and says whether the log is closed.
func (l *AccessLog) flush(spare []byte) ([]byte, bool) {
	l.mu.Lock()
	out, closed := l.pending, l.closed
	l.pending = spare[:0]
	l.mu.Unlock()
	if len(out) > 0 {
		if _, err := l.out.Write(out); err != nil {
			l.failed.Store(&err)
		}
	}
	if cap(out) > 1<<20 { // a burst is over
		out = nil
	}
	return out, closed
}

// Close writes what is left and ends the log. It returns the last error of
// writing, if there was one.
func (l *AccessLog) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if !was && l.form != Off {
		signal(l.full)
		signal(l.wake)
	}
	<-l.done
	if err := l.failed.Load(); err != nil {
		return fmt.Errorf("write access log: %w", *err)
	}
	return nil
}

// Dropped counts the lines that were not written because the writer was slow.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }
