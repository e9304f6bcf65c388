// Package server is the process: it loads manifests, compiles them, puts the
// plan in force, listens, reloads, and drains.
//
//	Start: sockets ─▶ load ─▶ compile ─▶ upstreams.Sync ─▶ swap ─▶ accept ─▶ ready
//	then:  a file changes, or Reload ─▶ load … swap; a load that fails changes nothing
//	end:   not ready ─▶ close sockets ─▶ drain ─▶ close
//
// A plan is swapped as a whole. Connections, health and counters are not part
// of it, so a swap drops nothing.
package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/extauthz"
	"github.com/doorward/doorward/internal/htpasswd"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/login"
	"github.com/doorward/doorward/internal/meter"
	"github.com/doorward/doorward/internal/pki"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/proxy"
	"github.com/doorward/doorward/internal/source"
	"github.com/doorward/doorward/internal/telemetry"
	"github.com/doorward/doorward/internal/upstream"
)

// Options are all that a Server is told.
type Options struct {
	Manifests
	// HTTP and HTTPS are the addresses of the edge, Admin that of the admin
	// pages. "" does not listen.
	HTTP, HTTPS, Admin string
	// Direct are listeners on gateways' Service ports.
	Direct []Direct
	// State is the directory of what is kept over restarts; "" keeps nothing.
	State string
	// Drain bounds the time for requests that are under way at the end.
	Drain time.Duration

	AccessLog   telemetry.Form
	AccessLogTo io.Writer
	Log         *slog.Logger // nil: thrown away
	// Limits and Timeouts are those of client connections; Limits hold for
	// upstreams too. Zero members: the proxy's defaults.
	Limits   http1.Limits
	Timeouts http1.Timeouts
	World    plan.World // nil: the live one
	// Dial and Resolve replace the network towards applications; nil is the real one.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// ReasonHeader has refusals say why, in x-doorward-reason.
	ReasonHeader bool
	Version      string // told at /metrics
	// Explain answers questions about requests at /explain of the admin address, in JSON.
	// Its error is for who asks. Nil: nobody is answered.
	Explain func(about Asked, question io.Reader) (any, error)
}

// Asked is what questions about requests are asked of.
type Asked struct {
	Plan     *plan.Plan
	Problems problem.List
	Source   source.Options
	Keys     plan.Verifier
}

// Direct is a listener on a gateway's Service port, as a caller inside of the
// cluster would reach it.
type Direct struct {
	Key     string // NAMESPACE/SERVICE:PORT
	Address string
}

// Server is a running process. Its methods may be called from all goroutines.
type Server struct {
	o         Options
	log       *slog.Logger
	plan      atomic.Pointer[plan.Plan]
	status    atomic.Pointer[status]
	ready     atomic.Bool
	upstreams *upstream.Manager
	tokens    *jwt.Store
	metrics   *telemetry.Metrics
	accessLog *telemetry.AccessLog
	authz     *extauthz.Client
	logins    *login.Manager
	proxy     *proxy.Proxy
	sockets   []*socket
	admin     *http.Server
	keys      keyWatch
	ballast   ballast

	loading    sync.Mutex // one load at a time
	explaining sync.Mutex // one question at a time
	loads      struct{ good, bad atomic.Uint64 }

	cancel context.CancelFunc // ends watching
	work   sync.WaitGroup
	failed chan error // why a socket or the watcher failed
}

// Start listens, loads the manifests and serves them. When nothing can be
// loaded, or an address cannot be listened on, it fails and leaves nothing
// behind. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.Compile.DefaultCertificate, err = defaultCertificate(o.State); err != nil {
		return nil, err
	}
	logins, err := login.New(login.Options{State: o.State, Log: o.Log, Dial: dial})
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, log: o.Log, logins: logins, metrics: telemetry.NewMetrics(), failed: make(chan error, 1), ballast: newBallast()}
	s.status.Store(new(status))
	s.restoreUses()
	s.upstreams = upstream.New(upstream.Options{Limits: o.Limits, Ejected: s.ejected, Dial: o.Dial, Resolve: o.Resolve})
	s.tokens = jwt.New(jwt.Options{State: o.State, Log: o.Log, Offline: o.World != nil, Dial: dial})
	s.accessLog = telemetry.NewAccessLog(o.AccessLog, o.AccessLogTo)
	s.authz = extauthz.New(s.upstreams)
	po := proxy.Options{
		Plan: s.plan.Load, Upstreams: s.upstreams, Metrics: s.metrics, AccessLog: s.accessLog, Log: o.Log,
		Limits: o.Limits, Timeouts: o.Timeouts, ReasonHeader: o.ReasonHeader, Verifier: s.tokens, Authorizer: s.authz, Throttle: &s.keys, Meter: new(meter.Buckets), Passwords: htpasswd.Checker{}, World: o.World,
	}
	if o.World == nil {
		po.Logins = s.logins
	}
	s.proxy = proxy.New(po)
	if err := s.start(ctx); err != nil {
		for _, socket := range s.sockets {
			socket.Close()
		}
		s.o.Drain = 0
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.readStdin(); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	s.serveAdmin()
	if a, ok := s.Addr("https").(*net.TCPAddr); ok && s.o.Compile.HTTPSPort == 0 {
		s.o.Compile.HTTPSPort = a.Port
	}
	s.o.Source.Kept = new(source.Kept)
	// What changes from here on is seen by the watcher, so that nothing falls
	// between it and the load.
	w, err := source.NewWatcher(s.o.Source)
	if err != nil {
		s.log.Warn("files are not watched; SIGHUP reloads them", "error", err)
	}
	if err := s.Reload(ctx); err != nil {
		if w != nil {
			w.Close()
		}
		return err
	}
	watching, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if w != nil {
		s.work.Go(func() { s.watch(watching, w) })
	}
	s.ready.Store(true)
	s.serve()
	if s.o.State != "" {
		s.work.Go(func() { s.keepUses(watching) })
	}
	s.work.Go(func() { trim(watching) }) // the manifests are not needed any more, to begin with
	return nil
}

// readStdin keeps what "-" reads for the loads to come: it can be read once.
func (s *Server) readStdin() error {
	src := &s.o.Source
	if src.Stdin == nil || !slices.Contains(src.Files, "-") {
		return nil
	}
	data, err := io.ReadAll(src.Stdin)
	if err != nil {
		return fmt.Errorf("read manifests from stdin: %w", err)
	}
	src.Files = slices.DeleteFunc(slices.Clone(src.Files), func(f string) bool { return f == "-" })
	src.Texts = append(slices.Clone(src.Texts), source.Text{Name: "stdin", Data: bytes.Clone(data)})
	return nil
}

// Run serves until ctx ends or a socket fails, and then drains: it is no longer
// ready, accepts nothing, and waits for the requests under way, up to
// Options.Drain. It returns why a socket failed, or nil.
func (s *Server) Run(ctx context.Context) error {
	fitting, stop := context.WithCancel(ctx)
	s.work.Go(func() { fitCores(fitting) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	stop()
	s.ready.Store(false)
	s.log.Info("draining", "up to", s.o.Drain)
	for _, socket := range s.sockets {
		if socket.key != "" { // the admin pages stay
			socket.Close()
		}
	}
	return errors.Join(err, s.end())
}

// end ends everything but the sockets of clients, which are closed.
func (s *Server) end() error {
	if s.cancel != nil {
		s.cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Drain)
	defer cancel()
	if s.proxy.Shutdown(ctx) != nil {
		s.log.Warn("requests were cut off: they took longer than the drain", "drain", s.o.Drain)
	}
	s.writeUses()
	s.tokens.Close()
	_ = s.upstreams.Close(ctx) // a tunnel's end was told above
	err := errors.Join(s.logins.Close(), s.accessLog.Close())
	if s.admin != nil {
		s.admin.Close()
	}
	s.work.Wait()
	return err
}

// fail ends Run.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

func defaultCertificate(state string) (c *tls.Certificate, err error) {
	if state == "" {
		return pki.Default()
	}
	return pki.KeepDefault(state)
}

func (s *Server) ejected(e upstream.Ejection) {
	s.log.Warn("an endpoint is taken out", "backend", e.Backend, "address", e.Address, "reason", e.Reason, "for", e.For, "times", e.Times)
}

// Plan is the plan in force.
func (s *Server) Plan() *plan.Plan { return s.plan.Load() }

// Addr is the address of a socket: "http", "https", "admin", or the key of a
// direct listener. It is nil where there is none.
func (s *Server) Addr(name string) net.Addr {
	for _, socket := range s.sockets {
		if socket.name == name {
			return socket.Addr()
		}
	}
	return nil
}
