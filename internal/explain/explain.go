// Package explain tells what becomes of a request and why, for people and programs: it
// walks the request through a plan, with the function that serves it, and keeps what
// was seen.
//
//	question     what is asked
//	explain      the walk, and what is told of it
//	steps        the rules that were looked at, and how near those came that do not match
//	places       files and lines of rules
//	limits       the strictest times and sizes on the way
//	certificate  what a TLS client is shown
//	fix…         the smallest edit that would let a refused request in
//	follow       redirects, and loops of them
//	curl         the command that sends the same request
//	story        the explanation as text
package explain

import (
	"fmt"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// Ground is what questions are asked of.
type Ground struct {
	Plan *plan.Plan
	// Problems of the manifests help to say what to edit, and so does Set where it is
	// still there.
	Problems problem.List
	Set      *object.Set
	// Source is where the lines of fields are found.
	Source source.Options
	// Keys verify tokens.
	Keys plan.Verifier
}

// Explanation is what became of a request. Its JSON is part of the interface:
// docs/explain.md.
type Explanation struct {
	Request Asked `json:"request"`
	// Outcome is served, redirected, login (sent to log in, or told to) or refused.
	Outcome string `json:"outcome"`
	Served  bool   `json:"served"` // served or redirected
	Reason  string `json:"reason"`
	// By is the rule that decided: "VirtualService myapp/myapp-vs spec.http[1] (vs.yaml:12)",
	// or "no rule of LISTENER"; Decided is the same in parts, nil where there is no rule.
	By      string      `json:"by"`
	Decided *Place      `json:"decided,omitempty"`
	Assumed []string    `json:"assumed,omitempty"` // what was taken for granted
	Delay   string      `json:"delay,omitempty"`
	Mirrors []string    `json:"mirrors,omitempty"`
	Forward *Forwarding `json:"forward,omitempty"` // or
	Answer  *Answer     `json:"answer,omitempty"`
	Limits  []Limit     `json:"limits,omitempty"`
	Fixes   []Fix       `json:"fixes,omitempty"` // of a refusal, the smallest first
	Hops    []Hop       `json:"hops"`
	Steps   []Step      `json:"steps"`
	Curl    string      `json:"curl"`
	// Followed are the redirects that came of it, and Loop names those that lead in a
	// circle: "A -> B -> A".
	Followed []*Explanation `json:"followed,omitempty"`
	Loop     string         `json:"loop,omitempty"`
}

// Asked is the request as it was asked about.
type Asked struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Via    string `json:"via"`
	From   string `json:"from"`
	As     string `json:"as"`
}

// Forwarding is the request as an application gets it.
type Forwarding struct {
	Backend   string   `json:"backend"` // NAMESPACE/SERVICE:PORT[/SUBSET]
	Cluster   string   `json:"cluster"`
	Protocol  string   `json:"protocol"`
	Endpoints []string `json:"endpoints"`
	Method    string   `json:"method"`
	Host      string   `json:"host"`
	Target    string   `json:"target"`
	Headers   []Field  `json:"headers"`
}

// Answer is what the client gets of Doorward itself.
type Answer struct {
	// Closed says that the connection ends without an answer; a proxy before it would
	// tell Status.
	Closed  bool    `json:"closed,omitempty"`
	Status  int     `json:"status"`
	Headers []Field `json:"headers"`
	Body    string  `json:"body,omitempty"`
}

// Field is a header.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Hop is a listener that the request passed.
type Hop struct {
	Listener    string       `json:"listener"`
	Dialect     string       `json:"dialect"`
	Title       string       `json:"title"`
	TLS         bool         `json:"tls"`
	Certificate *Certificate `json:"certificate,omitempty"` // of a TLS connection from outside
	Host        string       `json:"host,omitempty"`
	Route       string       `json:"route,omitempty"`
	Name        string       `json:"name,omitempty"` // that the manifest gives the route
	Origin      string       `json:"origin,omitempty"`
	// Order tells why the route stands where it does among the others.
	Order string `json:"order,omitempty"`
	// To is where the hop sends the request; Weights are all that it could have been.
	To      string   `json:"to,omitempty"`
	Weights []string `json:"weights,omitempty"`
}

// Explain answers a question, with redirects that are followed. The error is for who
// asks: a question that cannot be understood.
func Explain(g Ground, q Question) (*Explanation, error) {
	e, err := explainOne(g, &q)
	if err == nil && q.Follow {
		e.follow(g, q)
	}
	return e, err
}

// Classes tells of the Ingresses by which a request went whose class nothing declares:
// they are taken for served (compile.Options.UndeclaredClasses).
func Classes(out *plan.Outcome, problems problem.List) (notes []string) {
	for i := range out.Hops() {
		r := out.Hops()[i].Route
		for _, p := range problems {
			if r != nil && p.Code == problem.IngressClassNotFound && p.Object == r.Origin.Ref.String() {
				notes = append(notes, p.Object+" is taken for served, though no IngressClass is declared; "+p.Remedy)
			}
		}
	}
	return notes
}

// Last is the explanation of where the request ends.
func (e *Explanation) Last() *Explanation {
	if n := len(e.Followed); n > 0 {
		return e.Followed[n-1]
	}
	return e
}

func explainOne(g Ground, q *Question) (*Explanation, error) {
	req, err := q.Request()
	if err != nil {
		return nil, err
	}
	l := g.Plan.Listener(q.Via)
	if l == nil || l.Dialect == plan.Sidecar {
		return nil, fmt.Errorf("--via %s: %s", q.Via, scenario.NoListener(g.Plan, q.Via))
	}
	who, err := caller.New(q.As)
	if err != nil {
		return nil, err
	}
	world, notes := who.Dress(g.Plan, l, req, caller.Options{Dice: 0.5, Keys: g.Keys})
	sent := *req
	sent.Header = req.Header.Clone()
	x := asking{ground: g, who: who, world: world, req: req, sni: req.SNI}
	e := x.walk(l)
	e.Request = Asked{Method: q.Method, URL: q.URL, Via: q.Via, From: q.From, As: who.String()}
	e.Assumed = append(Classes(&x.out, g.Problems), notes...)
	e.Curl = q.curl(l, &sent, who, world)
	return e, nil
}

// asking is a question under way.
type asking struct {
	ground Ground
	who    *caller.Caller
	world  plan.World
	req    *match.Request // as the last hop has it
	sni    string         // that the client asks for
	trace  plan.Trace
	out    plan.Outcome
	places places
}

// walk walks the request from listener l on, and tells what was seen.
func (x *asking) walk(l *plan.Listener) *Explanation {
	out := &x.out
	x.ground.Plan.Walk(l, x.req, x.world, &x.trace, out)
	e := &Explanation{Reason: out.Reason, By: "no rule of " + out.Last().Key, Steps: x.steps()}
	x.places = x.find(e.Steps)
	for i := range e.Steps {
		e.Steps[i].Origin = x.places.text(e.Steps[i].Origin)
	}
	if out.By.Ref.Kind != "" {
		e.By, e.Decided = x.places.text(out.By.String()), x.places.place(out.By)
	}
	if out.Delay > 0 {
		e.Delay = out.Delay.String()
	}
	for _, m := range out.Mirrors {
		e.Mirrors = append(e.Mirrors, scenario.BackendName(m.Backend))
	}
	for i := range out.Hops() {
		e.Hops = append(e.Hops, x.hop(i))
	}
	e.Limits = x.limits()
	if out.Kind == plan.ToForward {
		e.Outcome, e.Served, e.Forward = "served", true, x.forwarding()
		return e
	}
	status := out.Reply.Status
	e.Outcome = x.outcome(status)
	e.Served = e.Outcome == "served" || e.Outcome == "redirected"
	out.EditResponse(status, &out.Reply.Header, 0, false)
	e.Answer = &Answer{Closed: out.Reply.Closed, Status: status, Headers: Fields(out.Reply.Header), Body: out.Reply.Body}
	if !e.Served {
		e.Fixes = x.fixes()
	}
	return e
}

// outcome names what an answer of Doorward's own comes to.
func (x *asking) outcome(status int) string {
	login := false
	for _, s := range x.trace.Steps {
		login = login || (s.Kind == "login" || s.Kind == "verdict") && !s.OK
	}
	_, moved := x.out.Reply.Header.Get("location")
	switch {
	case login && (status == 401 || status >= 300 && status < 400):
		return "login"
	case status >= 400:
		return "refused"
	case status >= 300 && moved:
		return "redirected"
	}
	return "served"
}

func (x *asking) hop(i int) Hop {
	h := &x.out.Hops()[i]
	shown := Hop{Listener: h.Listener.Key, Dialect: h.Listener.Dialect.String(), Title: h.Listener.Title(), TLS: h.Secure}
	if i == 0 && h.Secure {
		shown.Certificate = x.certificate(h.Listener)
	}
	if h.Host != nil {
		shown.Host = h.Host.Name
	}
	if h.Route != nil {
		shown.Route, shown.Origin = h.Route.Rule.String(), x.places.text(h.Route.Origin.String())
		shown.Name, shown.Order = h.Route.Name, h.Route.Place
		if f, ok := h.Route.Action.(*plan.Forward); ok && len(f.To) > 1 {
			for j := range f.To {
				shown.Weights = append(shown.Weights, fmt.Sprintf("%d to %s", f.To[j].Weight, destination(&f.To[j])))
			}
		}
	}
	if h.To != nil {
		shown.To = destination(h.To)
	}
	return shown
}

// destination names where a hop sends the request.
func destination(to *plan.Destination) string {
	switch b := to.Backend; {
	case b.Next != nil:
		return "the gateway " + b.Next.Key
	case b.Missing != "":
		return b.Key
	default:
		return scenario.BackendName(b)
	}
}

func (x *asking) forwarding() *Forwarding {
	b := x.out.Backend
	f := &Forwarding{
		Backend: scenario.BackendName(b), Cluster: b.Key, Protocol: b.Protocol.String(),
		Method: x.req.Method, Host: x.req.Host, Target: caller.Hide(x.world, x.req.Target), Headers: Fields(x.req.Header),
	}
	for i := range f.Headers {
		f.Headers[i].Value = caller.Hide(x.world, f.Headers[i].Value)
	}
	for _, ep := range b.Endpoints {
		f.Endpoints = append(f.Endpoints, ep.Address)
	}
	return f
}

// Fields are headers in the form of the JSON.
func Fields(f header.Fields) []Field {
	shown := make([]Field, len(f))
	for i := range f {
		shown[i] = Field{f[i].Name, f[i].Value}
	}
	return shown
}
