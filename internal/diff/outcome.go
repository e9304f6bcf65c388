package diff

import (
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// Verdict is what became of a request, in one word.
type Verdict string

const (
	Reaches    Verdict = "reaches"    // an application gets it
	Fails      Verdict = "fails"      // it is let in, and there is no application
	Answered   Verdict = "answered"   // by a route, without an application
	Redirected Verdict = "redirected" // by a route, or to https
	Login      Verdict = "login"      // the client is sent to log in
	Refused    Verdict = "refused"    // by a guard
	Nothing    Verdict = "nothing"    // nothing is routed there
)

// In tells that no guard has stopped the request on its way to an application.
func (v Verdict) In() bool { return v == Reaches || v == Fails }

// Shut tells that a guard has.
func (v Verdict) Shut() bool { return v == Login || v == Refused }

// Outcome is what became of a request.
type Outcome struct {
	Verdict Verdict
	Status  int // of our own answer; 0: the application's
	// Location is where a redirect leads.
	Location string
	// Backend gets the request, in this form; "" nobody.
	Backend, Method, Host, Target string
	Headers                       header.Fields
	// Answer are the header fields of the answer to the client; the application is
	// taken to set none.
	Answer header.Fields
	Limits Limits
	// Shares are all destinations of the last route and their weights, where there are
	// several; Mirrors get copies.
	Shares, Mirrors []string
	Reason          string
	By              plan.Origin

	origins []plan.Origin // of what it has met
}

// Limits are how long and how often an application is tried.
type Limits struct {
	plan.Limits
	Delay    time.Duration
	Attempts int
	MaxBody  int64
}

// String tells the outcome in a line: "302 to https://login.example.com", "myapp/web:80
// gets GET /x".
func (o *Outcome) String() string {
	switch o.Verdict {
	case Reaches:
		return o.Backend + " gets " + o.Method + " " + o.Target
	case Login, Redirected:
		return strings.TrimSuffix(decimal(o.Status)+" to "+o.Location, " to ")
	case Nothing:
		if o.Status == 0 {
			return "no such listener"
		}
		return decimal(o.Status) + ", nothing is routed there"
	case Fails:
		return decimal(o.Status) + " for " + o.Backend + ": " + o.Reason
	}
	return decimal(o.Status)
}

// Of tells what became of a visit; nil is one that found no listener.
func Of(v *witness.Visit) Outcome {
	if v == nil {
		return Outcome{Verdict: Nothing, Reason: "there is no such listener"}
	}
	out := &v.Out
	o := Outcome{Reason: out.Reason, By: out.By, Limits: Limits{MaxBody: out.MaxBody, Delay: out.Delay}}
	for _, m := range out.Mirrors {
		o.Mirrors = append(o.Mirrors, m.Backend.Name())
	}
	hops := out.Hops()
	o.origins = met(hops)
	last := &hops[len(hops)-1]
	if r := route(hops); r != nil {
		o.Shares = shares(r)
		if f, ok := r.Action.(*plan.Forward); ok {
			o.Limits.Limits, o.Limits.Attempts = f.Limits, f.Retry.Attempts
		}
	}
	if out.Kind == plan.ToForward {
		o.Verdict, o.Backend = Reaches, out.Backend.Name()
		o.Method, o.Host, o.Target, o.Headers = v.Req.Method, v.Req.Host, v.Req.Target, v.Req.Header.Clone()
		o.origins = append(o.origins, behind(out.Backend)...)
		out.EditResponse(200, &o.Answer, 0, true)
		return o
	}
	o.Status = out.Reply.Status
	o.Answer = out.Reply.Header.Clone()
	out.EditResponse(o.Status, &o.Answer, 0, false)
	o.Location = o.Answer.Value("location")
	o.Verdict = verdict(v, last)
	if _, would := v.Would(); would != nil {
		o.origins = append(o.origins, would.Origin)
	}
	if b := backend(last); b != nil && o.Verdict == Fails {
		o.Backend = b.Name()
		o.origins = append(o.origins, behind(b)...)
	}
	return o
}

// verdict is that of an answer of our own. What guards refuse although nothing is routed
// there is Nothing.
func verdict(v *witness.Visit, last *plan.Hop) Verdict {
	status := v.Out.Reply.Status
	redirects := status >= 300 && status < 400
	if last.Route == nil && last.Listener.Dialect != plan.Sidecar {
		if _, would := v.Would(); would == nil {
			return Nothing
		}
	}
	switch {
	case last.To != nil:
		return Fails
	case last.Route == nil && redirects:
		return Login
	case last.Route == nil:
		return Refused
	case redirects && v.Out.Unauthorized:
		return Login
	case redirects:
		return Redirected
	}
	if _, answers := last.Route.Action.(*plan.Direct); answers {
		return Answered
	}
	if status >= 500 { // there is nobody to ask, or to send it to
		return Fails
	}
	return Refused
}

// backend is where a hop would have sent a request; nil nowhere.
func backend(h *plan.Hop) *plan.Backend {
	if h.To != nil {
		return h.To.Backend
	}
	if h.Route != nil {
		if f, ok := h.Route.Action.(*plan.Forward); ok && len(f.To) > 0 {
			return f.To[0].Backend
		}
	}
	return nil
}

// route is the last that was taken.
func route(hops []plan.Hop) *plan.Route {
	for i := range slices.Backward(hops) {
		if r := hops[i].Route; r != nil {
			return r
		}
	}
	return nil
}

// shares are the destinations of a route that has several, by weight.
func shares(r *plan.Route) []string {
	f, ok := r.Action.(*plan.Forward)
	if !ok || len(f.To) < 2 {
		return nil
	}
	var all []string
	for i := range f.To {
		name := f.To[i].Backend.Key
		if f.To[i].Backend.Next == nil {
			name = f.To[i].Backend.Name()
		}
		all = append(all, decimal(int(f.To[i].Weight))+" to "+name)
	}
	return all
}

// met are the rules and objects that a request has come by, the last first: routes,
// policies, gateways.
func met(hops []plan.Hop) []plan.Origin {
	var all []plan.Origin
	for i := range slices.Backward(hops) {
		h := &hops[i]
		if h.Route != nil {
			all = append(all, h.Route.Origin)
		}
		for _, c := range h.Listener.Chains {
			if slices.Contains(c.Hosts, h.Host) {
				all = append(all, c.Origin)
			}
		}
		if h.Listener.Door != nil {
			all = append(all, h.Listener.Door.By)
		}
	}
	return all
}

// guards are the objects that stand before the listeners of a visit: who fills headers
// first, then the rules of policies.
func guards(v *witness.Visit) []plan.Origin {
	if v == nil {
		return nil
	}
	var all []plan.Origin
	for _, h := range v.Out.Hops() {
		all = append(all, routeGuards(&h)...)
		for _, g := range h.Listener.Guards {
			switch g := g.(type) {
			case *plan.Tokens:
				for _, r := range g.Rules {
					all = append(all, r.Origin)
				}
			case *plan.APIKeys:
				all = append(all, g.Ring.By...)
			case *plan.Login:
				if g.Provider != nil {
					all = append(all, g.Provider.Origin)
				}
			case *plan.External:
				if g.Provider != nil {
					all = append(all, g.Provider.Origin)
				}
			}
		}
	}
	for _, h := range v.Out.Hops() {
		for _, r := range witness.Rules(h.Listener) {
			all = append(all, r.Origin)
		}
	}
	return all
}

// routeGuards are the objects that guard a hop's route.
func routeGuards(h *plan.Hop) []plan.Origin {
	if h.Route == nil {
		return nil
	}
	var all []plan.Origin
	for g := range witness.Flat(h.Route.Guards) {
		switch g := g.(type) {
		case *plan.EdgeAuth:
			all = append(all, g.Origin)
		case *plan.Addresses:
			all = append(all, g.Origin)
		}
	}
	return all
}

// behind are the objects that make a backend.
func behind(b *plan.Backend) []plan.Origin {
	all := []plan.Origin{b.Origin, {Ref: b.Service, Origin: b.Origin.Origin}}
	if b.Sidecar != nil && b.Sidecar.Door != nil {
		all = append(all, b.Sidecar.Door.By)
	}
	for _, e := range b.Endpoints {
		all = append(all, e.Origin)
	}
	return all
}

// edits are what an application or client gets otherwise, in words.
func edits(a, b *Outcome) []string {
	var all []string
	tell := func(what, before, after string) {
		if before != after {
			all = append(all, what+": "+orNone(before)+" -> "+orNone(after))
		}
	}
	if a.Verdict == Reaches && b.Verdict == Reaches {
		tell("method", a.Method, b.Method)
		tell("path", a.Target, b.Target)
		tell("host", a.Host, b.Host)
		all = append(all, fields("header ", a.Headers, b.Headers)...)
	}
	if a.Verdict == b.Verdict {
		all = append(all, fields("answer's header ", a.Answer, b.Answer)...)
		tell("weights", strings.Join(a.Shares, ", "), strings.Join(b.Shares, ", "))
	}
	tell("mirrors", strings.Join(a.Mirrors, ", "), strings.Join(b.Mirrors, ", "))
	if a.Verdict.In() && b.Verdict.In() {
		x, y := a.Limits, b.Limits
		for _, d := range []struct {
			name string
			a, b time.Duration
		}{{"connect timeout", x.Connect, y.Connect}, {"send timeout", x.Send, y.Send}, {"read timeout", x.Read, y.Read},
			{"timeout", x.Total, y.Total}, {"idle timeout", x.Idle, y.Idle}, {"delay", x.Delay, y.Delay}} {
			tell(d.name, d.a.String(), d.b.String())
		}
		tell("retries", decimal(x.Attempts), decimal(y.Attempts))
		tell("body limit", decimal(int(x.MaxBody)), decimal(int(y.MaxBody)))
	}
	return all
}

// fields are those that differ, in words.
func fields(what string, a, b header.Fields) []string {
	var all []string
	for _, list := range []header.Fields{a, b} {
		for _, f := range list {
			before, had := a.Joined(f.Name, ", ")
			after, has := b.Joined(f.Name, ", ")
			if before == after && had == has || f.Name == "location" || f.Name == "content-length" {
				continue
			}
			if text := what + f.Name + ": " + orNone(before) + " -> " + orNone(after); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
