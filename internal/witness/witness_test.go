package witness

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// load compiles manifests for questions about files.
func load(t testing.TB, opts source.Options) *plan.Plan {
	t.Helper()
	set, _, err := source.Load(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := compile.Compile(set, compile.Options{AssumePods: true, UndeclaredClasses: true})
	return p
}

func text(manifests string) source.Options {
	return source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(manifests)}}}
}

// plans are those of all scenarios and examples, and of the manifests that the
// environment names.
func plans(t *testing.T) map[string]*plan.Plan {
	all := map[string]*plan.Plan{}
	err := filepath.WalkDir("../scenario/testdata", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".txtar" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := scenario.Parse(name, data)
		if err != nil {
			return err
		}
		p, _, err := s.Compile(t.Context(), func(scenario.Up) string { return "192.0.2.1:80" })
		all[name] = p
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"paas", "localhost", "login"} {
		all[dir] = load(t, source.Options{Kustomizations: []string{"../../examples/" + dir}})
	}
	for _, name := range filepath.SplitList(os.Getenv("DOORWARD_TEST_MANIFESTS")) {
		all[name] = load(t, source.Options{Files: []string{name}})
	}
	return all
}

// Every example shows what it says: it takes its route, or just does not. Routes without
// one are those that no request takes, for whatever reason the scenario has.
func TestExamplesShowWhatTheySay(t *testing.T) {
	total, without := 0, 0
	for name, p := range plans(t) {
		t.Run(name, func(t *testing.T) {
			covered := map[*plan.Route]bool{}
			var v Visit
			for _, e := range Examples(p) {
				if !v.Walk(p, &e.Request, &e.Caller) {
					t.Fatalf("%s: there is no such listener", e)
				}
				if e.Route == nil {
					continue
				}
				switch took := v.Took(e.Route); {
				case e.Kind == Takes && !took && v.Out.Reply.Status != 308:
					t.Errorf("%s, by %s, does not take %s of %s: %s", e, e.Caller.Name, e.Route.Rule.String(), e.Of, v.Out.Reason)
				case e.Kind == Beside && took && last(&v) == e.Route:
					t.Errorf("%s, by %s, takes %s of %s", e, e.Caller.Name, e.Route.Rule.String(), e.Of)
				case e.Kind == Takes:
					covered[e.Route] = true
				}
			}
			for r, at := range routes(p) {
				if total++; !covered[r] {
					without++
					t.Logf("no request takes %s: %s of %s", at, r.Rule.String(), r.Origin)
					if !strings.Contains(name, "testdata") && r.Origin.Ref.Kind != "" {
						t.Errorf("a route has no example")
					}
				}
			}
		})
	}
	if without*20 > total {
		t.Errorf("%d of %d routes have no example", without, total)
	}
}

// last is the route that decided.
func last(v *Visit) *plan.Route {
	hops := v.Out.Hops()
	if r := hops[len(hops)-1].Route; r != nil {
		return r
	}
	_, r := v.Would()
	return r
}

// routes are those that clients may come to, and where they are.
func routes(p *plan.Plan) map[*plan.Route]string {
	all := map[*plan.Route]string{}
	for _, l := range p.Listeners() {
		if l.Dialect != plan.Service {
			eachRoute(l, func(_ *plan.Chain, h *plan.Host, r *plan.Route) { all[r] = l.Key + " " + h.Name })
		}
	}
	return all
}

func TestExamplesAreTheSameEachTime(t *testing.T) {
	opts := source.Options{Kustomizations: []string{"../../examples/login"}}
	list := func() (all []string) {
		for _, e := range Examples(load(t, opts)) {
			all = append(all, fmt.Sprint(e.Request, e.Caller.Name, e.Kind, e.Of))
		}
		return all
	}
	first := list()
	seen := map[string]bool{}
	for _, s := range first {
		if seen[s] {
			t.Errorf("twice: %s", s)
		}
		seen[s] = true
	}
	if second := list(); !reflect.DeepEqual(first, second) {
		t.Errorf("first\n%s\nthen\n%s", strings.Join(first, "\n"), strings.Join(second, "\n"))
	}
}

func TestOfRegex(t *testing.T) {
	for _, expr := range []string{
		"/a", "/a.*", "/a(/.*)?", "/(v1|v2)/x", "/[0-9]{3}/[a-z]+", `/a\.b`, "(?i)/Login", ".*", "/x|/y", `/a(\b|/).*`,
		"(GET|POST)", `^/anchored$`, `/[^/]+/edit`, "/a{2,3}", `/\d+\.\w+`,
	} {
		c, err := match.NewRegex(expr)
		if err != nil {
			t.Fatal(err)
		}
		if len(texts(&c)) == 0 {
			t.Errorf("%s: of %q none matches", expr, ofRegex(expr))
		}
	}
	for _, expr := range []string{"[^\\x00-\\x{10FFFF}]", "(((x{1000})))", "("} {
		if got := ofRegex(expr); len(got) != 0 {
			t.Errorf("%s: got %q, want nothing", expr, got)
		}
	}
}

// FuzzOfRegex: whatever the expression, what is made of it is short, and making it ends.
func FuzzOfRegex(f *testing.F) {
	f.Add("/a(b|c)*d{2,}")
	f.Add("((((a{10}){10}){10}){10})")
	f.Fuzz(func(t *testing.T, expr string) {
		for _, s := range ofRegex(expr) {
			if len(s) > maxText {
				t.Errorf("%q gives %d bytes", expr, len(s))
			}
		}
	})
}

func TestBeside(t *testing.T) {
	for _, c := range []struct {
		text match.Text
		want string
	}{
		{match.Text{Op: match.Prefix, Value: "/app/"}, "/app"},
		{match.Text{Op: match.Prefix, Value: "/app"}, "/ap"},
		{match.Text{Op: match.Exact, Value: "/app"}, "/app/x"},
		{match.Text{Op: match.Exact, Value: "/app/"}, "/app"},
		{match.Text{Op: match.Prefix, Value: "/"}, ""},
		{match.Text{}, ""},
	} {
		if got := strings.Join(besides(&c.text), " "); got != c.want {
			t.Errorf("beside %s: got %q, want %q", c.text, got, c.want)
		}
	}
}

// A policy's rule has examples of each of its values, and of what it leaves out.
func TestAsks(t *testing.T) {
	condition := func(fact match.Fact, name []string, values, not []string) match.PolicyCondition {
		c, err := match.NewPolicyCondition(fact, name, values, not, "ns")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rule := match.PolicyRule{
		To: []match.Conditions{
			{condition(match.FactPath, nil, []string{"/a/*", "/b", "*/c"}, nil), condition(match.FactMethod, nil, []string{"PUT"}, nil)},
			{condition(match.FactPath, nil, nil, []string{"/dex/*"})},
		},
		From: []match.Conditions{{condition(match.FactRequestPrincipal, nil, []string{"https://iss.example/alice"}, nil)}},
		When: match.Conditions{
			condition(match.FactClaim, []string{"groups"}, []string{"ml", "ops"}, nil),
			condition(match.FactHeader, []string{"x-team"}, nil, []string{"*"}),
			condition(match.FactSourceIP, nil, []string{"10.1.0.0/16"}, nil),
		},
	}
	all := asks(&rule)
	some := func(what string, want func(a *ask) bool) {
		t.Helper()
		for i := range all {
			if want(&all[i]) {
				return
			}
		}
		t.Errorf("no question %s among %d", what, len(all))
	}
	some("for the first path", func(a *ask) bool { return a.path == "/a/x" && a.method == "PUT" && a.kind == Within })
	some("for the second path", func(a *ask) bool { return a.path == "/b" })
	some("for the third path", func(a *ask) bool { return a.path == "/x/c" })
	some("for a path left out", func(a *ask) bool { return a.path == "/dex/x" && a.kind == Outside })
	some("with the header left out", func(a *ask) bool { return len(a.header) == 1 && a.kind == Outside })
	some("from the block", func(a *ask) bool { return a.from == netip.MustParseAddr("10.1.0.1") })
	some("by alice of ml", func(a *ask) bool {
		return a.who.Claims["iss"] == "https://iss.example" && a.who.Claims["sub"] == "alice" && a.who.Claims["groups"] == "ml"
	})
	some("by alice of ops", func(a *ask) bool { return a.who.Claims["groups"] == "ops" })
}

func TestEndsWithABoundedNumber(t *testing.T) {
	var b strings.Builder
	b.WriteString(`
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: istio-system}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: istio-system}
spec: {hosts: ["*"], gateways: [g], http: [{directResponse: {status: 200}}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: istio-system}
spec:
  rules:
  - to: [{operation: {paths: [`)
	for i := range 5000 {
		fmt.Fprintf(&b, "/p%d,", i)
	}
	b.WriteString("/last]}}]\n")
	if n := len(Examples(load(t, text(b.String())))); n == 0 || n > 200 {
		t.Errorf("got %d examples of one rule with 5,001 paths", n)
	}
}
