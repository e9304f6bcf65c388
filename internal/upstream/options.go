package upstream

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/http1"
)

// Options are the settings of a Manager. Zero members mean the defaults.
type Options struct {
	// Limits and Timeouts are those of HTTP/1.1 connections. Of HTTP/2 ones
	// Limits.HeaderBytes bounds a response's head.
	Limits   http1.Limits
	Timeouts http1.Timeouts
	// Connect bounds making a connection where neither the caller nor the
	// backend says otherwise. Default 10 s, as Istio has it.
	Connect time.Duration
	// Idle is how many idle connections an endpoint keeps. Default 320, as
	// ingress-nginx has it.
	Idle int
	// IdleTimeout is how long a connection may be idle unless the backend says
	// otherwise. Default 60 s, as ingress-nginx has it.
	IdleTimeout time.Duration
	// ResolveEvery is the time between two resolutions of a name. Default 5 s,
	// as Envoy has it.
	ResolveEvery time.Duration
	// Ejected is told of every ejection; nil tells nobody. It must not block.
	Ejected func(Ejection)

	// Dial makes TCP connections; Resolve finds a name's addresses; Now is the
	// clock and Rand the source of chance. Tests replace them.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Now     func() time.Time
	Rand    func() uint64
}

func (o *Options) fill() {
	o.Connect = orDefault(o.Connect, 10*time.Second)
	o.Idle = orDefault(o.Idle, 320)
	o.IdleTimeout = orDefault(o.IdleTimeout, time.Minute)
	o.ResolveEvery = orDefault(o.ResolveEvery, 5*time.Second)
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Uint64
	}
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
