package extauthz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/upstream"
)

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxReply)

// overHTTP1 asks over HTTP/1.1. A connection that had been used before and ends
// without a byte had been closed meanwhile: the check then goes out on a new one.
func overHTTP1(ctx context.Context, e *upstream.Endpoint, q *plan.Check) (reply, error) {
	r, stale, err := oneHTTP1(ctx, e, q, upstream.Want{})
	if stale {
		r, _, err = oneHTTP1(ctx, e, q, upstream.Want{New: true})
	}
	return r, err
}

func oneHTTP1(ctx context.Context, e *upstream.Endpoint, q *plan.Check, want upstream.Want) (r reply, stale bool, err error) {
	conn, err := e.Conn(ctx, want)
	if err != nil {
		return reply{}, false, err
	}
	conn.Timeouts.FirstByte, conn.Timeouts.Read, conn.Timeouts.Write = 0, 0, 0 // ctx bounds all
	free := context.AfterFunc(ctx, conn.Interrupt)
	r, err = exchange(conn.ClientConn, q)
	if free() && err == nil {
		e.Put(conn)
		return r, false, nil
	}
	stale = err != nil && conn.Reused && conn.Untouched() && ctx.Err() == nil
	conn.Close()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return r, stale, err
}

// exchange sends the check on a connection and reads the answer.
func exchange(c *http1.ClientConn, q *plan.Check) (reply, error) {
	head := http1.RequestHead{
		Method: q.Method, Target: q.Target, Host: q.Host, Fields: q.Header,
		Framing: http1.Length, ContentLength: int64(len(q.Body)), // 0 is told, too, as Envoy does
	}
	if err := c.Begin(&head); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errCheck, err)
	}
	c.Write(q.Body)
	c.End(nil)
	resp, err := c.ReadResponse(nil)
	if err != nil {
		return reply{}, err
	}
	if resp.Status == http.StatusSwitchingProtocols {
		return reply{}, errors.New("it switches protocols unasked")
	}
	r := reply{status: resp.Status, fields: resp.Fields.Clone()}
	http1.RemoveHopByHop(&r.fields)
	r.body, err = readAll(&c.Body)
	return r, err
}

// readAll reads a body that is not too long.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReply+1))
	if err == nil && len(data) > maxReply {
		err = errTooLong
	}
	return data, err
}

// overHTTP2 asks over HTTP/2.
func overHTTP2(ctx context.Context, e *upstream.Endpoint, q *plan.Check) (reply, error) {
	// A body may still be read when RoundTrip has returned, and q's is its owner's.
	resp, err := e.RoundTrip(request2(ctx, q.Method, q.Host, q.Target, q.Header, bytes.Clone(q.Body)))
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, fields: fieldsOf(resp.Header)}
	r.body, err = readAll(resp.Body)
	return r, err
}

// request2 makes a request over HTTP/2. The target goes out byte for byte.
func request2(ctx context.Context, method, host, target string, f header.Fields, body []byte) *http.Request {
	h := make(http.Header, len(f)+1)
	for _, x := range f {
		name := http.CanonicalHeaderKey(x.Name)
		h[name] = append(h[name], x.Value)
	}
	req := &http.Request{
		Method: method, Host: host, Header: h, Proto: "HTTP/2.0", ProtoMajor: 2,
		URL: &url.URL{Scheme: "http", Host: host, Opaque: "//" + host + target},
	}
	if len(body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return req.WithContext(ctx)
}

func fieldsOf(h http.Header) header.Fields {
	var f header.Fields
	for name, values := range h {
		for _, v := range values {
			f.Add(strings.ToLower(name), v)
		}
	}
	return f
}
