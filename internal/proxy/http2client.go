package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
)

// http2client is the near side of an exchange over HTTP/2: what
// http1.ServerConn is over HTTP/1.1. It is the reader of the request's body too.
type http2client struct {
	w      http.ResponseWriter
	r      *http.Request
	limits *http1.Timeouts
	begun  bool
	none   bool // the answer has no body

	read, write limit
	slow        atomic.Bool // the body did not come in time
	mu          sync.Mutex  // guards:
	ended       bool        // w must not be used any more

	unwatch func() bool
	left    chan struct{} // closed when gone has returned
}

// limit bounds one wait after another with one timer.
type limit struct{ timer *time.Timer }

func (l *limit) start(d time.Duration, over func()) {
	switch {
	case d <= 0:
	case l.timer == nil:
		l.timer = time.AfterFunc(d, over)
	default:
		l.timer.Reset(d)
	}
}

func (l *limit) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// end ends the use of h, before the handler returns.
func (h *http2client) end() {
	h.write.stop()
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
}

// Read reads the request's body. A gRPC stream may be quiet as long as it likes.
func (h *http2client) Read(p []byte) (int, error) {
	if !strings.HasPrefix(h.r.Header.Get("Content-Type"), "application/grpc") {
		h.read.start(h.limits.Read, h.tooSlow)
	}
	n, err := h.r.Body.Read(p)
	h.read.stop()
	if err != nil && h.slow.Load() {
		err = &http1.TimeoutError{Limit: http1.TimeoutRead}
	}
	return n, err
}

func (h *http2client) tooSlow() {
	h.slow.Store(true)
	h.r.Body.Close()
}

// Close ends reads of the body for good.
func (h *http2client) Close() error { return h.r.Body.Close() }

// StopReading is Close, for client.
func (h *http2client) StopReading() { h.r.Body.Close() }

// reset ends the stream of a client that takes nothing.
func (h *http2client) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		http.NewResponseController(h.w).SetWriteDeadline(time.Unix(1, 0))
	}
}

func (h *http2client) Begin(status int, fields header.Fields, length int64) error {
	if h.begun || status < 200 {
		return http1.ErrState
	}
	for i := range fields {
		if !http1.ValidName(fields[i].Name) || !http1.ValidValue(fields[i].Value) {
			return &http1.FieldError{Name: fields[i].Name}
		}
	}
	out := h.w.Header()
	out["Content-Type"] = nil // nothing is guessed
	put(out, fields)
	if length > 0 || length == 0 && status != 204 && !fields.Has("grpc-status") {
		out["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	h.begun, h.none = true, status == 204 || status == 304 || h.r.Method == http.MethodHead
	h.w.WriteHeader(status)
	return nil
}

// put adds the fields that exist in HTTP/2.
func put(out http.Header, fields header.Fields) {
	for i := range fields {
		name := fields[i].Name
		switch name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length":
			continue
		case "content-type":
			name = "Content-Type"
		case "date":
			name = "Date"
		}
		out[name] = append(out[name], fields[i].Value)
	}
}

func (h *http2client) Write(p []byte) (int, error) {
	if h.none {
		return len(p), nil
	}
	h.write.start(h.limits.Write, h.reset)
	n, err := h.w.Write(p)
	h.write.stop()
	return n, err
}

func (h *http2client) Flush() error {
	f, ok := h.w.(interface{ FlushError() error })
	if !ok {
		return errors.ErrUnsupported
	}
	h.write.start(h.limits.Write, h.reset)
	err := f.FlushError()
	h.write.stop()
	return err
}

// End says the trailers; the stream ends when the handler returns.
func (h *http2client) End(trailers header.Fields) error {
	out := h.w.Header()
	for i := range trailers {
		name := http.TrailerPrefix + http.CanonicalHeaderKey(trailers[i].Name)
		out[name] = append(out[name], trailers[i].Value)
	}
	return nil
}

func (h *http2client) Interim(status int, fields header.Fields) error {
	if h.begun || status < 102 || status > 199 {
		return nil
	}
	out := h.w.Header()
	put(out, fields)
	h.w.WriteHeader(status)
	clear(out)
	return nil
}

func (h *http2client) Begun() bool { return h.begun }

// Watch calls gone when the stream or its connection has ended.
func (h *http2client) Watch(_ time.Time, gone func()) {
	h.left = make(chan struct{})
	h.unwatch = context.AfterFunc(h.r.Context(), func() {
		defer close(h.left)
		gone()
	})
}

func (h *http2client) Unwatch() {
	if h.unwatch != nil && !h.unwatch() {
		<-h.left
	}
}

// Hijack is never asked for: there are no upgrades in HTTP/2.
func (h *http2client) Hijack() net.Conn { return nil }

// Shutdown does nothing: other streams go on.
func (h *http2client) Shutdown() {}
