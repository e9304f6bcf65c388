package proxy

import (
	"io"
	"net/http"
	"sync"

	"github.com/doorward/doorward/internal/http1"
)

// sendHTTP2 makes the upload the body of req.
func (u *upload) sendHTTP2(t *attempt2, req *http.Request) {
	r := &uploadReader{u: u, t: t, req: req, rest: u.kept}
	req.Body, req.ContentLength = r, u.x.req.ContentLength
	u.running, u.reader = make(chan struct{}), r
}

// uploadReader is an upload as the transport reads it, in a goroutine of its own.
type uploadReader struct {
	u    *upload
	t    *attempt2
	req  *http.Request
	rest []byte

	mu                     sync.Mutex
	reading, closed, ended bool
}

func (r *uploadReader) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return 0, errAnswered
	}
	r.reading = true
	r.mu.Unlock()
	r.t.stop(timerSend)
	defer func() {
		if v := recover(); v != nil {
			r.u.x.p.panicked(v)
			r.u.failed(errClientGone)
			err = errClientGone
		}
		if err == nil { // until the transport, having sent it, asks for more
			r.t.start(timerSend, r.t.x.limits.send, http1.TimeoutWrite)
		}
		r.mu.Lock()
		r.reading = false
		r.closed = r.closed || err != nil
		r.settle()
		r.mu.Unlock()
	}()
	return r.read(p)
}

func (r *uploadReader) read(p []byte) (int, error) {
	u := r.u
	if len(r.rest) == 0 && !u.whole {
		data, err := u.next()
		if err != nil && err != io.EOF {
			if !u.stopped.Load() {
				u.failed(err)
			}
			return 0, err
		}
		r.rest = data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if len(r.rest) > 0 || !u.whole {
		return n, nil
	}
	for _, t := range u.trailers() {
		name := http.CanonicalHeaderKey(t.Name)
		if _, declared := r.req.Trailer[name]; declared {
			r.req.Trailer[name] = append(r.req.Trailer[name], t.Value)
		}
	}
	r.t.sent()
	return n, io.EOF
}

// Close ends the upload; a Read under way ends it when it returns.
func (r *uploadReader) Close() error {
	r.t.stop(timerSend)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.settle()
	return nil
}

// settle tells once that the client's body is not being read any more.
func (r *uploadReader) settle() {
	if r.closed && !r.reading && !r.ended {
		r.ended = true
		close(r.u.running)
	}
}
