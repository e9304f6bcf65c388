package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

// answer is what an attempt has brought: the head of a response, whose body
// follows, or a failure.
type answer struct {
	failed  bool
	failure plan.Failure
	by      int   // the hop that found the failure out
	sent    bool  // the request, or a part of it, was on its way
	refused bool  // the upstream said that it has not looked at the request
	err     error // what lies beneath

	status  int
	fields  header.Fields
	length  int64 // -1: not known
	upgrade string
	body    source
	took    time.Duration

	endpoint *upstream.Endpoint // begun, and not yet done
	conn     *upstream.Conn     // of an HTTP/1.1 answer
	stream   *attempt2          // of an HTTP/2 answer
}

// forward sends the request to the backend, as often as it takes, and the
// answer back.
func (x *exchange) forward() {
	x.limits = limitsOf(&x.out)
	x.up.max = x.out.MaxBody
	x.repeat = idempotent(x.req.Method)
	x.cluster = x.p.o.Upstreams.Cluster(x.out.Backend)
	if err := x.cluster.Acquire(); err != nil {
		x.answer = answer{by: x.last()}
		x.failOf(err)
		x.tellFailure()
		return
	}
	defer x.cluster.Release()
	x.prepareMirrors()
	if x.up.whole {
		x.timeLeft() // starts the total limit
		x.watch()
	}
	for {
		x.attempt()
		if !x.another() {
			break
		}
	}
	x.mirror()
	if x.answer.failed {
		x.tellFailure()
		return
	}
	x.deliver()
}

// last is the number of the hop that asks the upstream.
func (x *exchange) last() int { return x.out.Forwarder() }

// attempt asks one endpoint.
func (x *exchange) attempt() {
	x.answer = answer{by: x.last()}
	e, err := x.pick()
	if err != nil {
		x.failOf(err)
		return
	}
	x.attempts++
	x.record.Endpoint = e.Address()
	x.answer.endpoint = e
	e.Begin()
	x.began = x.now()
	x.asked = x.began
	if x.overHTTP2() {
		x.tryHTTP2(e)
	} else {
		x.tryHTTP1(e)
	}
	if x.answer.failed {
		x.done(resultOf(&x.answer))
		return
	}
	x.answer.took = x.now().Sub(x.began)
	x.record.Wait, x.record.UpstreamStatus = x.answer.took, x.answer.status
}

// overHTTP2 tells what is spoken to the upstream.
func (x *exchange) overHTTP2() bool {
	switch x.out.Backend.Protocol {
	case plan.HTTP2:
		return true
	case plan.SameAsClient:
		return x.req.Major == 2
	}
	return false
}

// pick chooses an endpoint; another one than those that have failed, unless the
// policy says otherwise.
func (x *exchange) pick() (*upstream.Endpoint, error) {
	tried := x.tried
	if x.out.Inner().Retry.SameEndpoint {
		tried = nil
	}
	e, err := x.cluster.Pick(x.ctx, upstream.Hash(x.out.HashKey), x.out.Hashed, tried)
	if err == nil {
		x.tried = append(x.tried, e)
	}
	return e, err
}

// done counts the attempt out.
func (x *exchange) done(r upstream.Result) {
	if e := x.answer.endpoint; e != nil {
		x.answer.endpoint = nil
		e.Done(r)
	}
}

// abandon ends the attempt, whatever it has brought so far.
func (x *exchange) abandon() {
	x.up.stop()
	x.underWay(nil, nil)
	a := &x.answer
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
	if a.stream != nil {
		a.stream.close()
		a.stream = nil
	}
	x.done(upstream.NoResult)
}

// failOf makes err the answer.
func (x *exchange) failOf(err error) {
	a := &x.answer
	a.failed, a.err = true, err
	a.failure, a.by = x.failureOf(err)
}

// failureOf tells what an error of the upstream means, and whose hop's it is.
func (x *exchange) failureOf(err error) (plan.Failure, int) {
	var dial *upstream.DialError
	var timeout *http1.TimeoutError
	var protocol *http1.ProtocolError
	last := x.last()
	switch {
	case x.gone.Load(), errors.Is(err, errClientGone):
		return plan.ClientGone, last
	case x.ctx.Err() != nil:
		x.gone.Store(true)
		return plan.ClientGone, last
	case errors.As(err, &dial):
		return x.dialFailure(dial), last
	case errors.Is(err, context.DeadlineExceeded):
		return plan.Timeout, x.limits.totalBy
	case errors.Is(err, upstream.ErrNoneHealthy):
		return plan.NoneHealthy, last
	case errors.Is(err, upstream.ErrOverflow):
		return plan.Overflow, last
	case errors.As(err, &timeout):
		switch timeout.Limit {
		case http1.TimeoutTotal:
			return plan.Timeout, x.limits.totalBy
		case http1.TimeoutFirstByte:
			return plan.Timeout, x.limits.firstBy(last)
		case http1.TimeoutRead:
			return plan.Timeout, x.limits.readBy
		}
		return plan.Timeout, last
	case upstream.StreamReset(err):
		return plan.RemoteReset, last
	case errors.As(err, &protocol), errors.Is(err, errNotAsked):
		return plan.BadResponse, last
	}
	return plan.Reset, last
}

// errNotAsked is a 101 to a request that asked for no upgrade.
var errNotAsked = errors.New("proxy: the upstream switches protocols unasked")

func (x *exchange) dialFailure(d *upstream.DialError) plan.Failure {
	switch d.Reason {
	case upstream.DNSFailed:
		return plan.NoneHealthy
	case upstream.Timeout:
		if left, ok := x.timeLeft(); ok && left <= 0 {
			return plan.Timeout
		}
		return plan.ConnectTimeout
	case upstream.Canceled:
		return plan.ClientGone
	}
	return plan.ConnectFailure
}

// ours tells whether nobody was asked: what should have been sent cannot be
// written.
func (a *answer) ours() bool {
	var bad *http1.FieldError
	return !a.sent && errors.As(a.err, &bad)
}

// resultOf is what a failure says about the endpoint.
func resultOf(a *answer) upstream.Result {
	if a.ours() {
		return upstream.NoResult
	}
	switch a.failure {
	case plan.ConnectFailure, plan.ConnectTimeout:
		return upstream.ConnectFailed
	case plan.Timeout:
		return upstream.TimedOut
	case plan.Reset, plan.RemoteReset, plan.BadResponse:
		return upstream.WasReset
	}
	return upstream.NoResult
}
