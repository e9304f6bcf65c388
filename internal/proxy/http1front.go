package proxy

import (
	"errors"
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
)

// serveHTTP1 serves requests over HTTP/1.1 until the connection ends; over
// HTTP/2 when a plain connection begins with its preface.
func (c *conn) serveHTTP1() {
	h := c.p.h1.NewConn(c.wire)
	c.speaks(h)
	defer h.Close()
	for {
		head, err := h.ReadRequest()
		if errors.Is(err, http1.ErrHTTP2) {
			c.speaks(nil)
			c.serveHTTP2(h.Hijack())
			return
		}
		if err != nil {
			c.refused(err)
			return
		}
		if !c.exchangeHTTP1(h, head) {
			h.Abort()
			return
		}
	}
}

// refused records a message that was refused by the engine, which has answered
// it already.
func (c *conn) refused(err error) {
	var p *http1.ProtocolError
	if !errors.As(err, &p) || c.p.o.Metrics == nil && !c.p.o.AccessLog.Enabled() {
		return
	}
	x := telemetry.Exchange{
		Listener: c.key, Client: c.remote, Secure: c.secure, Start: time.Now(), Wait: -1, Major: 1, Minor: 1,
		Status: p.Status, Flags: telemetry.ClientProtocol, Reason: p.Reason,
	}
	c.p.recordOne(&x)
}

// exchangeHTTP1 carries one request out; false when the connection must be
// aborted.
func (c *conn) exchangeHTTP1(h *http1.ServerConn, head *http1.RequestHead) bool {
	x := c.p.take(c, h, c.ctx, c.cancel)
	defer c.p.give(x)
	c.carries(x)
	defer c.carries(nil)
	r := &x.req
	r.Major, r.Minor = 1, 1
	if head.HTTP10 {
		r.Minor = 0
	}
	r.Method, r.Host, r.Target = head.Method, head.Host, head.PathQuery()
	for i := range head.Fields {
		switch head.Fields[i].Name {
		case "host", "content-length", "expect":
		default:
			r.Header = append(r.Header, head.Fields[i])
		}
	}
	http1.RemoveHopByHop(&r.Header)
	switch head.Framing {
	case http1.Length:
		r.ContentLength = head.ContentLength
	case http1.Chunked:
		r.ContentLength = -1
	}
	x.upgrade, x.lines = head.Upgrade, head.Lines
	r.Upgrade = head.Upgrade
	x.up.begin(&h.Body, r.ContentLength)
	var refused func(*plan.Listener) *plan.Reply
	switch {
	case head.Form == http1.Authority:
		r.Target, refused = "/", refuseConnect
	case head.Form == http1.Asterisk:
		refused = refuseAsterisk
	case head.HTTP10:
		refused = refuseHTTP10
	}
	x.run(refused)
	return !x.broken
}

// What NGINX refuses is for the walk to say. An Istio gateway refuses some
// requests before it reads any rule.

// refuseConnect: Envoy tunnels only where it is told to.
func refuseConnect(l *plan.Listener) *plan.Reply {
	return unlessEdge(l, plan.Reply{Status: 403, Reason: "a gateway does not serve CONNECT"})
}

// refuseAsterisk: no route of Envoy takes what is not a path.
func refuseAsterisk(l *plan.Listener) *plan.Reply {
	return unlessEdge(l, plan.Reply{Status: 404, Reason: "no route takes the target *"})
}

// refuseHTTP10: Envoy asks for a newer version.
func refuseHTTP10(l *plan.Listener) *plan.Reply {
	return unlessEdge(l, plan.Reply{Status: 426, Reason: "a gateway does not serve HTTP/1.0"})
}

func unlessEdge(l *plan.Listener, r plan.Reply) *plan.Reply {
	if l.Dialect == plan.NGINX {
		return nil
	}
	return &r
}
