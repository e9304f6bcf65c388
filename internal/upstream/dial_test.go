package upstream

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

func TestDialErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	for name, test := range map[string]struct {
		dial func(context.Context, string, string) (net.Conn, error)
		want Reason
		text string
	}{
		"refused":     {nil, Refused, "connection to " + nobody + " (Service shop/app:80) refused"},
		"unreachable": {func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EHOSTUNREACH }, Unreachable, "connection to " + nobody + " (Service shop/app:80) failed: no route to host"},
		"timed out":   {func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ETIMEDOUT }, Timeout, "connection to " + nobody + " (Service shop/app:80) timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			b := backend("a", nobody)
			b.Service, b.Port = object.Ref{Kind: "Service", Namespace: "shop", Name: "app"}, 80
			e := endpointOf(t, newManager(t, Options{Dial: test.dial}), b)
			_, err := e.Conn(t.Context(), Want{})
			var dial *DialError
			if !errors.As(err, &dial) || dial.Reason != test.want || err.Error() != test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if s := e.stats(0); s.ConnectErrors != 1 || s.Connections != 0 || s.Opened != 0 {
				t.Errorf("counters: %+v, want one error and nothing else", s)
			}
		})
	}
}

// The bound of making a connection is the caller's, or the backend's, or ours;
// the TLS handshake is in it.
func TestConnectTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		want    Want
		pool    plan.Pool
		options Options
		after   time.Duration
	}{
		"default":  {after: 10 * time.Second},
		"ours":     {options: Options{Connect: 3 * time.Second}, after: 3 * time.Second},
		"rule's":   {pool: plan.Pool{ConnectTimeout: 2 * time.Second}, options: Options{Connect: 3 * time.Second}, after: 2 * time.Second},
		"caller's": {want: Want{Connect: time.Second}, pool: plan.Pool{ConnectTimeout: 2 * time.Second}, after: time.Second},
	} {
		for _, tls := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := test.options
					o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
						if !tls {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						near, far := net.Pipe()
						go func() {
							buf := make([]byte, 4096)
							for { // it takes what comes and says nothing
								if _, err := far.Read(buf); err != nil {
									return
								}
							}
						}()
						return near, nil
					}
					b := backend("a", "10.0.0.1:80")
					b.Pool = test.pool
					if tls {
						b.TLS = &plan.UpstreamTLS{Digest: "d"}
					}
					e := endpointOf(t, newManager(t, o), b)
					start := time.Now()
					_, err := e.Conn(t.Context(), test.want)
					var dial *DialError
					if !errors.As(err, &dial) || dial.Reason != Timeout {
						t.Errorf("got %v, want a DialError: timed out", err)
					}
					if got := time.Since(start); got != test.after {
						t.Errorf("it took %v, want %v", got, test.after)
					}
				})
			})
		}
	}
}

func TestCanceledDialSaysNothingOfTheUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{hold: make(chan struct{})}
		e := pooled(t, p, plan.Pool{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Conn(ctx, Want{})
		var dial *DialError
		if !errors.As(err, &dial) || dial.Reason != Canceled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a DialError: canceled", err)
		}
		if got := e.stats(0).ConnectErrors; got != 0 {
			t.Errorf("connect errors: got %d, want 0", got)
		}
	})
}
