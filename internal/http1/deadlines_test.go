package http1

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// fakeConn notes when its deadlines are set.
type fakeConn struct {
	net.Conn
	read, write int
	cleared     int
}

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		c.cleared++
	} else {
		c.read++
	}
	return nil
}
func (c *fakeConn) SetWriteDeadline(time.Time) error { c.write++; return nil }
func (c *fakeConn) SetDeadline(time.Time) error      { c.read++; c.write++; return nil }

func TestDeadlines(t *testing.T) {
	limit := func(d *deadlines, s slot) Timeout {
		var e *TimeoutError
		errors.As(d.explain(s, os.ErrDeadlineExceeded), &e)
		if e == nil {
			return TimeoutNone
		}
		return e.Limit
	}
	synctest.Test(t, func(t *testing.T) {
		nc := &fakeConn{}
		d := &deadlines{}
		d.init(nc)
		after := func(wait time.Duration, reads int, want Timeout) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			d.mu.Lock() // the timer's goroutine counts under it
			defer d.mu.Unlock()
			if nc.read != reads || limit(d, slotRead) != want {
				t.Errorf("after %v: %d read deadlines, %v; want %d, %v", wait, nc.read, limit(d, slotRead), reads, want)
			}
		}
		// A limit that is moved again and again does not run out.
		for range 100 {
			d.set(slotRead, TimeoutIdle, time.Second)
			after(900*time.Millisecond, 0, TimeoutNone)
		}
		// A cleared one does not either, nor one of no length.
		d.clear(slotRead)
		d.set(slotRead, TimeoutHeader, 0)
		after(time.Hour, 0, TimeoutNone)
		// A nearer limit is not missed behind a farther one.
		d.set(slotRead, TimeoutIdle, time.Hour)
		d.set(slotFirst, TimeoutFirstByte, time.Second)
		after(time.Second-time.Millisecond, 0, TimeoutNone)
		after(2*time.Millisecond, 1, TimeoutFirstByte)
		// And the farther one still comes.
		after(time.Hour, 2, TimeoutIdle)
		// What has run out stays so.
		d.set(slotRead, TimeoutHeader, time.Hour)
		d.clear(slotRead)
		after(0, 2, TimeoutIdle)
		// Closing ends the timer: a limit behind it has no effect.
		d.close()
		d.set(slotTotal, TimeoutTotal, time.Second)
		after(time.Hour, 2, TimeoutIdle)
	})
	synctest.Test(t, func(t *testing.T) {
		nc := &fakeConn{}
		d := &deadlines{}
		d.init(nc)
		d.stop()
		if err := d.explain(slotRead, os.ErrDeadlineExceeded); err != ErrStopped || nc.read != 1 {
			t.Errorf("stop: %v, %d", err, nc.read)
		}
		d.resume()
		d.resume()
		if nc.cleared != 1 || limit(d, slotRead) != TimeoutNone {
			t.Errorf("resume: %d", nc.cleared)
		}
		d.set(slotTotal, TimeoutTotal, time.Second)
		time.Sleep(time.Second + time.Microsecond)
		synctest.Wait()
		d.mu.Lock()
		writes := nc.write
		d.mu.Unlock()
		if limit(d, slotRead) != TimeoutTotal || limit(d, slotWrite) != TimeoutTotal || writes != 1 {
			t.Errorf("total: %v %v", limit(d, slotRead), limit(d, slotWrite))
		}
		d.close()
	})
}

func TestDateLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight, UTC
		var d dateLine
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{300 * time.Millisecond, "00:00:00"}, {699 * time.Millisecond, "00:00:00"}, {time.Millisecond, "00:00:01"},
			{999 * time.Millisecond, "00:00:01"}, {time.Minute, "00:01:01"},
		} {
			time.Sleep(step.after)
			if got, want := string(d.now()), "date: Sat, 01 Jan 2000 "+step.want+" GMT\r\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if n := testing.AllocsPerRun(10, func() { d.now() }); n != 0 {
			t.Errorf("the same second allocates %v times", n)
		}
	})
}
