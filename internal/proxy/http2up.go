package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/upstream"
)

// attempt2 is an attempt over HTTP/2. It reads the response's body within the
// limits.
type attempt2 struct {
	x      *exchange
	ctx    context.Context
	cancel context.CancelCauseFunc
	resp   *http.Response

	mu     sync.Mutex
	ended  bool
	timers [4]*time.Timer
}

// The timers of an attempt.
const (
	timerFirst = iota
	timerRead
	timerSend
	timerTotal
)

// tryHTTP2 makes one attempt over HTTP/2. A connection that the upstream was
// about to close takes no more requests; another one does, and that is no
// attempt of its own (RFC 9113 section 8.7).
func (x *exchange) tryHTTP2(e *upstream.Endpoint) {
	if err := x.oneHTTP2(e); upstream.Untouched(err) && !upstream.StreamReset(err) && x.up.replayable() && !x.gone.Load() {
		x.answer.failed, x.answer.refused, x.answer.err = false, false, nil
		x.oneHTTP2(e)
	}
}

// oneHTTP2 sends the request on one stream and waits for the head of the
// response.
func (x *exchange) oneHTTP2(e *upstream.Endpoint) error {
	t := &attempt2{x: x}
	t.ctx, t.cancel = context.WithCancelCause(x.ctx)
	ctx := httptrace.WithClientTrace(t.ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			return x.interim(status, fieldsOf(http.Header(h)))
		},
	})
	req := request2(ctx, &x.req)
	x.underWay(nil, t.cancel)
	switch {
	case x.up.whole && x.up.count == 0:
		t.sent()
	default:
		x.up.sendHTTP2(t, req)
	}
	x.answer.sent = true
	resp, err := e.RoundTrip(req)
	t.stop(timerFirst)
	if err != nil {
		err = t.explain(err)
		t.close()
		x.up.stop()
		x.underWay(nil, nil)
		x.answer.sent = !isDial(err)
		x.answer.refused = upstream.Untouched(err)
		x.failOf(err)
		return err
	}
	t.resp = resp
	a := &x.answer
	a.status, a.fields, a.length = resp.StatusCode, fieldsOf(resp.Header), resp.ContentLength
	if len(resp.Trailer) > 0 {
		a.length = -1 // HTTP/1.1 has trailers behind chunks only
	}
	body := &stream{r: t, trailers: func() header.Fields { return fieldsOf(resp.Trailer) }}
	body.done.Store(endsWithHead(req, resp))
	a.body = body
	a.stream = t
	return nil
}

// endsWithHead tells whether the stream has ended with the head, as a gRPC
// answer of trailers only does: it must leave in one frame again.
func endsWithHead(req *http.Request, resp *http.Response) bool {
	return req.Method == http.MethodHead || resp.ContentLength == 0 && resp.Header.Get("Content-Length") == ""
}

func isDial(err error) bool {
	var d *upstream.DialError
	return errors.As(err, &d) || errors.Is(err, upstream.ErrOverflow)
}

// explain tells why the attempt was ended, where it was ended by us.
func (t *attempt2) explain(err error) error {
	if because := context.Cause(t.ctx); because != nil && !isDial(err) {
		return because
	}
	return err
}

// sent starts the limits that begin when the request is whole.
func (t *attempt2) sent() {
	if left, ok := t.x.timeLeft(); ok {
		t.start(timerTotal, max(left, 1), http1.TimeoutTotal)
	}
	t.start(timerFirst, t.x.limits.first(), http1.TimeoutFirstByte)
	t.x.watch()
}

// start starts a limit of length d, or none for 0.
func (t *attempt2) start(which int, d time.Duration, limit http1.Timeout) {
	if d <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended || which == timerFirst && t.resp != nil:
	case t.timers[which] == nil:
		t.timers[which] = time.AfterFunc(d, func() { t.cancel(&http1.TimeoutError{Limit: limit}) })
	default:
		t.timers[which].Reset(d)
	}
}

func (t *attempt2) stop(which int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timers[which] != nil {
		t.timers[which].Stop()
	}
}

// Read reads the response's body.
func (t *attempt2) Read(p []byte) (int, error) {
	t.start(timerRead, t.x.limits.read, http1.TimeoutRead)
	n, err := t.resp.Body.Read(p)
	t.stop(timerRead)
	if err != nil && err != io.EOF {
		err = t.explain(err)
	}
	return n, err
}

// Close ends the attempt.
func (t *attempt2) Close() error {
	t.close()
	return nil
}

func (t *attempt2) close() {
	t.mu.Lock()
	t.ended = true
	for _, timer := range t.timers {
		if timer != nil {
			timer.Stop()
		}
	}
	t.mu.Unlock()
	if t.resp != nil {
		t.resp.Body.Close()
	}
	t.cancel(nil)
}
