// Package extauthz asks external authorizers: the servers behind CUSTOM policies
// (MeshConfig envoyExtAuthzHttp and envoyExtAuthzGrpc).
//
// What is asked, and what a verdict means, is for package plan to say. Here a check
// goes over the connections of package upstream, so that an authorizer is balanced,
// watched and bounded like every other backend.
package extauthz

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

// maxReply bounds the body of an authorizer's answer, in bytes. A longer one is no
// verdict.
const maxReply = 1 << 20

// Client asks authorizers, and counts what they say. Its methods may be called from
// all goroutines.
type Client struct {
	upstreams *upstream.Manager
	counts    counts
}

// New returns a Client that uses the connections of m.
func New(m *upstream.Manager) *Client { return &Client{upstreams: m} }

// Ask sends a check and waits for the verdict, no longer than p.Timeout, and until
// ctx ends.
func (c *Client) Ask(ctx context.Context, p *plan.Provider, q *plan.Check) plan.Verdict {
	timed, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	v, err := c.ask(timed, p, q)
	late := false
	if err != nil {
		if late = timed.Err() != nil && ctx.Err() == nil; late {
			err = fmt.Errorf("no answer within %v", p.Timeout)
		}
		v = plan.Verdict{Err: err}
	}
	if ctx.Err() == nil {
		c.counts.count(p, &v, late)
	}
	return v
}

// reply is an answer over HTTP, without the fields of the connection.
type reply struct {
	status int
	fields header.Fields
	body   []byte
}

func (c *Client) ask(ctx context.Context, p *plan.Provider, q *plan.Check) (plan.Verdict, error) {
	b := p.Backend
	if b.Missing != "" {
		return plan.Verdict{}, errors.New(b.Missing)
	}
	if b.Next != nil {
		return plan.Verdict{}, errors.New("its Service is a gateway's")
	}
	cluster := c.upstreams.Cluster(b)
	if err := cluster.Acquire(); err != nil {
		return plan.Verdict{}, err
	}
	defer cluster.Release()
	e, err := cluster.Pick(ctx, 0, false, nil)
	if err != nil {
		return plan.Verdict{}, err
	}
	e.Begin()
	if p.GRPC {
		v, err := askGRPC(ctx, e, p, q)
		e.Done(resultOf(200, err))
		return v, err
	}
	var r reply
	if cluster.Protocol() == plan.HTTP2 {
		r, err = overHTTP2(ctx, e, q)
	} else {
		r, err = overHTTP1(ctx, e, q)
	}
	e.Done(resultOf(r.status, err))
	if err != nil {
		return plan.Verdict{}, err
	}
	return p.Judge(r.status, r.fields, string(r.body)), nil
}

// resultOf is what an exchange says about the endpoint.
func resultOf(status int, err error) upstream.Result {
	var dial *upstream.DialError
	switch {
	case err == nil:
		return upstream.Result(status)
	case errors.As(err, &dial):
		return upstream.ConnectFailed
	case errors.Is(err, context.DeadlineExceeded):
		return upstream.TimedOut
	case errors.Is(err, context.Canceled), errors.Is(err, upstream.ErrOverflow), errors.Is(err, errCheck):
		return upstream.NoResult
	}
	return upstream.WasReset
}

// errCheck says that the check cannot be written: the authorizer is not to blame.
var errCheck = errors.New("the check cannot be sent")

// DefaultTimeout is how long Istio waits for a verdict when nobody says otherwise.
const DefaultTimeout = 600 * time.Second
