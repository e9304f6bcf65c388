package exempt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/diff"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// Proof is what an edit comes to.
type Proof struct {
	// Ways are anonymous requests for the path for which something changes.
	Ways []Way
	// Public are the applications that anybody reaches by the path now, by name.
	Public []string
	// Forgeable are headers by which applications know who asks, that a client can fill
	// itself on the path.
	Forgeable []string
	// Still are requests that something else refuses, now as before.
	Still    []Way
	Examples int // that were walked through both plans
}

// Way is a request and what becomes of it.
type Way struct {
	witness.Request
	Before, After diff.Outcome
}

// Prove walks the path through the plans before and after an edit, and all examples of
// both. The error says what is not as it should be: that the path still meets a rule, or
// with undo does not, or that something else changes.
func (f *Finding) Prove(before, after diff.Side, undo bool) (*Proof, error) {
	p := &Proof{}
	var a, b witness.Visit
	nobody := witness.Anonymous()
	met := false
	for _, q := range f.Requests {
		if !a.Walk(before.Plan, &q, &nobody) || !b.Walk(after.Plan, &q, &nobody) {
			return nil, fmt.Errorf("the edit takes the listener of %s away", q)
		}
		w := Way{q, diff.Of(&a), diff.Of(&b)}
		asked := f.asks(&w.After)
		met = met || asked
		if asked && !undo {
			return nil, fmt.Errorf("%s would still be refused, by %s", q, w.After.By)
		}
		if undo && w.Before.Verdict.In() && w.After.Verdict.Shut() || !undo && f.asks(&w.Before) {
			p.Ways = append(p.Ways, w)
		}
		switch name := w.After.Backend; {
		case undo:
		case w.After.Verdict.Shut():
			p.Still = append(p.Still, w)
		case w.After.Verdict.In() && !slices.Contains(p.Public, name):
			p.Public = append(p.Public, name)
		}
		if !undo && w.After.Verdict.In() {
			p.forge(after.Plan, q)
		}
	}
	if undo && !met {
		return nil, fmt.Errorf("%s would still be exempt%s", f.Path, f.others())
	}
	slices.SortStableFunc(p.Ways, func(x, y Way) int { return plainness(&x) - plainness(&y) })
	var other error
	p.Examples = diff.Each(before, after, func(c *diff.Change) {
		if other == nil && !f.Path.within(c.Example.Request) {
			other = fmt.Errorf("something else would change: %s, by %s, %s: %s before, %s after", c.Example.Request, c.Example.Caller.Name, c.Class.Title(), &c.Before, &c.After)
		}
	}, f.near()...)
	return p, other
}

// forge asks with the headers of somebody, and notes those that come through.
func (p *Proof) forge(after *plan.Plan, q witness.Request) {
	const lie = "forged"
	names := diff.Identities(after)
	for _, name := range names {
		q = q.With(name, lie)
	}
	var v witness.Visit
	nobody := witness.Anonymous()
	v.Walk(after, &q, &nobody)
	for _, name := range names {
		if v.Req.Header.Value(name) == lie && !slices.Contains(p.Forgeable, name) {
			p.Forgeable = append(p.Forgeable, name)
		}
	}
}

// plainness puts requests first that come to an application, at the edge.
func plainness(w *Way) int {
	n := 0
	if !w.Before.Verdict.In() && !w.After.Verdict.In() {
		n += 2
	}
	if w.Via != "edge" {
		n++
	}
	return n
}

// asks tells whether an outcome is the refusal of a login or token rule.
func (f *Finding) asks(o *diff.Outcome) bool {
	return o.Verdict.Shut() && slices.ContainsFunc(f.Rules, func(r *Rule) bool { return r.Origin.Ref == o.By.Ref })
}

// others tells, in words, by which other patterns the path is exempt.
func (f *Finding) others() string {
	var all []string
	for _, r := range f.Rules {
		for _, p := range r.Others(f.Path) {
			all = append(all, p+" of "+r.Origin.Ref.String())
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", by " + strings.Join(all, " and ")
}

// near are examples that an edit might touch and should not: beside the path and above it.
func (f *Finding) near() []witness.Example {
	p := string(f.Path)
	paths := []string{p + "x", p + "-x/", p + "%2Fx", p + ";x", "/" + p, strings.ToUpper(p), p[:strings.LastIndexByte(p, '/')+1], p[:len(p)-1]}
	var all []witness.Example
	hosts := map[string]bool{}
	for _, q := range f.Requests {
		if key := q.Via + q.Host; hosts[key] {
			continue
		} else {
			hosts[key] = true
		}
		for _, path := range paths {
			q.Target = path
			for _, who := range []witness.Caller{witness.Anonymous(), witness.Member(), witness.Bearer()} {
				all = append(all, witness.Example{Request: q, Caller: who, Kind: witness.Beside})
			}
		}
	}
	return all
}

// within tells whether a request is for the path, as some gateway may read it.
func (p Path) within(r witness.Request) bool {
	path, _, _ := strings.Cut(r.Target, "?")
	read := match.Request{Target: path}
	return p.Covers(path) || read.Normalise(match.FormDecodeSlashes) && p.Covers(read.Path)
}

// Policies are the objects of the rules, in their order.
func (f *Finding) Policies() []object.Ref {
	var all []object.Ref
	for _, r := range f.Rules {
		if !slices.Contains(all, r.Origin.Ref) {
			all = append(all, r.Origin.Ref)
		}
	}
	return all
}
