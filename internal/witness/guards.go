package witness

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Bounds of what is made from one rule of a policy.
const (
	maxValues = 64 // of a condition
	maxPlaces = 4  // routes at which it is asked for
	maxHosts  = 64 // hosts that are looked at for them
)

// ask is what a policy's rule looks at, as far as the rule says; the rest is free.
type ask struct {
	path, method, host string
	header             [][2]string
	from               netip.Addr
	who                Caller
	kind               Kind
}

// guards makes the examples of the policies' rules.
func (x *examples) guards() {
	behind := x.doors()
	for _, l := range x.Plan.Listeners() {
		if l.Dialect == plan.Service {
			continue
		}
		var before *segments
		for _, r := range Rules(l) {
			if r.Never {
				continue
			}
			if before == nil {
				before = segmentsOf(l)
			}
			for _, a := range asks(&r.PolicyRule) {
				x.ask(l, r, &a, before, behind[l])
			}
		}
	}
}

// Rules are the rules in force of the policies before a listener's routes.
func Rules(l *plan.Listener) []*plan.PolicyRule {
	var all []*plan.PolicyRule
	for _, g := range l.Guards {
		switch g := g.(type) {
		case *plan.External:
			all = append(all, g.When.Rules()...)
		case *plan.Login:
			all = append(all, g.When.Rules()...)
		case *plan.Policies:
			all = append(append(append(all, g.Audit.Rules()...), g.Deny.Rules()...), g.Allow.Rules()...)
		}
	}
	return all
}

// ask makes the examples of one question, for all who ask everywhere and for who the
// rule knows.
func (x *examples) ask(l *plan.Listener, r *plan.PolicyRule, a *ask, before *segments, behind []place) {
	e := Example{Kind: a.kind, Of: r.Origin}
	for _, q := range x.places(l, a, before, behind) {
		e.Request = q
		for _, who := range x.callers {
			e.Caller = who
			x.add(e)
		}
		if !a.who.IsAnonymous() {
			e.Caller = a.who
			x.add(e)
		}
	}
}

// place is a route and where it is.
type place struct {
	l *plan.Listener
	h *plan.Host
	r *plan.Route
}

// doors are the routes that lead to each sidecar.
func (x *examples) doors() map[*plan.Listener][]place {
	all := map[*plan.Listener][]place{}
	for _, l := range x.Plan.Listeners() {
		if l.Dialect == plan.Service {
			continue
		}
		eachRoute(l, func(_ *plan.Chain, h *plan.Host, r *plan.Route) {
			to, ok := r.Action.(*plan.Forward)
			if !ok {
				return
			}
			for i := range to.To {
				b := to.To[i].Backend
				for _, part := range append([]*plan.Backend{b}, b.Split...) {
					if part.Sidecar != nil {
						all[part.Sidecar] = append(all[part.Sidecar], place{l, h, r})
					}
				}
			}
		})
	}
	return all
}

// places are requests that bring a question to a listener, at some of its routes.
func (x *examples) places(l *plan.Listener, a *ask, before *segments, behind []place) []Request {
	var all []Request
	try := func(at place, path string) {
		q, ok := x.Route(at.l, at.h, at.r)
		if ok && path != "" && path != q.path() {
			q, ok = x.arrives(at, path)
		}
		if ok {
			all = append(all, a.dressed(q))
		}
	}
	if l.Dialect == plan.Sidecar {
		for _, at := range behind[:min(len(behind), maxPlaces)] {
			for _, path := range unwritten(at.r, a.path) {
				try(at, path)
			}
		}
		return all
	}
	for _, at := range before.some(a) {
		try(at, a.path)
	}
	return all
}

// arrives finds a request for a path that comes to the listener of a place.
func (x *examples) arrives(at place, path string) (Request, bool) {
	if !isPath(path) {
		return Request{}, false
	}
	nobody := Anonymous()
	for _, q := range x.At(at.l, at.h.Name, path) {
		if !x.visit.Walk(x.Plan, &q, &nobody) || x.visit.Out.Kind == plan.ToRespond && x.visit.Out.Reply.Status == 308 {
			continue
		}
		for _, h := range x.visit.Out.Hops() {
			if h.Listener == at.l {
				return q, true
			}
		}
	}
	return Request{}, false
}

// dressed is a request that has what the question is about.
func (a *ask) dressed(q Request) Request {
	if a.method != "" {
		q.Method = a.method
	}
	for _, f := range a.header {
		q = q.With(f[0], f[1])
	}
	if a.from.IsValid() {
		q.From = a.from
	}
	return q
}

// unwritten are paths that a route's rewrite may make a path of.
func unwritten(r *plan.Route, path string) []string {
	if path == "" {
		return []string{""}
	}
	to, _ := r.Action.(*plan.Forward)
	if to == nil || to.Rewrite == nil {
		return []string{path}
	}
	w := to.Rewrite
	if rest, ok := strings.CutPrefix(path, w.With); ok && w.Regex == nil && !w.Whole {
		return []string{w.Prefix + rest}
	}
	return []string{path}
}

// segments finds the routes of a listener by the first segment of their paths.
type segments struct {
	l     *plan.Listener
	first map[string][]place // "": of those that name none
}

func segmentsOf(l *plan.Listener) *segments {
	s := &segments{l, map[string][]place{}}
	eachRoute(l, func(_ *plan.Chain, h *plan.Host, r *plan.Route) {
		lead, _ := r.Rule.Path.Lead()
		segment := firstSegment(lead)
		s.first[segment] = append(s.first[segment], place{l, h, r})
	})
	return s
}

// firstSegment is "a" of "/a/b", and "" of what may be only a part of one.
func firstSegment(path string) string {
	segment, _, whole := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !whole {
		return ""
	}
	return segment
}

// some are places at which a question may be asked: those whose routes take its path, at
// different hosts.
func (s *segments) some(a *ask) []place {
	segment, _, _ := strings.Cut(strings.TrimPrefix(a.path, "/"), "/")
	lists := [][]place{s.first[segment], s.first[""]}
	if segment == "" {
		lists = [][]place{s.first[""]}
	}
	if a.path == "" && len(s.first[""]) < maxPlaces {
		lists = append(lists, s.any())
	}
	var all []place
	looked := 0
	for _, list := range lists {
		for _, at := range list {
			if a.host != "" && !Covers(at.h.Name, strings.ToLower(a.host)) {
				continue
			}
			if looked++; looked > maxHosts || len(all) == maxPlaces {
				return all
			}
			if a.path == "" || at.r.Rule.Path.Match(a.path, true) {
				all = append(all, at)
			}
		}
	}
	return all
}

// any are the first routes of the listener.
func (s *segments) any() []place {
	var all []place
	eachRoute(s.l, func(_ *plan.Chain, h *plan.Host, r *plan.Route) {
		if len(all) < maxPlaces {
			all = append(all, place{s.l, h, r})
		}
	})
	return all
}

// asks are the questions that a rule's conditions tell apart: one that meets all, and for
// each value of each condition one that meets it, or is left out by it.
func asks(u *match.PolicyRule) []ask {
	var all []ask
	operations, sources := u.To, u.From
	if len(operations) == 0 {
		operations = []match.Conditions{nil}
	}
	if len(sources) == 0 {
		sources = []match.Conditions{nil}
	}
	base := ask{kind: Within}
	for _, to := range operations {
		for _, from := range sources {
			conditions := slices.Concat(to, from, u.When)
			a := base
			for i := range conditions {
				a = a.meeting(&conditions[i])
			}
			all = append(all, a)
			for i := range conditions {
				all = append(all, a.varied(&conditions[i])...)
			}
		}
	}
	for i := range all {
		all[i].who = all[i].who.named()
	}
	return all
}

// meeting is the question with a condition met.
func (a ask) meeting(c *match.PolicyCondition) ask {
	if len(c.Values) > 0 {
		return a.with(c, c.Values[0].Written)
	}
	return a
}

// varied are the questions with the other values of a condition, and with those that it
// leaves out.
func (a ask) varied(c *match.PolicyCondition) []ask {
	var all []ask
	for i := range c.Values[:min(len(c.Values), maxValues)] {
		if i > 0 {
			all = append(all, a.with(c, c.Values[i].Written))
		}
	}
	for i := range c.NotValues[:min(len(c.NotValues), maxValues)] {
		b := a.with(c, c.NotValues[i].Written)
		b.kind = Outside
		all = append(all, b)
	}
	if len(c.Values) > 0 && c.Fact == match.FactMethod {
		b := a.with(c, "DELETE")
		b.kind = Outside
		all = append(all, b)
	}
	return all
}

// with is the question about a value of a condition.
func (a ask) with(c *match.PolicyCondition, value string) ask {
	switch c.Fact {
	case match.FactPath:
		if a.path = PathOf(value); strings.HasSuffix(a.path, "/") {
			a.path += "x" // the directory itself is often a rule of its own
		}
	case match.FactMethod:
		if value != "*" {
			a.method = textOf(value)
		}
	case match.FactHost:
		if a.host, _ = match.SplitPort(textOf(value)); value == "*" {
			a.host = ""
		}
	case match.FactHeader:
		if !strings.HasPrefix(c.Name[0], ":") {
			a.header = append(a.header[:len(a.header):len(a.header)], [2]string{c.Name[0], textOf(value)})
		}
	case match.FactSourceIP, match.FactRemoteIP:
		a.from = addressIn(value)
	case match.FactRequestPrincipal:
		issuer, subject := "*", value
		if cut := strings.LastIndexByte(value, '/'); cut >= 0 {
			issuer, subject = value[:cut], value[cut+1:]
		}
		if !strings.Contains(issuer, "*") {
			a.who = a.who.claiming([]string{"iss"}, issuer)
		}
		if value != "*" {
			a.who = a.who.claiming([]string{"sub"}, textOf(subject))
		}
	case match.FactClaim:
		a.who = a.who.claiming(c.Name, textOf(value))
	}
	return a
}

// addressIn is an address of a block: its last but one, where it has more than one.
func addressIn(block string) netip.Addr {
	if a, err := netip.ParseAddr(block); err == nil {
		return a
	}
	p, err := netip.ParsePrefix(block)
	if err != nil {
		return netip.Addr{}
	}
	if next := p.Masked().Addr().Next(); p.Contains(next) {
		return next
	}
	return p.Addr()
}

// named is the caller with a name that tells what rules know: "with groups: ml".
func (c Caller) named() Caller {
	if c.Claims == nil {
		return Anonymous()
	}
	plain := Bearer().Claims
	var parts []string
	for name, value := range c.Claims {
		if fmt.Sprint(plain[name]) != fmt.Sprint(value) {
			parts = append(parts, name+": "+fmt.Sprint(value))
		}
	}
	sort.Strings(parts)
	if c.Name = "whose token has " + strings.Join(parts, ", "); len(parts) == 0 {
		c.Name = Bearer().Name
	}
	return c
}
