package proxy

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// maxReplay is how much of a body is kept so that it can be sent again, in
// bytes; a longer one is sent once. It is what Envoy keeps of a request by
// default when it may be retried.
const maxReplay = 64 << 10

// errTooLarge is the end of a body that is longer than Outcome.MaxBody.
var errTooLarge = errors.New("proxy: the body is longer than its route allows")

// upload reads the client's body for the upstream: it counts and bounds it,
// and keeps it for another attempt and for mirrors.
type upload struct {
	x     *exchange
	body  source
	count int64
	max   int64 // -1: no bound
	whole bool  // read to its end
	err   error // why it could not be read
	stuck error // why it could not be sent: the upstream took nothing for too long

	kept  []byte
	keep  int         // bytes that may be kept
	lost  bool        // more has come than is kept
	ready atomic.Bool // it is whole and kept, for those who ask while it is being sent

	reader  *uploadReader // what the transport of HTTP/2 reads
	running chan struct{} // of the goroutine that uploads, nil if there is none; closed when it ends
	stopped atomic.Bool   // it has been asked to end
}

// begin takes over the body of a request.
func (u *upload) begin(body source, length int64) {
	u.body, u.max, u.keep = body, -1, maxReplay
	u.whole = body.Done()
	u.lost = length > maxReplay
}

// reset ends the use of u for one request.
func (u *upload) reset() {
	kept := u.kept[:0]
	if cap(kept) > maxReplay {
		kept = nil
	}
	u.body, u.count, u.max, u.whole, u.err, u.stuck = nil, 0, -1, false, nil, nil
	u.kept, u.lost, u.running, u.reader = kept, false, nil, nil
	u.stopped.Store(false)
	u.ready.Store(false)
}

// next returns the next bytes; at the end io.EOF.
func (u *upload) next() ([]byte, error) {
	data, err := u.body.Next()
	if err == io.EOF {
		u.whole = true
		u.ready.Store(!u.lost)
		return nil, err
	}
	if err != nil {
		u.err = err
		return nil, err
	}
	u.count += int64(len(data))
	if u.max >= 0 && u.count > u.max {
		u.err = errTooLarge
		return nil, u.err
	}
	if !u.lost {
		if u.lost = len(u.kept)+len(data) > u.keep; u.lost {
			u.kept = u.kept[:0]
		} else {
			u.kept = append(u.kept, data...)
		}
	}
	if u.body.Done() {
		u.whole = true
		u.ready.Store(!u.lost)
	}
	return data, nil
}

// read reads and keeps the first n bytes of the body, so that they can be looked at
// before it is sent. Where it may not be cut a longer one is plan.ErrBodyTooLarge.
func (u *upload) read(n int, cut bool, max int64) error {
	u.max, u.keep, u.lost = max, n+maxReplay, u.count != int64(len(u.kept))
	for !u.whole && (u.count < int64(n) || !cut && u.count == int64(n)) {
		if _, err := u.next(); err != nil && err != io.EOF {
			return err
		}
	}
	if !cut && u.count > int64(n) {
		return plan.ErrBodyTooLarge
	}
	return nil
}

// replayable tells whether the body can be sent again: nothing of it has been
// read, or all, and all is kept. Envoy too repeats no request that it has not
// yet received whole.
func (u *upload) replayable() bool {
	if u.running != nil {
		return u.ready.Load()
	}
	return u.err == nil && (u.count == 0 || u.whole && !u.lost)
}

// trailers of the request; complete when it is whole. Lines that cannot be
// passed on, and those that would be believed, are left out.
func (u *upload) trailers() header.Fields {
	f := passable(u.body.Trailers())
	believed := func(t header.Field) bool { return u.x.out.Believed(t.Name, u.x.req.Header) }
	if !slices.ContainsFunc(f, believed) {
		return f
	}
	return slices.DeleteFunc(f.Clone(), believed)
}

// passable drops the trailer lines that cannot be written.
func passable(f header.Fields) header.Fields {
	for i := range f {
		if !http1.ValidTrailer(f[i].Name) {
			kept := make(header.Fields, 0, len(f))
			for _, t := range f {
				if http1.ValidTrailer(t.Name) {
					kept.Add(t.Name, t.Value)
				}
			}
			return kept
		}
	}
	return f
}

// send writes the body to c as far as it goes without waiting for the client.
// The rest is left to a goroutine, so that an answer can come before the body
// is whole. Of errors of writing only a limit that runs out counts: otherwise
// the upstream may have answered, and reading will tell.
func (u *upload) send(c *http1.ClientConn) error {
	u.stuck = nil
	if len(u.kept) > 0 {
		u.write(c, u.kept)
	}
	for !u.whole && u.body.Buffered() {
		data, err := u.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		u.write(c, data)
	}
	if u.whole {
		u.noteStuck(c.End(u.trailers()))
		u.x.sent(c)
		return u.stuck
	}
	if !u.noteStuck(c.Flush()) {
		u.running = make(chan struct{})
		go u.run(c)
	}
	return u.stuck
}

// write writes a piece; false: no more need be written.
func (u *upload) write(c *http1.ClientConn, p []byte) bool {
	_, err := c.Write(p)
	return !u.noteStuck(err)
}

// noteStuck tells whether err is one, and keeps it when a limit has run out.
func (u *upload) noteStuck(err error) bool {
	if isTimeout(err) {
		u.stuck = err
	}
	return err != nil
}

// run uploads what is left.
func (u *upload) run(c *http1.ClientConn) {
	defer close(u.running)
	defer func() {
		if v := recover(); v != nil {
			u.x.p.panicked(v)
			u.failed(errClientGone)
		}
	}()
	for !u.whole {
		data, err := u.next()
		switch {
		case err == io.EOF:
		case u.stopped.Load():
			return
		case err != nil:
			u.failed(err)
			return
		default:
			ok := u.write(c, data)
			if ok && !u.whole && !u.body.Buffered() {
				ok = !u.noteStuck(c.Flush())
			}
			if !ok {
				u.giveUp()
				return
			}
		}
	}
	if u.noteStuck(c.End(u.trailers())) {
		u.giveUp()
		return
	}
	u.x.sent(c)
}

// giveUp ends an attempt whose upstream takes nothing.
func (u *upload) giveUp() {
	if u.stuck != nil {
		u.x.interrupt(u.stuck)
	}
}

// failed ends the attempt: the body cannot be sent whole.
func (u *upload) failed(err error) {
	u.err = err
	u.x.interrupt(err)
}

// stop ends the goroutine, if it still runs, and the attempt with it; it tells
// whether the body had been sent whole.
func (u *upload) stop() bool {
	if u.running == nil {
		return u.whole && u.err == nil
	}
	select {
	case <-u.running:
	default:
		u.stopped.Store(true)
		if !u.body.Done() {
			u.x.client.StopReading()
		}
		u.x.interrupt(errAnswered)
		if u.reader != nil {
			u.reader.Close()
		}
		<-u.running
	}
	u.running, u.reader = nil, nil
	return u.whole && u.err == nil && !u.stopped.Swap(false)
}

// errAnswered interrupts an upload that is not needed any more.
var errAnswered = errors.New("proxy: the upstream has answered before the request was whole")
