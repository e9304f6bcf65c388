package http1

import (
	"sync/atomic"
	"time"
)

// dateLine keeps the Date line of the current second.
type dateLine struct{ p atomic.Pointer[datedLine] }

type datedLine struct {
	second int64
	line   []byte
}

// at returns "date: ...\r\n" for the time t.
func (d *dateLine) at(t time.Time) []byte {
	second := t.Unix()
	if p := d.p.Load(); p != nil && p.second == second {
		return p.line
	}
	line := t.UTC().AppendFormat([]byte("date: "), "Mon, 02 Jan 2006 15:04:05 GMT\r\n")
	d.p.Store(&datedLine{second, line})
	return line
}
