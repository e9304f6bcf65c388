package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// exchange is one request on its way, and its answer. It is used again for
// other requests, so that a request needs little memory of its own.
type exchange struct {
	p      *Proxy
	client client
	ctx    context.Context    // ends when the client is gone
	cancel context.CancelFunc // ends ctx

	listener *plan.Listener
	req      match.Request
	upgrade  string // what the client wants to upgrade to; "" for nothing
	lines    http1.Lines
	out      plan.Outcome
	record   telemetry.Exchange
	up       upload
	watching bool
	broken   bool // the client must see that its answer is not whole

	// Of forwarding.
	limits   limits
	cluster  *upstream.Cluster
	answer   answer
	tried    []*upstream.Endpoint
	retries  [maxPolicies]int // retries made by the policy of each hop
	attempts int
	repeat   bool      // the method may be sent twice (RFC 9110 section 9.2.2)
	deadline time.Time // of limits.total; zero until the request is whole
	began    time.Time // the attempt under way, and
	asked    time.Time // when it had its connection

	// gone says that the client went away. Whoever finds that out interrupts
	// what is under way.
	gone      atomic.Bool
	mu        sync.Mutex          // guards:
	conn      *http1.ClientConn   // under way
	cancelTry func(because error) // ends an attempt over HTTP/2

	// Memory, and functions made once.
	world     world
	fields    header.Fields
	reply     header.Fields
	head      http1.RequestHead
	onInterim func(*http1.ResponseHead) error
	onGone    func()
}

// maxPolicies is more than the hops that a request can pass.
const maxPolicies = 8

func newExchange(p *Proxy) *exchange {
	x := &exchange{p: p, fields: make(header.Fields, 0, 32)}
	x.up.x = x
	x.world = world{p.o.World, x}
	x.onInterim = func(h *http1.ResponseHead) error { return x.interim(h.Status, h.Fields) }
	x.onGone = x.leave
	return x
}

// take returns an exchange for a request that came by c.
func (p *Proxy) take(c *conn, near client, ctx context.Context, cancel context.CancelFunc) *exchange {
	x := p.pool.Get().(*exchange)
	x.client, x.ctx, x.cancel = near, ctx, cancel
	x.record.Start = time.Now()
	x.record.Listener, x.record.Client, x.record.Secure = c.key, c.remote, c.secure
	x.record.Wait = -1
	x.req = match.Request{Peer: c.remote.Addr(), PeerText: c.peer, Secure: c.secure, SNI: c.sni, Header: x.fields[:0]}
	return x
}

// give ends the use of x.
func (p *Proxy) give(x *exchange) {
	x.up.reset()
	clear(x.tried)
	clear(x.req.Header) // who makes it shorter clears what is behind
	if f := x.req.Header; cap(f) <= 128 {
		x.fields = f[:0]
	} else {
		clear(x.fields[:cap(x.fields)])
	}
	clear(x.reply[:cap(x.reply)])
	mirrors := x.out.Mirrors
	clear(mirrors)
	x.client, x.ctx, x.cancel, x.listener, x.cluster = nil, nil, nil, nil, nil
	x.req, x.record, x.answer, x.head = match.Request{}, telemetry.Exchange{}, answer{}, http1.RequestHead{}
	x.out.Leave()
	x.out = plan.Outcome{Mirrors: mirrors[:0]}
	x.lines = http1.Lines{}
	x.upgrade, x.watching, x.broken, x.limits, x.attempts, x.deadline = "", false, false, limits{}, 0, time.Time{}
	x.tried, x.retries = x.tried[:0], [maxPolicies]int{}
	x.gone.Store(false)
	p.pool.Put(x)
}

// run carries the request out, from the plan to the record. x.req is what the
// client sent. refused, where it is not nil, is the answer of the listener to
// a request for which no rule is read.
func (x *exchange) run(refused func(*plan.Listener) *plan.Reply) {
	defer x.end()
	p := x.p.o.Plan()
	x.listener = p.Listener(x.record.Listener)
	x.received()
	if x.listener == nil {
		x.unplanned()
		return
	}
	if refused != nil {
		if r := refused(x.listener); r != nil {
			x.out.Refuse(x.listener, &x.req, *r)
			x.respond()
			return
		}
	}
	p.Walk(x.listener, &x.req, &x.world, nil, &x.out)
	if x.up.err != nil { // the body could not be read for a check
		x.tellUpload(x.up.err)
		return
	}
	if x.gone.Load() {
		x.left()
		return
	}
	if x.out.Delay > 0 {
		x.watch()
		if !x.pause(x.out.Delay) {
			x.left()
			return
		}
	}
	switch {
	case x.out.Kind == plan.ToForward:
		x.forward()
	case x.hangsUp():
		x.broken, x.record.Reason = true, x.out.Reply.Reason
	default:
		x.respond()
	}
}

// watch looks out for the client's close from now on, until finish. While its
// body is still to come, whoever reads that learns of the close.
func (x *exchange) watch() {
	if !x.watching && x.up.whole {
		x.watching = true
		x.client.Watch(x.record.Start.Add(watchAfter), x.onGone)
	}
}

// watchAfter is when a look-out for the client's close begins, counted from the
// request: quick answers do not pay for it. A connection's timer fires once in so
// long while requests go by, which at 100 ms was one firing for six requests of
// 2,000 a second.
const watchAfter = time.Second

// end catches a panic and writes the record.
func (x *exchange) end() {
	if v := recover(); v != nil {
		x.p.panicked(v)
		x.failed()
	}
	x.finish()
}

// failed answers 500 after a failure of our own, where nothing was answered yet.
func (x *exchange) failed() {
	x.abandon()
	x.record.Reason = "doorward failed"
	if x.client.Begun() {
		x.broken = true
		return
	}
	x.client.Shutdown()
	x.plain(500, "internal error\n")
}

// plain answers without a plan.
func (x *exchange) plain(status int, text string) {
	x.record.Status = status
	x.record.Sent = int64(len(text))
	fields := header.Fields{{Name: "content-type", Value: "text/plain"}}
	x.send(status, fields, text)
}

// unplanned answers on a socket whose listener is not in the plan.
func (x *exchange) unplanned() {
	x.record.Reason = "the plan has no listener " + x.record.Listener
	x.client.Shutdown()
	x.plain(503, "no listener "+x.record.Listener+" in the plan\n")
}

// respond sends Outcome.Reply.
func (x *exchange) respond() {
	r := &x.out.Reply
	x.record.Status, x.record.Reason = r.Status, r.Reason
	fields := append(x.reply[:0], r.Header...)
	x.out.EditResponse(r.Status, &fields, 0, false)
	x.tellReason(&fields, r.Reason)
	x.reply = fields
	if r.Status == 413 {
		x.client.Shutdown() // what is left of the body is not read
	}
	x.send(r.Status, fields, r.Body)
}

// hangsUp tells whether the client's connection ends without an answer.
func (x *exchange) hangsUp() bool { return x.out.Kind == plan.ToRespond && x.out.Reply.Closed }

// send sends a whole answer.
func (x *exchange) send(status int, fields header.Fields, body string) {
	err := x.client.Begin(status, fields, int64(len(body)))
	var bad *http1.FieldError
	if errors.As(err, &bad) { // by a rule that edits headers
		x.p.o.Log.Error("an answer cannot be sent", "listener", x.record.Listener, "error", err)
		x.record.Status, body = 500, ""
		err = x.client.Begin(500, nil, 0)
	}
	if err == nil && body != "" {
		_, err = x.client.Write([]byte(body))
	}
	if err == nil {
		err = x.client.End(nil)
	}
	if err != nil {
		x.leave()
		x.broken = true
		return
	}
	if x.record.Method != "HEAD" {
		x.record.Sent = int64(len(body))
	}
}

// interim passes a 1xx response on. 100 is Doorward's own affair: it is sent
// when the client's body is waited for.
func (x *exchange) interim(status int, fields header.Fields) error {
	if status == 100 {
		return nil
	}
	http1.RemoveHopByHop(&fields)
	return x.client.Interim(status, fields)
}

// pause waits; false when the client went away.
func (x *exchange) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return !x.gone.Load()
	case <-x.ctx.Done():
		x.gone.Store(true)
		return false
	}
}

// leave notes that the client is gone and interrupts what is under way.
func (x *exchange) leave() {
	x.gone.Store(true)
	x.cancel()
	x.interrupt(errClientGone)
}

var errClientGone = errors.New("proxy: the client is gone")

// interrupt ends the attempt under way.
func (x *exchange) interrupt(because error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn != nil {
		x.conn.Interrupt()
	}
	if x.cancelTry != nil {
		x.cancelTry(because)
	}
}

// underWay sets what interrupt acts on. Only the exchange's own goroutine calls it.
func (x *exchange) underWay(c *http1.ClientConn, cancel func(error)) {
	if c == nil && cancel == nil && x.conn == nil && x.cancelTry == nil {
		return
	}
	x.mu.Lock()
	x.conn, x.cancelTry = c, cancel
	x.mu.Unlock()
	if x.gone.Load() && (c != nil || cancel != nil) {
		x.interrupt(errClientGone)
	}
}
