package proxy

import (
	"errors"
	"strconv"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
)

// tellFailure answers for an attempt that has failed, in the words of the hop
// that found it out.
func (x *exchange) tellFailure() {
	if x.up.err != nil {
		x.tellUpload(x.up.err)
		return
	}
	a := &x.answer
	if a.failure == plan.ClientGone {
		x.left()
		return
	}
	if a.ours() {
		x.answerAt(0, plan.Reply{Status: 400, Reason: a.err.Error()})
		return
	}
	x.record.Flags |= telemetry.FlagsOf(a.failure)
	by, retried := a.by, x.attempts > 1
	if door := len(x.out.Hops()) - 1; by == x.last() && by != door && atApplication(a.failure) {
		by, retried = door, false
	}
	reply := x.out.Hops()[by].Listener.Fail(&x.req, a.failure, retried)
	if a.err != nil {
		reply.Reason += ": " + a.err.Error()
	}
	x.answerAt(by, reply)
}

// atApplication tells whether a sidecar before the application finds the failure
// out, and answers for it: the hop before gets that answer.
func atApplication(f plan.Failure) bool {
	switch f {
	case plan.ConnectFailure, plan.ConnectTimeout, plan.Reset, plan.RemoteReset, plan.BadResponse, plan.HeaderTooBig:
		return true
	}
	return false
}

// tellUpload answers when the client's body could not be read.
func (x *exchange) tellUpload(err error) {
	var protocol *http1.ProtocolError
	switch {
	case errors.Is(err, errTooLarge):
		x.answerAt(x.bodyLimitHop(), plan.Reply{Status: 413, Reason: "the body is over " + strconv.FormatInt(x.up.max, 10) + " bytes"})
	case errors.As(err, &protocol):
		x.record.Flags |= telemetry.ClientProtocol
		x.client.Shutdown()
		x.answerAt(0, plan.Reply{Status: protocol.Status, Reason: protocol.Reason})
	case isTimeout(err):
		x.client.Shutdown()
		x.answerAt(0, plan.Reply{Status: 408, Reason: "the body did not come in time"})
	default:
		x.gone.Store(true)
		x.left()
	}
}

// bodyLimitHop is the hop whose guard bounds the body: the last that has one.
func (x *exchange) bodyLimitHop() int {
	hops := x.out.Hops()
	for i := len(hops) - 1; i > 0; i-- {
		if hops[i].Route == nil {
			continue
		}
		for _, g := range hops[i].Route.Guards {
			if _, ok := g.(*plan.BodyLimit); ok {
				return i
			}
		}
	}
	return 0
}

// answerAt makes hop i answer.
func (x *exchange) answerAt(i int, r plan.Reply) {
	x.out.AnswerAt(i, &x.req, r)
	x.respond()
}

// left ends an exchange whose client went away: nobody is answered.
func (x *exchange) left() {
	x.broken = true
	x.record.Flags |= telemetry.ClientGone
	x.record.Reason = "the client went away"
	x.record.Status = 0
	if x.listener.Dialect == plan.NGINX {
		x.record.Status = 499
	}
}
