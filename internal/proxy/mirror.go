package proxy

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

const (
	// maxMirrorBody is how much of a body is kept for mirrors, in bytes; a
	// request with a longer one is not mirrored.
	maxMirrorBody = 1 << 20
	// maxMirrors is how many copies may be under way; more are not sent.
	maxMirrors = 256
	// mirrorTime bounds a copy whose route has no limit.
	mirrorTime = 15 * time.Second
)

// prepareMirrors makes the upload keep enough for mirrors.
func (x *exchange) prepareMirrors() {
	if len(x.out.Mirrors) > 0 {
		x.up.keep = maxMirrorBody
		x.up.lost = x.req.ContentLength > maxMirrorBody
	}
}

// mirror sends copies of the request to its mirrors, as soon as it is whole;
// nobody waits for them. Host stays as it is: since 1.28 Istio adds no "-shadow"
// (DISABLE_SHADOW_HOST_SUFFIX).
func (x *exchange) mirror() {
	if len(x.out.Mirrors) == 0 || x.up.running != nil {
		return
	}
	mirrors := x.out.Mirrors
	x.out.Mirrors = mirrors[:0]
	defer clear(mirrors)
	if !x.up.whole || x.up.lost || x.up.err != nil {
		x.p.count.notMirrored.Add(uint64(len(mirrors)))
		return
	}
	c := &mirrored{p: x.p, request: x.req, body: append([]byte(nil), x.up.kept...), limit: mirrorTime}
	c.request.Header = x.req.Header.Clone()
	if x.limits.total > 0 {
		c.limit = x.limits.total
	}
	for _, m := range mirrors {
		if m.Backend.Missing != "" || m.Backend.Next != nil {
			continue // Istio too sends nothing to a mirror that is not there
		}
		select {
		case x.p.mirrors <- struct{}{}:
			x.p.count.mirrored.Add(1)
			go c.send(m.Backend)
		default:
			x.p.count.notMirrored.Add(1)
		}
	}
}

// mirrored is a copy of a request.
type mirrored struct {
	p       *Proxy
	request match.Request
	body    []byte
	limit   time.Duration
}

// send sends the copy to one mirror and throws the answer away.
func (c *mirrored) send(b *plan.Backend) {
	defer func() {
		<-c.p.mirrors
		if v := recover(); v != nil {
			c.p.panicked(v)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), c.limit)
	defer cancel()
	cl := c.p.o.Upstreams.Cluster(b)
	if cl.Acquire() != nil {
		return
	}
	defer cl.Release()
	e, err := cl.Pick(ctx, 0, false, nil)
	if err != nil {
		return
	}
	e.Begin()
	if b.Protocol == plan.HTTP2 || b.Protocol == plan.SameAsClient && c.request.Major == 2 {
		e.Done(c.overHTTP2(ctx, e))
		return
	}
	e.Done(c.overHTTP1(ctx, e))
}

func (c *mirrored) overHTTP1(ctx context.Context, e *upstream.Endpoint) upstream.Result {
	conn, err := e.Conn(ctx, upstream.Want{Sure: true})
	if err != nil {
		return upstream.ConnectFailed
	}
	r := &c.request
	h := http1.RequestHead{Method: r.Method, Target: r.Target, Host: r.Host, Fields: r.Header, ContentLength: int64(len(c.body))}
	if len(c.body) > 0 {
		h.Framing = http1.Length
	} else if noLength(r.Method) {
		h.ContentLength = -1
	}
	conn.LimitTotal(c.limit)
	if conn.Begin(&h) != nil {
		conn.Close()
		return upstream.NoResult
	}
	conn.Write(c.body)
	conn.End(nil)
	resp, err := conn.ReadResponse(nil)
	if err != nil {
		conn.Close()
		return upstream.WasReset
	}
	status := resp.Status
	if _, err := io.Copy(io.Discard, &conn.Body); err != nil || status == 101 {
		conn.Close()
		return upstream.Result(status)
	}
	e.Put(conn)
	return upstream.Result(status)
}

func (c *mirrored) overHTTP2(ctx context.Context, e *upstream.Endpoint) upstream.Result {
	req := request2(ctx, &c.request)
	if len(c.body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(string(c.body))), int64(len(c.body))
	}
	resp, err := e.RoundTrip(req)
	if err != nil {
		return upstream.WasReset
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return upstream.Result(resp.StatusCode)
}
