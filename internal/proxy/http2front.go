package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// maxStreams is how many requests a connection may have under way; NGINX's
// default.
const maxStreams = 128

// setUpHTTP2 prepares x/net's server.
func (p *Proxy) setUpHTTP2() {
	limits := p.o.Limits
	if limits.HeaderBytes <= 0 {
		limits.HeaderBytes = http1.DefaultLimits().HeaderBytes
	}
	p.hs = &http.Server{MaxHeaderBytes: limits.HeaderBytes, ErrorLog: log.New(io.Discard, "", 0)}
	p.h2 = &http2.Server{
		MaxConcurrentStreams:         maxStreams,
		MaxReadFrameSize:             16 << 10,
		MaxUploadBufferPerConnection: 1 << 20,
		MaxUploadBufferPerStream:     256 << 10,
		IdleTimeout:                  max(p.o.Timeouts.Idle, 0),
		WriteByteTimeout:             max(p.o.Timeouts.Write, 0),
	}
	if err := http2.ConfigureServer(p.hs, p.h2); err != nil {
		p.o.Log.Error("HTTP/2 cannot be set up", "error", err)
	}
}

// serveHTTP2 serves requests over HTTP/2 until the connection ends.
func (c *conn) serveHTTP2(nc net.Conn) {
	c.p.h2.ServeConn(nc, &http2.ServeConnOpts{Context: c.ctx, BaseConfig: c.p.hs, Handler: c})
}

// ServeHTTP carries one request out.
func (c *conn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.exchangeHTTP2(w, r) {
		return
	}
	panic(http.ErrAbortHandler) // resets the stream
}

// exchangeHTTP2 carries one request out; false when the stream must be reset.
func (c *conn) exchangeHTTP2(w http.ResponseWriter, r *http.Request) bool {
	near := &http2client{w: w, r: r}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	x := c.p.take(c, near, ctx, cancel)
	defer c.p.give(x)
	q := &x.req
	q.Major, q.Minor = 2, 0
	q.Method, q.Host, q.Target = r.Method, r.Host, r.RequestURI
	for _, f := range fieldsOf(r.Header) {
		switch f.Name {
		case "host", "content-length", "expect":
		default:
			q.Header = append(q.Header, f)
		}
	}
	for name := range r.Trailer { // x/net has taken the line that announces them
		q.Header.Add("trailer", strings.ToLower(name))
	}
	http1.RemoveHopByHop(&q.Header)
	q.ContentLength = r.ContentLength
	body := &stream{r: r.Body, done: r.Body == nil || r.Body == http.NoBody, trailers: func() header.Fields { return fieldsOf(r.Trailer) }}
	if body.done {
		q.ContentLength = 0
	}
	defer body.release()
	x.up.begin(body, q.ContentLength)
	var refused func(*plan.Listener) *plan.Reply
	switch {
	case r.Method == http.MethodConnect:
		q.Target, refused = "/", refuseConnect
	case q.Target == "*" && q.Method == http.MethodOptions:
		refused = refuseAsterisk
	case q.Target == "" || q.Target[0] != '/' || !http1.ValidHost(q.Host):
		q.Target, refused = "/", refuseForm
	}
	x.run(refused)
	return !x.broken
}

// refuseForm: what HTTP/1.1's parser refuses is refused here too.
func refuseForm(*plan.Listener) *plan.Reply {
	return &plan.Reply{Status: 400, Reason: "the :path or :authority is not valid"}
}

// http2client is the near side of an exchange over HTTP/2.
type http2client struct {
	w     http.ResponseWriter
	r     *http.Request
	begun bool
	none  bool // the answer has no body

	unwatch func() bool
	left    chan struct{} // closed when gone has returned
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
	return h.w.Write(p)
}

func (h *http2client) Flush() error {
	if f, ok := h.w.(interface{ FlushError() error }); ok {
		return f.FlushError()
	}
	return errors.ErrUnsupported
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

// StopReading ends reads of the body for good.
func (h *http2client) StopReading() { h.r.Body.Close() }

// Watch calls gone when the stream or its connection has ended.
func (h *http2client) Watch(_ time.Duration, gone func()) {
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
