package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/match"
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
	timers [3]*time.Timer
}

// The timers of an attempt.
const (
	timerFirst = iota
	timerRead
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

// request2 makes r a request over HTTP/2, without its body. The target goes out
// byte for byte.
func request2(ctx context.Context, r *match.Request) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	req := &http.Request{
		Method: r.Method, Host: r.Host, Header: h, Proto: "HTTP/2.0", ProtoMajor: 2,
		URL: &url.URL{Scheme: "http", Host: r.Host, Opaque: "//" + r.Host + r.Target},
	}
	for i := range r.Header {
		name := http.CanonicalHeaderKey(r.Header[i].Name)
		if name == "Trailer" {
			declare(req, r.Header[i].Value)
			continue
		}
		h[name] = append(h[name], r.Header[i].Value)
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // none of net/http's own
	}
	return req.WithContext(ctx)
}

// declare announces the trailers that the client has announced: others cannot
// be sent over HTTP/2.
func declare(req *http.Request, names string) {
	for name := range strings.SplitSeq(names, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if http1.ValidTrailer(name) {
			if req.Trailer == nil {
				req.Trailer = http.Header{}
			}
			req.Trailer[http.CanonicalHeaderKey(name)] = nil
		}
	}
}

// fieldsOf makes fields of a map, by name.
func fieldsOf(h http.Header) header.Fields {
	if len(h) == 0 {
		return nil
	}
	f := make(header.Fields, 0, len(h)+4)
	for name, values := range h {
		name = strings.ToLower(name)
		for _, v := range values {
			f.Add(name, v)
		}
	}
	slices.SortStableFunc(f, func(a, b header.Field) int { return strings.Compare(a.Name, b.Name) })
	return f
}

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
	defer func() {
		if v := recover(); v != nil {
			r.u.x.p.panicked(v)
			r.u.failed(errClientGone)
			err = errClientGone
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
