package proxy

import (
	"strings"
	"time"

	"github.com/doorward/doorward/internal/telemetry"
)

// received keeps for the record what the client sent, before a hop changes it.
func (x *exchange) received() {
	r, t := &x.req, &x.record
	t.Method, t.Host, t.Target, t.Major, t.Minor = r.Method, r.Host, r.Target, r.Major, r.Minor
	t.GRPC = strings.HasPrefix(r.Header.Value("content-type"), "application/grpc")
	if x.p.o.AccessLog.Enabled() {
		t.UserAgent, t.Referer = r.Header.Value("user-agent"), r.Header.Value("referer")
		t.Forwarded = r.Header.Value("x-forwarded-for")
	}
}

// finish ends whatever is left of the exchange, and records it.
func (x *exchange) finish() {
	x.abandon()
	if x.watching {
		x.client.Unwatch()
	}
	x.mirror()
	p := x.p
	if p.o.Metrics == nil && !p.o.AccessLog.Enabled() {
		return
	}
	t := &x.record
	t.Duration = time.Since(t.Start)
	t.Received, t.Attempts = x.up.count, x.attempts
	if len(x.out.Hops()) > 0 {
		t.Outcome = &x.out
		t.Flags |= telemetry.WalkFlags(&x.out)
	}
	if p.o.AccessLog.Enabled() {
		t.RequestID = x.req.Header.Value("x-request-id")
	}
	p.recordOne(t)
}

// recordOne counts and logs an exchange.
func (p *Proxy) recordOne(t *telemetry.Exchange) {
	if p.o.Metrics != nil {
		p.o.Metrics.Record(t)
	}
	p.o.AccessLog.Record(t)
}
