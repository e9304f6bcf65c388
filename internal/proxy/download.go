package proxy

import (
	"errors"
	"io"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// deliver sends the response of the upstream to the client, as it comes.
func (x *exchange) deliver() {
	a := &x.answer
	http1.RemoveHopByHop(&a.fields)
	x.record.Status = a.status
	if a.status == 101 {
		x.tunnel()
		return
	}
	if a.status == 426 && a.upgrade != "" { // it says what to upgrade to
		a.fields.Add("upgrade", a.upgrade)
	}
	x.out.EditResponse(a.status, &a.fields, a.took, true)
	x.tellReason(&a.fields, "")
	if err := x.client.Begin(a.status, a.fields, a.length); err != nil {
		x.unsendable(err)
		return
	}
	result := x.result()
	if err := x.copyBody(); err != nil {
		x.broken = true
		if !x.gone.Load() {
			x.brokenOff(err)
			result = upstream.WasReset
		} else {
			x.record.Flags |= telemetry.ClientGone
			result = upstream.NoResult
		}
	}
	whole := x.up.stop()
	x.underWay(nil, nil)
	if c := a.conn; c != nil {
		a.conn = nil
		if whole && !x.broken {
			x.putBack(c)
		} else {
			c.Close()
		}
	}
	x.done(result)
}

// putBack gives a connection back to its endpoint.
func (x *exchange) putBack(c *upstream.Conn) { x.answer.endpoint.Put(c) }

// copyBody passes the body on. What is there already leaves together with the
// head; whenever more must be waited for, what was written is sent first.
func (x *exchange) copyBody() error {
	body := x.answer.body
	for !body.Done() {
		if !body.Buffered() {
			if err := x.client.Flush(); err != nil {
				x.leave()
				return err
			}
		}
		data, err := body.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if _, err := x.client.Write(data); err != nil {
			x.leave()
			return err
		}
		x.record.Sent += int64(len(data))
	}
	if err := x.client.End(passable(body.Trailers())); err != nil {
		x.leave()
		return err
	}
	return nil
}

// unsendable ends an attempt whose response cannot be passed on: the client is
// gone, or a line of the head cannot be written.
func (x *exchange) unsendable(err error) {
	var bad *http1.FieldError
	if !errors.As(err, &bad) {
		x.leave()
		x.abandon()
		x.left()
		return
	}
	by := x.last()
	x.abandon()
	x.answer = answer{failed: true, failure: plan.BadResponse, by: by, err: err}
	x.tellFailure()
}

// brokenOff notes that a response has broken off after its head was passed on.
func (x *exchange) brokenOff(err error) {
	x.record.Reason = "the response broke off: " + err.Error()
	if isTimeout(err) {
		x.record.Flags |= telemetry.UpstreamTimeout
		return
	}
	x.record.Flags |= telemetry.UpstreamReset
}
