package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/htpasswd"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// Options are the compiler's options for the scenario. address gives each
// endpoint its address; the walk alone needs no real one.
func (s *Scenario) Options(address func(Up) string) compile.Options {
	opts := compile.Options{IngressClasses: s.Classes}
	ups := slices.Clone(s.Ups)
	for _, a := range s.Authorizers {
		ups = append(ups, a.Up)
	}
	for _, u := range ups {
		opts.Endpoints = append(opts.Endpoints, compile.Attached{
			Namespace: u.Namespace, Service: u.Service, Port: u.Port, Labels: u.Labels, Address: address(u),
		})
	}
	return opts
}

// Source is where the scenario's manifests are.
func (s *Scenario) Source() source.Options {
	opts := source.Options{Files: s.Manifests, Kustomizations: s.Kustomizations}
	for _, f := range s.Files {
		opts.Texts = append(opts.Texts, source.Text{Name: s.Name, Line: f.Line, Data: withKeys(f.Data)})
	}
	return opts
}

// Compile loads and compiles the scenario's manifests.
func (s *Scenario) Compile(ctx context.Context, address func(Up) string) (*plan.Plan, problem.List, error) {
	set, problems, err := source.Load(ctx, s.Source())
	if err != nil {
		return nil, problems, err
	}
	p, more := compile.Compile(set, s.Options(address))
	return p, append(problems, more...), nil
}

// Plan is Compile for walks alone: at the endpoints' addresses is nobody.
func (s *Scenario) Plan(ctx context.Context) (*plan.Plan, problem.List, error) {
	n := 0
	return s.Compile(ctx, func(Up) string { n++; return fmt.Sprintf("192.0.2.%d:80", n) })
}

// Run walks every request and returns its outcome.
func (s *Scenario) Run(ctx context.Context) ([]Outcome, problem.List, error) {
	p, problems, err := s.Plan(ctx)
	if err != nil {
		return nil, problems, err
	}
	tokens := jwt.New(jwt.Options{Offline: true})
	outcomes := make([]Outcome, len(s.Requests))
	for i := range s.Requests {
		if outcomes[i], err = s.Requests[i].walk(p, s.World(&s.Requests[i], tokens)); err != nil {
			return nil, problems, fmt.Errorf("%s:%d: %w", s.Name, s.Requests[i].Line, err)
		}
	}
	return outcomes, problems, nil
}

// World is what a request of the scenario is walked in.
func (s *Scenario) World(r *Request, tokens plan.Verifier) World {
	return World{Dice: r.Chance, Tokens: tokens, Authorizer: &asked{s.Authorizers, r.Body}}
}

func (r *Request) walk(p *plan.Plan, world plan.World) (Outcome, error) {
	l := p.Listener(r.Via)
	if l == nil {
		return Outcome{}, errors.New(NoListener(p, r.Via))
	}
	req := r.Sent()
	var out plan.Outcome
	p.Walk(l, &req, world, nil, &out)
	return Decided(&req, &out), nil
}

// NoListener says that no client can come in via want, and where one can.
func NoListener(p *plan.Plan, want string) string {
	var have []string
	for _, l := range p.Listeners() {
		if l.Dialect != plan.Sidecar { // nobody comes in there
			have = append(have, l.Key)
		}
	}
	s := "there is no such listener; there is " + strings.Join(have, ", ")
	if near, ok := problem.Nearest(want, have); ok {
		s += "; did you mean " + near + "?"
	}
	return s
}

// Sent is the request as the first hop receives it.
func (r *Request) Sent() match.Request {
	req := match.Request{
		Peer: r.From, Secure: r.Secure, Major: 1, Minor: 1,
		Method: r.Method, Host: r.Host, Target: r.Target, Header: r.Header.Clone(), ContentLength: r.Body,
	}
	if !req.Peer.IsValid() {
		req.Peer = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if r.Secure {
		req.SNI = r.SNI
	}
	if r.Chunked {
		req.ContentLength = -1
	}
	return req
}

// Decided puts what a walk decided into the form that all runs share: req is the
// request as the walk has left it. An upstream is taken to answer 200 with nothing but
// an empty body.
func Decided(req *match.Request, out *plan.Outcome) Outcome {
	by := out.By
	o := Outcome{Delay: out.Delay, Reason: out.Reason, By: &by}
	if out.Kind == plan.ToForward {
		o.Backend, o.Method, o.Target, o.Host, o.Got = BackendName(out.Backend), req.Method, req.Target, req.Host, req.Header
		o.Status = 200
		out.EditResponse(200, &o.Answer, 0, true)
		return o
	}
	o.Closed, o.Status, o.Body, o.Answer = out.Reply.Closed, out.Reply.Status, out.Reply.Body, out.Reply.Header
	out.EditResponse(o.Status, &o.Answer, 0, false)
	return o
}

// BackendName is plan.Backend.Name.
func BackendName(b *plan.Backend) string { return b.Name() }

// World is a plan.World in which everything repeats: the dice show Chance, the
// clock stands still, ids are all zeros.
type World struct {
	plan.Closed
	Dice       float64
	Tokens     plan.Verifier   // nil: none is accepted
	Clock      time.Time       // zero: that of scenarios
	Authorizer plan.Authorizer // nil: there is none
}

// clock is what all scenarios see.
var clock = time.Unix(1700000000, 0).UTC()

func (w World) Now() time.Time {
	if w.Clock.IsZero() {
		return clock
	}
	return w.Clock
}

// Password compares a password with its hash.
func (World) Password(hash, password string) bool { return htpasswd.Match(hash, password) }

// Ask asks Authorizer.
func (w World) Ask(p *plan.Provider, c *plan.Check) plan.Verdict {
	if w.Authorizer == nil {
		return w.Closed.Ask(p, c)
	}
	return w.Authorizer.Ask(p, c)
}

// Login takes the value of a session's cookie for the ID token itself.
func (w World) Login(p *plan.LoginProvider, v *plan.Visit) plan.Entry {
	token := v.Cookies.Value(p.Cookie)
	if token == "" || v.Page != plan.NoLoginPage {
		return w.Closed.Login(p, v)
	}
	e := plan.Entry{Why: "logged in"}
	if p.Authorization {
		e.Set.Set("authorization", "Bearer "+token)
	}
	return e
}

// Verify asks Tokens.
func (w World) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	if w.Tokens == nil {
		return w.Closed.Verify(r, token, now)
	}
	return w.Tokens.Verify(r, token, now)
}

func (w World) Chance() float64 { return w.Dice }
func (World) ID() [16]byte      { return [16]byte{} }
