package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// tunnel passes a 101 on and then the bytes of both directions, until one side
// ends: then both are closed, as NGINX does once what came has been passed on.
// What the hops say of the quiet bounds it; a gateway says nothing by default.
func (x *exchange) tunnel() {
	a := &x.answer
	if !x.up.stop() { // nobody can tell the body from the tunnel
		x.abandon()
		x.answer = answer{failed: true, failure: plan.BadResponse, by: x.last()}
		x.tellFailure()
		return
	}
	if a.upgrade != "" {
		a.fields.Add("upgrade", a.upgrade)
	}
	x.out.EditResponse(a.status, &a.fields, a.took, true)
	x.tellReason(&a.fields, "")
	err := x.client.Begin(a.status, a.fields, -1)
	if err == nil {
		err = x.client.End(nil)
	}
	if err != nil {
		x.unsendable(err)
		return
	}
	if x.watching {
		x.client.Unwatch()
		x.watching = false
	}
	x.underWay(nil, nil)
	conn := a.conn
	a.conn = nil
	near, far := x.client.Hijack(), conn.Hijack()
	t := tunnel{near: near, far: far, quiet: x.limits.quiet()}
	t.run()
	conn.Close()
	x.up.count += t.up.Load()
	x.record.Sent += t.down.Load()
	if t.idle.Load() {
		x.record.Flags |= telemetry.StreamIdle
	}
	x.done(upstream.Result(101))
}

// tunnel is two connections of which each gets what the other sends.
type tunnel struct {
	near, far net.Conn
	quiet     time.Duration // with no byte in either direction; 0: no bound
	up, down  atomic.Int64  // bytes
	moved     atomic.Int64  // times that bytes came
	idle      atomic.Bool   // it ended for quiet
	once      sync.Once
}

func (t *tunnel) run() {
	var done sync.WaitGroup
	if t.quiet > 0 {
		watch := t.watchQuiet()
		defer watch.Stop()
	}
	done.Go(func() { t.copy(t.far, t.near, &t.up) })
	t.copy(t.near, t.far, &t.down)
	done.Wait()
}

// watchQuiet ends the tunnel when nothing moves from one look to the next.
func (t *tunnel) watchQuiet() *time.Timer {
	var timer *time.Timer
	var seen int64
	ready := make(chan struct{})
	timer = time.AfterFunc(t.quiet, func() {
		<-ready
		if now := t.moved.Load(); now != seen {
			seen = now
			timer.Reset(t.quiet)
			return
		}
		t.idle.Store(true)
		t.close()
	})
	close(ready)
	return timer
}

func (t *tunnel) close() {
	t.once.Do(func() {
		t.near.Close()
		t.far.Close()
	})
}

func (t *tunnel) copy(to, from net.Conn, count *atomic.Int64) {
	defer t.close()
	buf := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			t.moved.Add(1)
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			count.Add(int64(n))
			t.moved.Add(1)
		}
		if err != nil {
			return
		}
	}
}
