package suite

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/stage"
)

// serve plays the tests over real sockets, those of each set of manifests through a
// server of its own. Whatever differs from the walk is a difference of the test.
func (r *Report) serve(ctx context.Context) {
	for _, s := range r.Sets {
		var files []*FileReport
		for i := range r.Files {
			if r.Files[i].Set == s {
				files = append(files, &r.Files[i])
			}
		}
		if err := s.serve(ctx, files); err != nil {
			for _, f := range files {
				f.Err = fmt.Errorf("its manifests cannot be served: %w", err)
			}
		}
	}
}

// serve plays the tests of files.
func (s *Set) serve(ctx context.Context, files []*FileReport) error {
	p := &play{Set: s, tokens: jwt.New(jwt.Options{Offline: true}), providers: map[string]*plan.Provider{}}
	o := stage.Options{Manifests: server.Manifests{Source: s.Source, Compile: s.Compile}, Handler: p.handler}
	for _, f := range files {
		for _, t := range f.Results {
			if s.Plan.Listener(t.Via) != nil {
				o.Via = append(o.Via, t.Via)
			}
		}
	}
	p.findProviders()
	var err error
	if p.stage, err = stage.Start(ctx, o); err != nil {
		return err
	}
	for _, f := range files {
		began := time.Now()
		for i := range f.Results {
			if ctx.Err() == nil {
				p.play(&f.Results[i])
			}
		}
		f.Took += time.Since(began)
	}
	return p.stage.Close()
}

// play is a set of manifests on a stage.
type play struct {
	*Set
	stage     *stage.Stage
	tokens    *jwt.Store
	providers map[string]*plan.Provider // external authorizers over HTTP, by the addresses of their endpoints

	mu    sync.Mutex
	world plan.World // of the test under way
}

// play plays a test, unless sockets cannot show what it is about.
func (p *play) play(r *Result) {
	if of, _, _ := p.lacks(r.Test); of != "" {
		return
	}
	l := p.Plan.Listener(r.Via)
	req := r.sent()
	w, _ := r.who().Dress(p.Plan, l, &req, caller.Options{Dice: r.Chance, Keys: p.Set.tokens, Sign: scenario.Sign})
	world := verifying{w, p.tokens}
	played := r.Request
	played.Header, played.Target = req.Header.Clone(), req.Target
	r.Unplayed = unplayable(&req)
	var out plan.Outcome
	if r.Unplayed == "" {
		p.Plan.Walk(l, &req, world, nil, &out)
		r.Unplayed = unanswerable(&out)
	}
	if r.Unplayed != "" {
		return
	}
	p.mu.Lock()
	p.world = world
	p.mu.Unlock()
	p.stage.In(world)
	walked := scenario.Decided(&req, &out)
	r.Differences = append(r.Differences, p.stage.Play(&played, &walked)...)
}

// unplayable tells what of a request no client of ours can show.
func unplayable(r *match.Request) string {
	switch {
	case !r.Peer.IsLoopback():
		return "from: all clients over sockets are on this machine"
	case r.Source != "":
		return "the caller shows its identity in the mesh, which Doorward's clients cannot"
	}
	return ""
}

// unanswerable tells what of a way no stand-in can play.
func unanswerable(out *plan.Outcome) string {
	for _, h := range out.Hops() {
		for _, g := range h.Listener.Guards {
			if x, ok := g.(*plan.External); ok && x.Provider != nil && x.Provider.GRPC {
				return "the external authorizer " + x.Provider.Name + " is asked over gRPC"
			}
		}
	}
	if b := out.Backend; out.Kind == plan.ToForward && b.TLS != nil && b.TLS.Verify {
		return "the certificate of " + scenario.BackendName(b) + " is verified"
	}
	return ""
}

// verifying is a world in which the caller's token is a real one: it is verified, by a
// key that stands in the place of the issuer's.
type verifying struct {
	plan.World
	tokens *jwt.Store
}

func (w verifying) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	t, f := w.World.Verify(r, token, now)
	if t == nil || t.Raw != token || r.Keys.Broken != "" {
		return t, f
	}
	mine := *r
	mine.Keys = plan.KeySource{Key: "test " + r.Keys.Key, Inline: scenario.KeySet()}
	return w.tokens.Verify(&mine, token, inTime(t, now))
}

// inTime is a moment at which a token is good: times are not what tests are about.
func inTime(t *match.Token, now time.Time) time.Time {
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := t.Claims[name].(float64); ok {
			return time.Unix(int64(at), 0)
		}
	}
	if at, ok := t.Claims["exp"].(float64); ok {
		return time.Unix(int64(at)-1, 0)
	}
	return now
}

// findProviders finds the external authorizers that are asked over HTTP.
func (p *play) findProviders() {
	for _, l := range p.Plan.Listeners() {
		p.providersOf(l.Guards)
		for _, c := range l.Chains {
			for _, h := range c.Hosts {
				for _, r := range h.Routes {
					p.providersOf(r.Guards)
				}
			}
		}
	}
}

func (p *play) providersOf(guards []plan.Guard) {
	for _, g := range guards {
		var provider *plan.Provider
		switch g := g.(type) {
		case *plan.External:
			provider = g.Provider
		case *plan.EdgeAuth:
			provider = g.Provider
		case *plan.AnyOf:
			p.providersOf(g.Guards)
		}
		if provider == nil || provider.GRPC || provider.Backend == nil {
			continue
		}
		for _, e := range provider.Backend.Endpoints {
			p.providers[e.Address] = provider
		}
	}
}

// handler plays an external authorizer, if one has the address.
func (p *play) handler(address string) http.Handler {
	provider := p.providers[address]
	if provider == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		p.mu.Lock()
		world := p.world
		p.mu.Unlock()
		whole := *provider
		whole.GRPC = true // which fields count is for the client to choose
		c := &plan.Check{Method: r.Method, Host: r.Host, Target: strings.TrimPrefix(r.RequestURI, provider.PathPrefix), Header: fieldsOf(r.Header)}
		v := world.Ask(&whole, c)
		status, fields := v.Status, v.Header
		if v.Allowed {
			status, fields = http.StatusOK, v.Set
		}
		w.Header()["Content-Type"] = nil // none is guessed
		for _, f := range fields {
			w.Header().Add(f.Name, f.Value)
		}
		w.WriteHeader(status)
		io.WriteString(w, v.Body)
	})
}

func fieldsOf(h http.Header) header.Fields {
	var f header.Fields
	for name, values := range h {
		for _, v := range values {
			f.Add(strings.ToLower(name), v)
		}
	}
	sort.Slice(f, func(i, j int) bool { return f[i].Name < f[j].Name })
	return f
}
