package proxy

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"

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
	near := &http2client{w: w, r: r, limits: &c.p.o.Timeouts}
	defer near.end()
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
	body := &stream{r: near, trailers: func() header.Fields { return fieldsOf(r.Trailer) }}
	if r.Body == nil || r.Body == http.NoBody {
		body.done.Store(true)
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
	if x.hangsUp() {
		c.nc.Close() // the other streams go with it
	}
	return !x.broken
}

// refuseForm: what HTTP/1.1's parser refuses is refused here too.
func refuseForm(*plan.Listener) *plan.Reply {
	return &plan.Reply{Status: 400, Reason: "the :path or :authority is not valid"}
}
