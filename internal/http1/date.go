package http1

import (
	"sync/atomic"
	"time"
)

// dateLine keeps the Date line of the current second. That it is still the current
// one is read off the monotonic clock, at half the price of the time of day.
type dateLine struct{ p atomic.Pointer[datedLine] }

type datedLine struct {
	made time.Time
	left time.Duration // until the next second begins
	line []byte
}

// now returns "date: ...\r\n".
func (d *dateLine) now() []byte {
	if p := d.p.Load(); p != nil && time.Since(p.made) < p.left {
		return p.line
	}
	t := time.Now()
	line := t.UTC().AppendFormat([]byte("date: "), "Mon, 02 Jan 2006 15:04:05 GMT\r\n")
	d.p.Store(&datedLine{t, time.Second - time.Duration(t.Nanosecond()), line})
	return line
}
