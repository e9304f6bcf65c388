// Package stage plays requests over real sockets: a real server, with one program in
// the place of every application, however its address is written. What becomes of a
// request there must be what the walk says.
//
//	stage     the server and its world
//	standin   what answers in the place of applications
//	exchange  a request, byte for byte, and its answer
//	compare   what differs from the walk
package stage

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/server"
)

// Options say what is served.
type Options struct {
	Manifests server.Manifests
	// Via are the listeners that requests come in by, beside the edge.
	Via []string
	// Handler is what answers at the endpoint with this address; nil, or a nil answer,
	// is an application that answers 200 and notes what it gets.
	Handler func(address string) http.Handler
}

// Stage is a running server. One request at a time is played on it.
type Stage struct {
	*server.Server
	world   *world
	standIn *standIn
	cancel  context.CancelFunc
	done    chan error
}

// world is the world of the request that is being played.
type world struct {
	plan.Closed // for what nobody asks about afterwards
	now         atomic.Pointer[plan.World]
}

func (w *world) is() plan.World { return *w.now.Load() }

func (w *world) Now() time.Time  { return w.is().Now() }
func (w *world) Chance() float64 { return w.is().Chance() }
func (w *world) ID() [16]byte    { return w.is().ID() }
func (w *world) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	return w.is().Verify(r, token, now)
}
func (w *world) Ask(p *plan.Provider, c *plan.Check) plan.Verdict { return w.is().Ask(p, c) }
func (w *world) Login(p *plan.LoginProvider, v *plan.Visit) plan.Entry {
	return w.is().Login(p, v)
}
func (w *world) Drip(zone string, client netip.Addr, perMinute, burst int, now time.Time) bool {
	return w.is().Drip(zone, client, perMinute, burst, now)
}
func (w *world) Enter(zone string, client netip.Addr, most int) (func(), bool) {
	return w.is().Enter(zone, client, most)
}
func (w *world) Password(hash, password string) bool { return w.is().Password(hash, password) }
func (w *world) WrongKey(from netip.Addr, now time.Time) time.Duration {
	return w.is().WrongKey(from, now)
}

// Start serves the manifests on free ports of this machine.
func Start(ctx context.Context, o Options) (*Stage, error) {
	st := &Stage{world: &world{}, done: make(chan error, 1)}
	st.In(scenario.World{})
	var err error
	if st.standIn, err = newStandIn(o.Handler); err != nil {
		return nil, err
	}
	so := server.Options{
		HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", Drain: time.Minute, World: st.world, Manifests: o.Manifests,
		Dial: st.standIn.dial, Resolve: st.standIn.resolve,
	}
	so.Compile.HTTPSPort = 443 // as the walk has it
	for _, key := range o.Via {
		if d := (server.Direct{Key: key, Address: "127.0.0.1:0"}); key != plan.Edge && !slices.Contains(so.Direct, d) {
			so.Direct = append(so.Direct, d)
		}
	}
	if st.Server, err = server.Start(ctx, so); err != nil {
		st.standIn.Close()
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	st.cancel = cancel
	go func() { st.done <- st.Run(running) }()
	return st, nil
}

// In makes w the world of the requests that follow.
func (st *Stage) In(w plan.World) { st.world.now.Store(&w) }

// Close ends the server and the stand-in.
func (st *Stage) Close() error {
	st.cancel()
	err := <-st.done
	st.standIn.Close()
	return err
}

// socket is the address that a request is sent to.
func (st *Stage) socket(r *scenario.Request) (string, error) {
	name := r.Via
	if r.Via == plan.Edge {
		name = map[bool]string{false: "http", true: "https"}[r.Secure]
	}
	address := st.Addr(name)
	if address == nil {
		return "", errors.New("there is no socket for " + name)
	}
	return address.String(), nil
}

// backendName names the backend that has the endpoint: the wanted one, if that has it
// too.
func (st *Stage) backendName(address, wanted string) string {
	var names []string
	for _, b := range st.Plan().Backends() {
		if slices.ContainsFunc(b.Endpoints, func(e plan.Endpoint) bool { return e.Address == address }) {
			names = append(names, scenario.BackendName(b))
		}
	}
	if slices.Contains(names, wanted) {
		return wanted
	}
	return strings.Join(names, " or ")
}
