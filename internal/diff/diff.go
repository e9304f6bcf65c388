// Package diff tells what changes for requests between two plans. It walks the examples
// that both plans' rules give (package witness) through both, and folds what differs into
// one line a rule. It is exact about each example; of requests that no rule tells apart
// from an example it takes the example for all.
package diff

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// Side is one of two plans, with what it was made from.
type Side struct {
	Plan *plan.Plan
	Set  *object.Set // nil: causes are the rules that decided
}

// Compare tells what changes from one plan to another, for their own examples and more.
func Compare(before, after Side, more ...witness.Example) *Report {
	c := newComparison(before, after)
	report := &Report{Examples: c.all(more)}
	for _, change := range c.order {
		change.Count = len(change.requests)
		report.Changes = append(report.Changes, *change)
	}
	slices.SortStableFunc(report.Changes, func(a, b Change) int {
		return cmp.Or(a.Class.rank()-b.Class.rank(), b.Count-a.Count, strings.Compare(a.Example.String(), b.Example.String()))
	})
	return report
}

// Each calls yield for every example that something changes for, and returns how many
// examples there are. Nothing is folded.
func Each(before, after Side, yield func(*Change), more ...witness.Example) (examples int) {
	c := newComparison(before, after)
	c.yield = yield
	return c.all(more)
}

func newComparison(before, after Side) *comparison {
	return &comparison{before: before, after: after, folds: map[fold]*Change{}, logins: asks(before.Plan) || asks(after.Plan),
		forged: Identities(before.Plan, after.Plan), altered: map[object.Ref]alteration{}, open: map[string]bool{}}
}

// all walks the examples of both sides, and more.
func (c *comparison) all(more []witness.Example) int {
	examples := slices.Concat(more, witness.Examples(c.after.Plan), witness.Examples(c.before.Plan))
	seen := make(map[string]bool, len(examples))
	for i := range examples {
		e := &examples[i]
		key := e.String() + "\x00" + e.Caller.Name
		if !seen[key] {
			seen[key] = true
			c.example(e)
		}
	}
	return len(seen)
}

// comparison is one in progress.
type comparison struct {
	before, after Side
	a, b          witness.Visit
	logins        bool     // somebody is asked to log in, in either plan
	forged        []string // the headers by which applications know who asks
	folds         map[fold]*Change
	order         []*Change
	yield         func(*Change)             // instead of folding
	open          map[string]bool           // requests that became reachable without login
	altered       map[object.Ref]alteration // as far as that was asked
}

// fold is what the changes of one line have in common.
type fold struct {
	class         Class
	before, after string
	because       string
}

// kind is what outcomes of one line have in common.
func (o *Outcome) kind() string {
	switch {
	case o.Verdict.In():
		return "in"
	case o.Verdict.Shut():
		return "shut"
	}
	return string(o.Verdict)
}

// example walks one example through both plans.
func (c *comparison) example(e *witness.Example) {
	a, b := c.walk(e, &e.Request)
	if !same(a, b) {
		x, y := Of(a), Of(b)
		if class, edited, ok := c.classify(e, &x, &y); ok {
			c.add(Change{Class: class, Example: *e, Before: x, After: y, Edits: edited, Because: c.because(a, b, &x, &y)})
		}
	}
	if e.Kind == witness.Takes && e.Route != nil && len(c.forged) > 0 {
		c.forge(e)
	}
}

// walk takes a request through both plans; nil has no such listener.
func (c *comparison) walk(e *witness.Example, r *witness.Request) (a, b *witness.Visit) {
	if c.a.Walk(c.before.Plan, r, &e.Caller) {
		a = &c.a
	}
	if c.b.Walk(c.after.Plan, r, &e.Caller) {
		b = &c.b
	}
	return a, b
}

// add folds a change into those of its kind. What is only the same for people who are
// logged in as for everybody is left out.
func (c *comparison) add(change Change) {
	if c.yield != nil {
		c.yield(&change)
		return
	}
	request := change.Example.String()
	switch {
	case change.Class.Open():
		c.open[request] = true
	case (change.Class == Widened || change.Class == Added) && c.open[request]:
		return
	}
	key := fold{class: change.Class}
	if change.Class != Added && change.Class != Lost { // for some with a login, for others without
		key.before, key.after = change.Before.kind(), change.After.kind()
	}
	for _, o := range change.Because {
		key.because += o.Ref.String() + o.Field + "\n"
	}
	old := c.folds[key]
	if old == nil {
		change.requests = map[string]bool{request: true}
		c.folds[key] = &change
		c.order = append(c.order, &change)
		return
	}
	old.requests[request] = true
	if change.plainness() < old.plainness() {
		change.requests = old.requests
		*old = change
	}
}

// plainness tells how plainly an example shows the change, the less the better: an
// application is in it, and the request is a route's own, at an entry that people use.
func (c *Change) plainness() int {
	e := &c.Example
	n := len(e.Header) * 4
	if !c.Before.Verdict.In() && !c.After.Verdict.In() {
		n += 16
	}
	if c.Before.Verdict == Fails || c.After.Verdict == Fails {
		n += 4
	}
	if e.Via != plan.Edge {
		n += 8
	}
	if e.Kind != witness.Takes && e.Kind != witness.Outside {
		n += 2
	}
	if !e.Caller.IsAnonymous() {
		n++
	}
	return n
}

// classify tells what it means that an outcome has become another. It is false where
// that is nothing to anybody.
func (c *comparison) classify(e *witness.Example, x, y *Outcome) (Class, []string, bool) {
	anyone := e.Caller.IsAnonymous()
	switch {
	case y.Verdict.In() && !x.Verdict.In():
		was := x.Verdict
		if was == Redirected {
			was = c.behindTLS(e, was)
		}
		switch {
		case anyone && was.Shut():
			return Opened, nil, true
		case was.Shut():
			return Widened, nil, true
		case y.Verdict == Fails || was.In():
			return Turned, nil, true
		case anyone && c.logins && was == Nothing:
			return Published, nil, true
		}
		return Added, nil, true
	case x.Verdict.In() && !y.Verdict.In():
		if y.Verdict.Shut() {
			return Closed, nil, true
		}
		return Lost, nil, true
	case x.Verdict == Reaches && y.Verdict == Fails:
		return Lost, nil, true
	case x.Verdict == Fails && y.Verdict == Reaches:
		return Added, nil, true
	case x.Verdict.In() && x.Backend != y.Backend:
		return Retargeted, edits(x, y), true
	case x.Verdict == Nothing:
		return Added, nil, y.Verdict != Nothing
	case y.Verdict == Nothing:
		return Lost, nil, true
	case x.Verdict != y.Verdict || x.Status != y.Status || x.Location != y.Location:
		return Turned, nil, true
	}
	all := edits(x, y)
	return Edited, all, len(all) > 0
}

// behindTLS is what became of a request that was sent to https, where it follows.
func (c *comparison) behindTLS(e *witness.Example, was Verdict) Verdict {
	r := e.Request
	if r.Secure {
		return was
	}
	r.Secure = true
	var v witness.Visit
	if v.Walk(c.before.Plan, &r, &e.Caller) {
		o := Of(&v)
		return o.Verdict
	}
	return was
}

// forge asks again, and says to be somebody.
func (c *comparison) forge(e *witness.Example) {
	const lie = "forged"
	r := e.Request
	r.Header = r.Header.Clone()
	for _, name := range c.forged {
		r.Header.Set(name, lie)
	}
	a, b := c.walk(e, &r)
	if a == nil || b == nil || a.Out.Kind != plan.ToForward || b.Out.Kind != plan.ToForward {
		return
	}
	var names []string
	for _, name := range c.forged {
		if a.Req.Header.Value(name) != lie && b.Req.Header.Value(name) == lie && !e.Request.Header.Has(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	shown := *e
	shown.Request.Header = e.Request.Header.Clone()
	for _, name := range names {
		shown.Request.Header.Set(name, lie)
	}
	x, y := Of(a), Of(b)
	c.add(Change{Class: Forgeable, Example: shown, Before: x, After: y, Because: c.because(a, b, &x, &y),
		Edits: []string{"the application believes the client's " + strings.Join(names, ", ")}})
}

// asks tells whether somebody is asked for a login or a token.
func asks(p *plan.Plan) bool {
	for _, l := range p.Listeners() {
		for g := range witness.Guards(l) {
			switch g.(type) {
			case *plan.Login, *plan.External, *plan.EdgeAuth, *plan.Tokens, *plan.APIKeys:
				return true
			}
		}
	}
	return false
}

// Identities are the headers by which logins and token rules tell applications who asks, in
// any of the plans.
func Identities(plans ...*plan.Plan) []string {
	var all []string
	add := func(name string) {
		name = strings.ToLower(name)
		if name != "" && name != "authorization" && name != "cookie" && !strings.HasPrefix(name, ":") && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, p := range plans {
		for _, l := range p.Listeners() {
			for g := range witness.Guards(l) {
				switch g := g.(type) {
				case *plan.Login:
					for _, name := range witness.UserHeaders() {
						if g.Provider != nil && g.Provider.XAuthRequest {
							add(name)
						}
					}
				case *plan.EdgeAuth:
					for _, name := range g.Headers {
						add(name)
					}
				case *plan.External:
					if g.Provider != nil {
						for _, t := range g.Provider.UpstreamOnAllow {
							add(t.Value)
						}
					}
				case *plan.Tokens:
					for _, r := range g.Rules {
						add(r.PayloadTo)
						for i := range r.ClaimsTo {
							add(r.ClaimsTo[i].Name)
						}
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// same tells, without making anything, that two visits came to the same.
func same(a, b *witness.Visit) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := &a.Out, &b.Out
	if x.Kind != y.Kind || x.Delay != y.Delay || x.MaxBody != y.MaxBody || len(x.Mirrors) != len(y.Mirrors) {
		return false
	}
	for i := range x.Mirrors {
		if x.Mirrors[i].Backend.Key != y.Mirrors[i].Backend.Key {
			return false
		}
	}
	r, s := route(x.Hops()), route(y.Hops())
	if (r == nil) != (s == nil) || r != nil && !slices.Equal(shares(r), shares(s)) {
		return false
	}
	status := 200
	if x.Kind == plan.ToForward {
		f, g := x.Inner(), y.Inner()
		if x.Backend.Key != y.Backend.Key || a.Req.Method != b.Req.Method || a.Req.Host != b.Req.Host || a.Req.Target != b.Req.Target ||
			f.Limits != g.Limits || f.Retry.Attempts != g.Retry.Attempts || !slices.Equal(a.Req.Header, b.Req.Header) {
			return false
		}
	} else {
		status = x.Reply.Status
		if status != y.Reply.Status || x.Reply.Header.Value("location") != y.Reply.Header.Value("location") ||
			verdict(a, lastHop(x)) != verdict(b, lastHop(y)) {
			return false
		}
	}
	return slices.Equal(answer(x, status), answer(y, status))
}

func lastHop(o *plan.Outcome) *plan.Hop { return &o.Hops()[len(o.Hops())-1] }

// answer is the header of the answer to the client.
func answer(o *plan.Outcome, status int) header.Fields {
	var f header.Fields
	if o.Kind == plan.ToRespond {
		f = o.Reply.Header.Clone()
	}
	o.EditResponse(status, &f, 0, o.Kind == plan.ToForward)
	return f
}

func decimal(n int) string { return strconv.Itoa(n) }
