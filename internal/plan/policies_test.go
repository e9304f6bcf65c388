package plan

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
)

// operation makes one operation of a policy rule; "" is no condition.
func operation(t testing.TB, hosts, paths []string, notHosts ...string) match.Conditions {
	t.Helper()
	var all match.Conditions
	for _, c := range []struct {
		fact    match.Fact
		is, not []string
	}{{match.FactHost, hosts, notHosts}, {match.FactPath, paths, nil}} {
		if len(c.is)+len(c.not) == 0 {
			continue
		}
		condition, err := match.NewPolicyCondition(c.fact, nil, c.is, c.not, "ns")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, condition)
	}
	return all
}

// policyRule makes a rule on a path, called name.
func policyRule(t testing.TB, name, path string) *PolicyRule {
	rule := match.PolicyRule{}
	if path != "" {
		rule.To = []match.Conditions{operation(t, nil, []string{path})}
	}
	return &PolicyRule{Origin: Origin{Ref: object.Ref{Kind: "AuthorizationPolicy", Namespace: "ns", Name: name}, Field: "spec.rules[0]"}, PolicyRule: rule}
}

func TestPolicies(t *testing.T) {
	set := func(rules ...*PolicyRule) PolicySet { return NewPolicySet(1, rules, 0, nil) }
	dry := func(rules ...*PolicyRule) PolicySet { return NewPolicySet(0, nil, 1, rules) }
	a, b, all := policyRule(t, "a", "/a*"), policyRule(t, "b", "/b*"), policyRule(t, "all", "")
	never := &PolicyRule{Origin: Origin{Ref: object.Ref{Kind: "AuthorizationPolicy", Namespace: "ns", Name: "never"}}, Never: true}
	for _, c := range []struct {
		name          string
		guard         Policies
		path          string
		status        int // 0: forwarded
		by            string
		reason        string
		audit, dryRun string
	}{
		{"deny", Policies{Deny: set(a, b)}, "/b1", 403, "b", `AuthorizationPolicy ns/b spec.rules[0] denies: path "/b*"`, "", ""},
		{"deny first", Policies{Deny: set(a), Allow: set(all)}, "/a", 403, "a", "denies", "", ""},
		{"deny none", Policies{Deny: set(a)}, "/c", 0, "", "", "", ""},
		{"allow", Policies{Allow: set(a, b)}, "/b", 0, "", "", "", ""},
		{"near miss", Policies{Allow: set(a)}, "/c", 403, "a", `AuthorizationPolicy ns/a spec.rules[0]: path is "/c", wants "/a*"`, "", ""},
		{"none is about it", Policies{Allow: set(a, b)}, "/c", 403, "a", "none of 2 rules is about GET /c of host app.example.com", "", ""},
		{"nothing allowed", Policies{Allow: set(never)}, "/c", 403, "never", "AuthorizationPolicy ns/never: the policy has no rules", "", ""},
		{"audit", Policies{Audit: set(a)}, "/a", 0, "", "", "AuthorizationPolicy ns/a spec.rules[0]", ""},
		{"audit and deny", Policies{Audit: set(all), Deny: set(a)}, "/a", 403, "a", "denies", "AuthorizationPolicy ns/all spec.rules[0]", ""},
		{"dry-run deny", Policies{Deny: dry(a)}, "/a", 0, "", "", "", "DENY: AuthorizationPolicy ns/a spec.rules[0]"},
		{"dry-run deny of others", Policies{Deny: dry(a)}, "/b", 0, "", "", "", ""},
		{"dry-run allow", Policies{Allow: dry(a)}, "/a", 0, "", "", "", "ALLOW: AuthorizationPolicy ns/a spec.rules[0]"},
		{"dry-run allow of others", Policies{Allow: dry(a)}, "/b", 0, "", "", "", "ALLOW: no rule"},
		{"dry-run allows nothing", Policies{Allow: NewPolicySet(1, []*PolicyRule{b}, 1, []*PolicyRule{a})}, "/a", 403, "b", "no ALLOW policy", "", "ALLOW: AuthorizationPolicy ns/a spec.rules[0]"},
		{"both", Policies{Audit: set(all), Deny: dry(a), Allow: dry(b)}, "/a", 0, "", "", "AuthorizationPolicy ns/all spec.rules[0]", "DENY: AuthorizationPolicy ns/a spec.rules[0]; ALLOW: no rule"},
	} {
		for _, tr := range []*Trace{nil, {}} { // with a trace every rule is looked at, and the outcome is the same
			p, l := gatewayWith(forwarding(Forward{}))
			l.Guards = []Guard{&c.guard}
			r := request()
			r.Target = c.path
			var out Outcome
			p.Walk(l, r, still{}, tr, &out)
			status := 0
			if out.Kind == ToRespond {
				status = out.Reply.Status
			}
			if status != c.status || status != 0 && (out.Reply.Body != "RBAC: access denied" || out.By.Ref.Name != c.by || !strings.Contains(out.Reason, c.reason)) {
				t.Errorf("%s: got %d by %v: %s", c.name, status, out.By, out.Reason)
			}
			if out.Audit != c.audit || out.DryRun != c.dryRun {
				t.Errorf("%s: got audit %q, dry-run %q", c.name, out.Audit, out.DryRun)
			}
			if tr != nil && !strings.Contains(tr.String(), "policy ") {
				t.Errorf("%s: the trace tells of no policy:\n%s", c.name, tr)
			}
		}
	}
}

func TestTheTraceTellsOfEveryRule(t *testing.T) {
	p, l := gatewayWith(forwarding(Forward{}))
	l.Guards = []Guard{&Policies{Deny: NewPolicySet(1, []*PolicyRule{policyRule(t, "a", "/a"), policyRule(t, "b", "/b*")}, 1, []*PolicyRule{policyRule(t, "c", "/c")})}}
	r := request()
	r.Target = "/b"
	var tr Trace
	var out Outcome
	p.Walk(l, r, still{}, &tr, &out)
	want := `- policy DENY dry-run path "/c": path is "/b", wants "/c"  [AuthorizationPolicy ns/c spec.rules[0]]
- policy DENY path "/a": path is "/b", wants "/a"  [AuthorizationPolicy ns/a spec.rules[0]]
+ policy DENY path "/b*"  [AuthorizationPolicy ns/b spec.rules[0]]
`
	if !strings.Contains(tr.String(), want) {
		t.Errorf("got\n%swant in it\n%s", tr.String(), want)
	}
}

// randomPolicyRules makes rules on hosts and paths of a small alphabet, so that
// they overlap.
func randomPolicyRules(t testing.TB, rng *rand.Rand, n int) []*PolicyRule {
	word := func() string { return []string{"a", "b", "A", "c.b"}[rng.IntN(4)] }
	host := func() string {
		h := word() + "." + word()
		return []string{h, h + ":80", h + ":*", h + "*", "*." + h, "*" + h, "*", "*." + h + ":80"}[rng.IntN(8)]
	}
	path := func() string {
		p := "/" + word() + "/" + word()
		return []string{p, p + "*", "*" + p, "/" + word() + "/{*}", p + "/{**}", "*", p[:2] + "*"}[rng.IntN(7)]
	}
	rules := make([]*PolicyRule, n)
	for i := range rules {
		rules[i] = &PolicyRule{Origin: Origin{Field: strconv.Itoa(i)}, Never: rng.IntN(10) == 0}
		for range rng.IntN(3) {
			var hosts, paths, not []string
			for range rng.IntN(3) {
				hosts = append(hosts, host())
			}
			for range rng.IntN(3) {
				paths = append(paths, path())
			}
			if rng.IntN(4) == 0 {
				not = append(not, host())
			}
			if len(hosts)+len(paths)+len(not) > 0 {
				rules[i].To = append(rules[i].To, operation(t, hosts, paths, not...))
			}
		}
		if len(rules[i].To) == 0 && rng.IntN(8) > 0 { // a few are for everything
			rules[i].To = append(rules[i].To, operation(t, []string{host()}, nil))
		}
	}
	return rules
}

// The index finds what the plain scan finds.
func FuzzPolicyIndex(f *testing.F) {
	f.Add(uint64(1), uint8(30), "a.b:80", "/a/b")
	f.Add(uint64(2), uint8(200), "C.B.A", "/A/c.b/x")
	f.Add(uint64(3), uint8(9), "", "/")
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, host, path string) {
		rng := rand.New(rand.NewPCG(seed, 0))
		rules := randomPolicyRules(t, rng, int(n))
		x := newPolicyIndex(rules)
		scan := policyIndex{rules: rules}
		requests := []*match.Request{{Host: host, Path: path}}
		for _, h := range []string{"a.b", "A.b:80", "c.b.c.b", "b.c.b:80"} {
			requests = append(requests, &match.Request{Host: h, Path: path}, &match.Request{Host: h, Path: "/a/c.b"}, &match.Request{Host: host, Path: "/a/b/a"})
		}
		for _, r := range requests {
			if got, want := x.find(r), scan.find(r); got != want {
				t.Fatalf("%q %q: got rule %v, want %v", r.Host, r.Path, got, want)
			}
			got, want := x.near(r, maxNear), scan.near(r, maxNear)
			if len(got) != len(want) {
				t.Fatalf("%q %q: got near misses %v, want %v", r.Host, r.Path, got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%q %q: got near misses %v, want %v", r.Host, r.Path, got, want)
				}
			}
		}
	})
}

// A set that is in force costs a request no memory.
func TestPoliciesAllocateNothing(t *testing.T) {
	g := &Policies{Deny: NewPolicySet(1, []*PolicyRule{policyRule(t, "a", "/a*")}, 0, nil), Allow: NewPolicySet(1, randomPolicyRules(t, rand.New(rand.NewPCG(1, 1)), 300), 0, nil)}
	r := &match.Request{Host: "a.b", Path: "/a/b"}
	w := &walk{req: r, out: &Outcome{}}
	if got := testing.AllocsPerRun(100, func() { w.policy("DENY", &g.Deny); w.policy("ALLOW", &g.Allow) }); got > 0 {
		t.Errorf("got %v allocations", got)
	}
}

// BenchmarkPolicies judges a request by 10,000 policies, each for a host and a
// path of its own, and by as many of one host.
func BenchmarkPolicies(b *testing.B) {
	const n = 10_000
	for name, host := range map[string]func(int) string{
		"host-each": func(i int) string { return "app-" + strconv.Itoa(i) + ".example.com" },
		"one-host":  func(int) string { return "app.example.com" },
	} {
		var rules []*PolicyRule
		for i := range n {
			h := host(i)
			rules = append(rules, &PolicyRule{PolicyRule: match.PolicyRule{
				To: []match.Conditions{operation(b, []string{h, h + ":*"}, []string{"/app-" + strconv.Itoa(i) + "/*"})},
			}})
		}
		g := &Policies{Deny: NewPolicySet(n, rules, 0, nil), Allow: NewPolicySet(n, rules, 0, nil)}
		r := &match.Request{Host: host(n - 1), Path: "/app-" + strconv.Itoa(n-1) + "/x"}
		w := &walk{req: r, out: &Outcome{}}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w.policy("DENY", &g.Deny) == nil || w.policy("ALLOW", &g.Allow) == nil {
					b.Fatal("the request is not found")
				}
			}
		})
	}
}
