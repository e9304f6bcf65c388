package suite

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/witness"
)

// Generate proposes tests of the manifests of the options: of each route and rule, or
// of the requests in an access log, if it is not nil. What they expect is what the
// manifests mean now. The text is a test file for the working directory.
func Generate(ctx context.Context, o Options, log io.Reader) ([]byte, error) {
	f := &File{Name: "generated_test.yaml", Callers: map[string]*Caller{}}
	s, err := load(ctx, f, o)
	if err != nil {
		return nil, err
	}
	g := &generator{Set: s, file: f, seen: map[string]bool{}}
	about := "Proposed by doorward test --generate: what the manifests mean now. Keep what they should mean."
	if log == nil {
		g.fromPlan()
	} else {
		read, err := g.fromLog(log)
		if err != nil {
			return nil, err
		}
		about = fmt.Sprintf("Proposed by doorward test --from-log from %d requests: what the manifests mean now, one test for each\nkind of request. Keep what they should mean.", read)
	}
	if len(f.Tests) == 0 {
		return nil, fmt.Errorf("there is nothing to propose: no request comes to a route or rule of these manifests")
	}
	return f.text(about, s), nil
}

// generator collects tests.
type generator struct {
	*Set
	file  *File
	seen  map[string]bool // tests, by what they ask; kinds of requests in a log
	out   plan.Outcome
	visit witness.Visit
}

// mostShown bounds the outcomes that are shown of a rule, mostOutside those of what a
// rule of a policy leaves out: each exempt path is worth one.
const (
	mostShown   = 3
	mostOutside = 16
)

// ruleKind is what examples are of.
type ruleKind struct {
	ruleKey
	witness.Kind
}

// fromPlan proposes, for each rule, what nobody in particular gets by it and, where that
// is a refusal, what somebody gets.
func (g *generator) fromPlan() {
	shown := map[ruleKind][]string{} // outcomes
	refused := map[string]bool{}     // requests of nobody
	shut := map[ruleKind]bool{}      // nobody has been let in yet
	examples := witness.Examples(g.Plan)
	for i := range examples {
		e := &examples[i]
		key := ruleKind{keyOf(&e.Of), e.Kind}
		most := mostShown
		if e.Kind == witness.Outside {
			most = mostOutside
		}
		if e.Kind == witness.Beside || e.Of.Ref.Kind == "" || len(shown[key]) == most || !e.Caller.IsAnonymous() && !refused[e.String()] {
			continue
		}
		t, ok := g.test(e)
		if !ok {
			continue
		}
		o := g.decide(t)
		if e.Caller.IsAnonymous() {
			refused[e.String()] = isRefusal(&o)
		}
		if seen, before := shut[key]; !before || seen {
			shut[key] = isRefusal(&o)
		}
		outcome := brief(&o)
		if e.Kind == witness.Outside {
			outcome += " " + strings.SplitN(t.Target+"/", "/", 3)[1]
		}
		if !slices.Contains(shown[key], outcome) {
			shown[key] = append(shown[key], outcome)
			t.Name = name(e, t)
			g.add(t, &o)
		}
	}
	g.open(examples, shut)
}

// isRefusal tells whether somebody else might get more.
func isRefusal(o *scenario.Outcome) bool {
	return o.Status == 302 || o.Status == 401 || o.Status == 403
}

// maxInsiders bounds who is tried where nobody comes in.
const maxInsiders = 8

// open proposes, of the routes at which nobody was let in, what those get whom other
// rules tell apart, or who have an API key.
func (g *generator) open(examples []witness.Example, shut map[ruleKind]bool) {
	for _, key := range g.keys[:min(len(g.keys), maxInsiders)] {
		g.named(key, caller.Spec{APIKey: key})
	}
	who := slices.Sorted(maps.Keys(g.file.Callers))
	for i := range examples {
		e := &examples[i]
		key := ruleKind{keyOf(&e.Of), e.Kind}
		if e.Kind != witness.Takes || !e.Caller.IsAnonymous() || !shut[key] {
			continue
		}
		for _, as := range who[:min(len(who), maxInsiders)] {
			t, ok := g.test(e)
			if !ok {
				break
			}
			t.As = g.file.Callers[as]
			if o := g.decide(t); !isRefusal(&o) {
				t.Name = name(e, t)
				g.add(t, &o)
				shut[key] = false
				break
			}
		}
	}
}

// brief is what tells outcomes apart.
func brief(o *scenario.Outcome) string {
	return strconv.Itoa(o.Status) + " " + cmp.Or(o.Backend, "none") + " " + o.By.String()
}

// name says what a test shows.
func name(e *witness.Example, t *Test) string {
	what := map[witness.Kind]string{witness.Takes: "takes it", witness.Within: "is about it", witness.Outside: "leaves it out"}[e.Kind]
	s := strings.TrimSpace(e.Of.Ref.String()+" "+e.Of.Field) + " " + what
	if t.As != nil {
		s += ", as " + t.As.Name
	}
	return s
}

// test makes a test of an example; it is false for one that no test file can hold.
func (g *generator) test(e *witness.Example) (*Test, bool) {
	t := &Test{URL: e.URL(), Request: scenario.Request{Via: e.Via, Method: cmp.Or(e.Method, "GET"), Chance: 0.5, From: e.From, Header: e.Header}}
	if t.SetURL(t.URL) != nil || !valid(t) || g.Plan.Listener(t.Via) == nil {
		return nil, false
	}
	if !e.Caller.IsAnonymous() {
		t.As = g.caller(e, t)
	}
	return t, true
}

// valid tells whether a test file can hold the request.
func valid(t *Test) bool {
	if !http1.ValidHost(t.Host) || !http1.ValidName(strings.ToLower(t.Method)) || strings.ContainsAny(t.URL, "#") {
		return false
	}
	for _, f := range t.Header {
		if !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) || f.Name == "host" {
			return false
		}
	}
	return !strings.ContainsFunc(t.Target, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// caller is the example's, as a test file names it.
func (g *generator) caller(e *witness.Example, t *Test) *Caller {
	spec := caller.Spec{User: "member@example.com"}
	who := "member"
	if !maps.EqualFunc(e.Caller.Claims, witness.Member().Claims, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		who = "with " + claimsText(e.Caller.Claims)
		spec = caller.Spec{Claims: maps.Clone(e.Caller.Claims)}
		if spec.Claims["iss"] == nil {
			spec.Claims["iss"] = g.issuer(t)
		}
	}
	return g.named(who, spec)
}

// named is the caller of a name; it is made where there is none.
func (g *generator) named(name string, spec caller.Spec) *Caller {
	if c := g.file.Callers[name]; c != nil {
		return c
	}
	who, err := caller.New(spec)
	if err != nil {
		return nil
	}
	c := &Caller{Name: name, Spec: spec, who: who}
	g.file.Callers[name] = c
	return c
}

// claimsText tells claims apart from the usual ones: "groups=[admins]".
func claimsText(claims map[string]any) string {
	var parts []string
	usual := witness.Member().Claims
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if fmt.Sprint(claims[name]) != fmt.Sprint(usual[name]) {
			parts = append(parts, fmt.Sprintf("%s=%v", name, claims[name]))
		}
	}
	return strings.Join(parts, " ")
}

// issuer is the first issuer whose tokens are taken on the way of a test.
func (g *generator) issuer(t *Test) any {
	g.decide(t)
	for _, h := range g.out.Hops() {
		for _, guard := range h.Listener.Guards {
			if tokens, ok := guard.(*plan.Tokens); ok && len(tokens.Rules) > 0 {
				return tokens.Rules[0].Issuer
			}
		}
	}
	return "https://login.example.com"
}

// decide walks a test.
func (g *generator) decide(t *Test) scenario.Outcome {
	return g.walk(t, nil, &g.out).Outcome
}

// add keeps a test, with what has come of it as what it expects.
func (g *generator) add(t *Test, o *scenario.Outcome) {
	as := ""
	if t.As != nil {
		as = t.As.Name
	}
	key := fmt.Sprintf("%s %s %s %s %v %v", t.Method, t.URL, t.Via, as, t.From, t.Header)
	if g.seen[key] {
		return
	}
	g.seen[key] = true
	expect := func(kind, name, value string) {
		t.Checks = append(t.Checks, scenario.Check{Kind: kind, Name: name, Value: value, No: value == scenario.Nothing})
	}
	if o.Backend != "" {
		expect("backend", "", o.Backend)
		expect("path", "", o.Target)
		for _, name := range g.written() {
			if v, ok := o.Got.Joined(name, ","); ok {
				expect("got", name, v)
			}
		}
	} else {
		status := strconv.Itoa(o.Status)
		if o.Closed {
			status = closed
		}
		expect("status", "", status)
		expect("backend", "", scenario.Nothing)
		if location, ok := o.Answer.Get("location"); ok {
			expect("answer", "location", location)
		}
	}
	if o.By.Ref.Kind != "" {
		expect("decidedBy", "", o.By.Ref.String())
	} else {
		expect("decidedBy", "", scenario.Nothing)
	}
	g.file.Tests = append(g.file.Tests, t)
}

// written are the headers that the routes and token rules on the way write.
func (g *generator) written() []string {
	var all []string
	for _, h := range g.out.Hops() {
		for _, guard := range h.Listener.Guards {
			if tokens, ok := guard.(*plan.Tokens); ok {
				for _, r := range tokens.Rules {
					for _, c := range r.ClaimsTo {
						all = append(all, c.Name)
					}
				}
			}
		}
		if h.Route == nil {
			continue
		}
		for _, f := range h.Route.Filters {
			if edits, ok := f.(*plan.HeaderRoute); ok {
				for _, v := range slices.Concat(edits.Request.Set, edits.Request.Add) {
					all = append(all, v.Name)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
