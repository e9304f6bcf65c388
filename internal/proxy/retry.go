package proxy

import (
	"slices"
	"strconv"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// idempotent tells whether the method may be sent twice: all but POST, LOCK
// and PATCH, as NGINX has it.
func idempotent(method string) bool { return method != "POST" && method != "LOCK" && method != "PATCH" }

// another decides about another attempt after the one that x.answer is of, and
// prepares it. The policy is that of the hop that found the failure out: a
// limit between two reads that the edge sets ends the edge's own try.
func (x *exchange) another() bool {
	a := &x.answer
	by := x.last()
	if a.failed {
		by = a.by
	}
	f, ok := x.out.Hops()[by].Route.Action.(*plan.Forward)
	if !ok || f.Retry.Attempts <= 0 || !wanted(&f.Retry, a) {
		return false
	}
	if x.gone.Load() || !x.repeatable(&f.Retry) {
		return false
	}
	if x.retries[by] >= f.Retry.Attempts {
		x.record.Flags |= telemetry.RetriesExceeded
		return false
	}
	if x.cluster.AcquireRetry() != nil {
		x.record.Flags |= telemetry.UpstreamOverflow
		return false
	}
	defer x.cluster.ReleaseRetry()
	if !a.failed {
		x.dropAnswer()
	}
	x.retries[by]++
	if x.out.Hops()[by].Listener.Dialect == plan.Envoy && x.req.Header.Has(attemptCount) {
		x.req.Header.Set(attemptCount, strconv.Itoa(x.retries[by]+1))
	}
	return x.backoff(f.Retry.Backoff, x.retries[by])
}

const attemptCount = "x-envoy-attempt-count"

// repeatable tells whether the request can be sent again.
func (x *exchange) repeatable(r *plan.Retry) bool {
	if r.IdempotentOnly && x.answer.sent && !x.repeat {
		return false
	}
	return x.up.replayable()
}

// dropAnswer throws a response away that is to be replaced by another attempt's.
func (x *exchange) dropAnswer() {
	result := x.result()
	x.up.stop()
	x.underWay(nil, nil)
	if c := x.answer.conn; c != nil {
		x.answer.conn = nil
		if c.Body.Done() {
			x.putBack(c)
		} else {
			c.Close()
		}
	}
	if s := x.answer.stream; s != nil {
		x.answer.stream = nil
		s.close()
	}
	x.done(result)
}

// backoff waits before the nth retry: up to base times 2^n - 1, but no more than
// ten times base, at random (Envoy, retry_back_off). false: the client is gone,
// or the time for the whole is over.
func (x *exchange) backoff(base time.Duration, n int) bool {
	d := time.Duration(0)
	if base > 0 {
		most := min(base*time.Duration(1<<min(n, 10)-1), 10*base)
		d = time.Duration(x.p.o.World.Chance() * float64(most))
	}
	if left, ok := x.timeLeft(); ok && left <= d {
		x.pause(max(left, 0))
		x.answer = answer{failed: true, failure: plan.Timeout, by: x.limits.totalBy}
		return false
	}
	if d > 0 && !x.pause(d) {
		x.answer = answer{failed: true, failure: plan.ClientGone, by: x.last()}
		return false
	}
	return true
}

// wanted tells whether the policy names what has happened.
func wanted(r *plan.Retry, a *answer) bool {
	if a.failed {
		return !a.ours() && wantedFailure(r.On, a)
	}
	return wantedStatus(r, a)
}

// wantedFailure follows Envoy's retry_state_impl wouldRetryFromReset, and
// proxy_next_upstream at the edge.
func wantedFailure(on plan.RetryOn, a *answer) bool {
	switch a.failure {
	case plan.ConnectFailure, plan.ConnectTimeout:
		if on&plan.OnConnectFailure != 0 {
			return true
		}
	case plan.Reset, plan.RemoteReset, plan.BadResponse:
		if a.refused && on&plan.OnRefusedStream != 0 {
			return true
		}
	case plan.Timeout:
	default: // overflow, none healthy, client gone
		return false
	}
	if on&plan.OnTimeout != 0 && (a.failure == plan.Timeout || a.failure == plan.ConnectTimeout) {
		return true
	}
	if on&plan.OnResetBeforeRequest != 0 && !a.sent {
		return true
	}
	return on&(plan.OnReset|plan.On5xx|plan.OnGatewayError) != 0
}

// wantedStatus follows Envoy's retry_state_impl wouldRetryFromHeaders.
func wantedStatus(r *plan.Retry, a *answer) bool {
	if a.fields.Has("x-envoy-ratelimited") {
		return r.On&plan.OnEnvoyRateLimited != 0
	}
	switch s := a.status; {
	case r.On&plan.On5xx != 0 && s >= 500 && s < 600,
		r.On&plan.OnGatewayError != 0 && s >= 502 && s <= 504,
		r.On&plan.OnRetriable4xx != 0 && s == 409,
		r.On&plan.OnRetriableStatus != 0 && slices.Contains(r.Codes, s):
		return true
	}
	return r.On&grpcReasons(a.fields) != 0
}

// grpcReasons are the reasons that a gRPC status in the head stands for.
func grpcReasons(f header.Fields) plan.RetryOn {
	switch f.Value("grpc-status") {
	case "1":
		return plan.OnGRPCCancelled
	case "4":
		return plan.OnGRPCDeadline
	case "8":
		return plan.OnGRPCExhausted
	case "13":
		return plan.OnGRPCInternal
	case "14":
		return plan.OnGRPCUnavailable
	}
	return 0
}

// result is what the response says about the endpoint: its status, or what its
// gRPC status stands for.
func (x *exchange) result() upstream.Result {
	switch x.answer.fields.Value("grpc-status") {
	case "", "0":
		return upstream.Result(x.answer.status)
	case "4":
		return 504
	case "13", "2", "15":
		return 500
	case "14":
		return 503
	}
	return upstream.Result(x.answer.status)
}
