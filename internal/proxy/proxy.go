package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// Options are what a Proxy works with.
type Options struct {
	Plan      func() *plan.Plan // the plan in force; asked once a request
	Upstreams *upstream.Manager
	Metrics   *telemetry.Metrics   // nil: not counted
	AccessLog *telemetry.AccessLog // nil: off
	Log       *slog.Logger         // nil: thrown away
	Limits    http1.Limits
	// Timeouts are those of client connections. Zero members: idle 75 s, head,
	// read and write 60 s, as ingress-nginx has them; negative means none.
	Timeouts http1.Timeouts
	// ReasonHeader has Doorward's own answers say why in the header
	// x-doorward-reason; answers of applications then never have one.
	ReasonHeader bool
	Verifier     plan.Verifier  // of tokens, in the live world; nil accepts none
	Throttle     plan.Throttle  // of wrong API keys, in the live world; nil does not count them
	Passwords    plan.Passwords // compares them, in the live world; nil fits none
	Meter        plan.Meter     // of requests, in the live world; nil does not count them
	// Authorizer asks external authorizers; nil: World does.
	Authorizer Authorizer
	Logins     Loginer    // answers visits of logins; nil: World does
	World      plan.World // nil: the live one
}

// Loginer answers visits of logins until ctx ends. *login.Manager is one.
type Loginer interface {
	Login(ctx context.Context, p *plan.LoginProvider, v *plan.Visit) plan.Entry
}

// Authorizer asks external authorizers until ctx ends. *extauthz.Client is one.
type Authorizer interface {
	Ask(ctx context.Context, p *plan.Provider, c *plan.Check) plan.Verdict
}

// Proxy serves client connections. Its methods may be called from all goroutines.
type Proxy struct {
	o     Options
	h1    *http1.Server
	h2    *http2.Server
	hs    *http.Server // tells h2's connections of a shutdown
	pool  sync.Pool    // of *exchange
	count counters

	mu       sync.Mutex // guards:
	conns    map[*conn]struct{}
	draining bool
	empty    chan struct{} // closed when the last connection ends in Shutdown

	mirrors chan struct{} // one place for each mirrored request under way
}

// counters are what happened beside exchanges.
type counters struct {
	mirrored, notMirrored, panics atomic.Uint64
}

// Counts are what happened beside the exchanges that telemetry counts.
type Counts struct {
	Mirrored    uint64 // copies of requests that were sent to mirrors
	NotMirrored uint64 // copies that were not sent: too large a body, or too many at once
	Panics      uint64 // requests that ended in a failure of our own
}

// Counts returns the counters.
func (p *Proxy) Counts() Counts {
	return Counts{p.count.mirrored.Load(), p.count.notMirrored.Load(), p.count.panics.Load()}
}

// New returns a Proxy that serves nothing yet.
func New(o Options) *Proxy {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.World == nil {
		o.World = newLive(&o)
	}
	fillTimeouts(&o.Timeouts)
	p := &Proxy{o: o, conns: map[*conn]struct{}{}, mirrors: make(chan struct{}, maxMirrors)}
	p.h1 = &http1.Server{Limits: o.Limits, Timeouts: o.Timeouts, HTTP2: true}
	p.pool.New = func() any { return newExchange(p) }
	p.setUpHTTP2()
	return p
}

func fillTimeouts(t *http1.Timeouts) {
	for _, x := range []struct {
		of        *time.Duration
		otherwise time.Duration
	}{
		{&t.Idle, 75 * time.Second}, {&t.Header, 60 * time.Second},
		{&t.Read, 60 * time.Second}, {&t.Write, 60 * time.Second},
	} {
		if *x.of == 0 {
			*x.of = x.otherwise
		}
	}
}
