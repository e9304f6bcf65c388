// Package exempt finds the policies of gateways that a path meets before it comes to its
// application, the one that asks people to log in and the one that asks for a token, and
// proves of an edit that it takes the path out of both, or puts it back, and does nothing
// else. The edit itself is package scaffold's.
//
//	exempt    which rules a path meets, and what is to be added to them
//	proof     what an edit has come to
package exempt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// Path is what is to be exempt: a path and all below it.
type Path string

// NewPath reads a path. The error is for who wrote it.
func NewPath(s string) (Path, error) {
	clean := strings.TrimSuffix(strings.TrimSuffix(s, "*"), "/")
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf(`%q does not begin with "/"; as in /mlflow`, s)
	case clean == "":
		return "", fmt.Errorf("%q would exempt every application of the gateway; name one path, as in /mlflow", s)
	case strings.HasSuffix(s, "*") && !strings.HasSuffix(s, "/*"):
		return "", fmt.Errorf("%q would take every path that begins so, of other applications too; write %s, which stands for it and all below it", s, clean)
	case strings.ContainsAny(clean, "*{}?#"):
		return "", fmt.Errorf("%q is no path; write the path alone, which stands for it and all below it", s)
	}
	r := match.Request{Target: clean}
	if !r.Normalise(match.FormMergeSlashes) || r.Path != clean {
		return "", fmt.Errorf("gateways read %q as %q; write that", s, r.Path)
	}
	return Path(clean), nil
}

// Patterns are the path in a policy's paths.
func (p Path) Patterns() []string { return []string{string(p), string(p) + "/*"} }

// Covers tells whether a path is the path or below it.
func (p Path) Covers(path string) bool {
	rest, ok := strings.CutPrefix(path, string(p))
	return ok && (rest == "" || rest[0] == '/')
}

// paths are some of those it stands for.
func (p Path) paths() []string { return []string{string(p), string(p) + "/", string(p) + "/x"} }

// Rule is a rule of a policy that asks for a login or a token.
type Rule struct {
	*plan.PolicyRule
	// Login says that it sends people to log in; otherwise it refuses who has no token.
	Login bool
	// Met says that it asks of the path, at some route.
	Met bool
	// Operations are those of its operations (To) that are about the path, -1 for a rule
	// without any, and what their notPaths lack.
	Operations []Operation
}

// Operation is To of a rule, and paths of its notPaths.
type Operation struct {
	To    int
	Paths []string
}

// Asks is "login" or "token".
func (r *Rule) Asks() string {
	if r.Login {
		return "login"
	}
	return "token"
}

// Finding is what a path meets on its ways.
type Finding struct {
	Path Path
	// Requests are anonymous ones that come to a gateway, one for each host and path that
	// something is routed at.
	Requests []witness.Request
	// Rules are those that ask for a login or a token of gateways that the requests come
	// to, whether they ask it of the path or not.
	Rules []*Rule
}

// ErrNotRouted says that no gateway has a route for the path.
var ErrNotRouted = errors.New("nothing is routed at the path")

// Find walks the path, and looks at what asks for a login or token on its way.
func Find(p *plan.Plan, path Path) (*Finding, error) {
	f := &Finding{Path: path}
	finder := witness.New(p)
	for _, l := range p.Listeners() {
		if l.Dialect != plan.Envoy {
			continue
		}
		met := map[string]bool{}
		for _, c := range l.Chains {
			for _, h := range c.Hosts {
				for _, at := range path.paths() {
					f.look(finder, l, h, at, met)
				}
			}
		}
	}
	if len(f.Requests) == 0 {
		return f, ErrNotRouted
	}
	return f, nil
}

// look walks one path of a host of a gateway.
func (f *Finding) look(finder *witness.Finder, l *plan.Listener, h *plan.Host, path string, met map[string]bool) {
	var v witness.Visit
	nobody := witness.Anonymous()
	for _, q := range finder.At(l, h.Name, path) {
		if met[q.String()] || !v.Walk(finder.Plan, &q, &nobody) {
			continue
		}
		at := slices.IndexFunc(v.Out.Hops(), func(hop plan.Hop) bool { return hop.Listener == l })
		if at < 0 {
			continue
		}
		route := v.Out.Hops()[at].Route
		if route == nil {
			_, route = v.Would()
		}
		if route == nil {
			continue
		}
		met[q.String()] = true
		f.Requests = append(f.Requests, q)
		f.rules(l, &match.Request{Method: "GET", Host: q.Host, Path: path, LocalPort: l.TargetPort})
		return
	}
}

// rules looks at what guards a gateway.
func (f *Finding) rules(l *plan.Listener, r *match.Request) {
	for _, g := range l.Guards {
		switch g := g.(type) {
		case *plan.External:
			f.each(g.When.Rules(), r, true)
		case *plan.Login:
			f.each(g.When.Rules(), r, true)
		case *plan.Policies:
			f.each(slices.DeleteFunc(slices.Clone(g.Deny.Rules()), func(r *plan.PolicyRule) bool { return !asksToken(r) }), r, false)
		}
	}
}

func (f *Finding) each(rules []*plan.PolicyRule, r *match.Request, login bool) {
	for _, rule := range rules {
		if rule.Never || rule.Broken != "" {
			continue
		}
		i := slices.IndexFunc(f.Rules, func(have *Rule) bool {
			return have.Origin.Ref == rule.Origin.Ref && have.Origin.Field == rule.Origin.Field
		})
		if i < 0 {
			i = len(f.Rules)
			f.Rules = append(f.Rules, &Rule{PolicyRule: rule, Login: login})
		}
		f.Rules[i].meet(f.Path, r)
	}
}

// meet notes the operations of a rule that a request for the path meets.
func (r *Rule) meet(path Path, at *match.Request) {
	if len(r.To) == 0 {
		r.Met = true
		r.note(-1, path.Patterns())
		return
	}
	for n, to := range r.To {
		var about match.Conditions
		for _, c := range to { // whatever the method
			if c.Fact == match.FactPath || c.Fact == match.FactHost || c.Fact == match.FactPort {
				about = append(about, c)
			}
		}
		only := match.PolicyRule{To: []match.Conditions{about}}
		if !only.Concerns(at) {
			continue
		}
		r.Met = true
		var lacks []string
		for i, paths := range [][]string{{string(path)}, {string(path) + "/", string(path) + "/x", string(path) + "/x/y.z"}} {
			for _, p := range paths {
				q := *at
				if q.Path = p; only.Concerns(&q) {
					lacks = append(lacks, path.Patterns()[i])
					break
				}
			}
		}
		r.note(n, lacks)
	}
}

func (r *Rule) note(to int, paths []string) {
	if len(paths) == 0 {
		return
	}
	i := slices.IndexFunc(r.Operations, func(o Operation) bool { return o.To == to })
	if i < 0 {
		i = len(r.Operations)
		r.Operations = append(r.Operations, Operation{To: to})
	}
	for _, p := range paths {
		if !slices.Contains(r.Operations[i].Paths, p) {
			r.Operations[i].Paths = append(r.Operations[i].Paths, p)
		}
	}
	slices.Sort(r.Operations[i].Paths) // the path before what is below it
}

// Undo are the operations of a rule that leave out the path by its own patterns, one
// after the other as an edit writes them, and those patterns.
func (r *Rule) Undo(path Path) []Operation {
	own := path.Patterns()
	var all []Operation
	for n, to := range r.To {
		for i := range to {
			not := to[i].NotValues
			at := slices.IndexFunc(not, func(v match.PolicyValue) bool { return v.Written == own[0] })
			if to[i].Fact == match.FactPath && at >= 0 && at+1 < len(not) && not[at+1].Written == own[1] {
				all = append(all, Operation{n, own})
			}
		}
	}
	return all
}

// Others are the patterns of a rule's notPaths by which the path, or a part of it, is left
// out, that are not such an edit's.
func (r *Rule) Others(path Path) []string {
	var all []string
	own := path.Patterns()
	if len(r.Undo(path)) == 0 {
		own = nil
	}
	for _, to := range r.To {
		for i := range to {
			if to[i].Fact != match.FactPath {
				continue
			}
			for _, v := range to[i].NotValues {
				only := match.PolicyCondition{Fact: match.FactPath, Values: []match.PolicyValue{v}}
				takes := only.Match(&match.Request{Path: string(path)}) || only.Match(&match.Request{Path: string(path) + "/x"})
				if takes && !slices.Contains(own, v.Written) && !slices.Contains(all, v.Written) {
					all = append(all, v.Written)
				}
			}
		}
	}
	return all
}

// asksToken tells whether a DENY rule is for whoever has no request principal.
func asksToken(r *plan.PolicyRule) bool {
	for _, conditions := range append(slices.Clone(r.From), r.When) {
		for i := range conditions {
			if c := &conditions[i]; c.Fact == match.FactRequestPrincipal && len(c.Values) == 0 &&
				slices.ContainsFunc(c.NotValues, func(v match.PolicyValue) bool { return v.Written == "*" }) {
				return true
			}
		}
	}
	return false
}
