package compile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

func policyYAML(name, spec string) string {
	return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: " + name + ", namespace: istio-system}\nspec: " + spec + "\n"
}

// judge compiles the ground with manifests that may be faulty, and asks its
// gateway for a path.
func judge(t *testing.T, path, manifests string) (*plan.Outcome, problem.List) {
	t.Helper()
	text := strings.Join([]string{ground, rulesYAML("  - route: [{destination: {host: app}}]\n"), manifests}, "\n---\n")
	set, problems, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
	p, more := Compile(set, Options{Endpoints: []Attached{{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:1"}}})
	l := p.Listener("istio-system/ingress:80")
	if l == nil {
		t.Fatalf("there is no gateway: %v", more)
	}
	var out plan.Outcome
	p.Walk(l, &match.Request{Peer: netip.MustParseAddr("127.0.0.1"), Major: 1, Minor: 1, Method: "GET", Host: "app.example.com", Target: path}, still{}, nil, &out)
	return &out, append(problems, more...)
}

// A rule that cannot be read denies everything in a DENY policy and allows nothing
// in an ALLOW policy, and it is told at its field.
func TestBrokenRulesAreClosed(t *testing.T) {
	for _, c := range []struct{ rule, code, field string }{
		{`{from: [{source: {ipBlocks: [10.0.0]}}]}`, problem.Schema, "spec.rules[0].from[0].source.ipBlocks"},
		{`{from: [{source: {notRemoteIpBlocks: [10.0.0.0/33]}}]}`, problem.Schema, "spec.rules[0].from[0].source.remoteIpBlocks"},
		{`{from: [{source: {}}]}`, problem.Schema, "spec.rules[0].from[0].source"},
		{`{from: [{}]}`, problem.Schema, "spec.rules[0].from[0].source"},
		{`{from: []}`, problem.Schema, "spec.rules[0].from"},
		{`{from: [{source: {principals: [""]}}]}`, problem.Schema, "spec.rules[0].from[0].source.principals"},
		{`{from: [{source: {serviceAccounts: [a/b], namespaces: [a]}}]}`, problem.Schema, "spec.rules[0].from[0].source"},
		{`{from: [{source: {serviceAccounts: ["a*"]}}]}`, problem.Schema, "spec.rules[0].from[0].source.serviceAccounts"},
		{`{from: [{source: {namespace: [a], notNamespaces: [a]}}]}`, problem.UnknownField, "spec.rules[0].from[0].source.namespace"},
		{`{from: [{source: {notIpBlocks: [192.0.2.1]}, sources: {}}]}`, problem.UnknownField, "spec.rules[0].from[0].sources"},
		{`{to: []}`, problem.Schema, "spec.rules[0].to"},
		{`{to: [{operation: {}}]}`, problem.Schema, "spec.rules[0].to[0].operation"},
		{`{to: [{operation: {ports: [http]}}]}`, problem.Schema, "spec.rules[0].to[0].operation.ports"},
		{`{to: [{operation: {paths: ["/a/{*}.txt"]}}]}`, problem.Schema, "spec.rules[0].to[0].operation.paths"},
		{`{to: [{operation: {paths: ["/a{b}"]}}]}`, problem.Schema, "spec.rules[0].to[0].operation.paths"},
		{`{to: [{operation: {paths: ["/{**}/a/{*}"]}}]}`, problem.Schema, "spec.rules[0].to[0].operation.paths"},
		{`{to: [{operation: {path: [/a]}}]}`, problem.UnknownField, "spec.rules[0].to[0].operation.path"},
		{`{to: [{operation: {paths: [/elsewhere, 5]}}]}`, problem.Schema, "spec.rules[0].to[0].operation.paths[1]"},
		{`{to: [{operation: {paths: /elsewhere}}]}`, problem.Schema, "spec.rules[0].to[0].operation.paths"},
		{`{when: [{key: "", values: [a]}]}`, problem.Schema, "spec.rules[0].when[0].key"},
		{`{when: [{key: "request.header[a]", values: [a]}]}`, problem.Schema, "spec.rules[0].when[0].key"},
		{`{when: [{key: source.ip}]}`, problem.Schema, "spec.rules[0].when[0]"},
		{`{when: [{key: source.ip, values: [a]}]}`, problem.Schema, "spec.rules[0].when[0]"},
		{`{when: [{key: source.ip, value: [a], values: [127.0.0.1]}]}`, problem.UnknownField, "spec.rules[0].when[0].value"},
		{`{when: [{key: destination.ip, values: [192.0.2.1]}]}`, problem.NotCarriedOut, "spec.rules"},
		{`{when: [{key: "experimental.envoy.filters.http.a[b]", notValues: [c]}]}`, problem.NotCarriedOut, "spec.rules[0].when[0].key"},
		{`null`, problem.Schema, "spec.rules[0]"},
		{`[]`, problem.Schema, "spec.rules[0]"},
	} {
		for _, action := range []string{"DENY", "ALLOW"} {
			out, problems := judge(t, "/any", policyYAML("p", "{action: "+action+", rules: ["+c.rule+"]}"))
			if out.Kind != plan.ToRespond || out.Reply.Status != 403 || out.By.Ref.Name != "p" {
				t.Errorf("%s %s: got %v %d: %s", action, c.rule, out.Kind, out.Reply.Status, out.Reason)
			}
			mustTell(t, action+" "+c.rule, problems, c.code, c.field)
		}
	}
}

// mustTell wants a problem of AuthorizationPolicy istio-system/p.
func mustTell(t *testing.T, what string, problems problem.List, code, field string) {
	t.Helper()
	for _, p := range problems {
		if p.Code == code && p.Field == field && p.Object == "AuthorizationPolicy istio-system/p" && p.Line > 0 && p.Remedy != "" {
			return
		}
	}
	t.Errorf("%s: got %v, want %s at %s", what, problems, code, field)
}

// A policy whose scope or action cannot be read is closed for all that it could
// select.
func TestBrokenPoliciesAreClosed(t *testing.T) {
	for _, c := range []struct{ spec, field string }{
		{`{action: BLOCK, rules: [{to: [{operation: {paths: [/elsewhere]}}]}]}`, "spec.action"},
		{`{action: DENY, rules: {}}`, "spec.rules"},
		{`{action: DENY, selector: {matchLabels: {app: "*"}}, rules: [{to: [{operation: {paths: [/elsewhere]}}]}]}`, "spec.selector.matchLabels"},
		{`{action: DENY, selector: {matchLabels: {app: x}}, targetRefs: [{kind: Service, name: x}], rules: [{}]}`, "spec.selector"},
		{`{action: DENY, targetRefs: [{kind: Service}], rules: [{}]}`, "spec.targetRefs[0]"},
		{`{action: DENY, targetRefs: [{kind: Deployment, group: apps, name: x}], rules: [{}]}`, "spec.targetRefs[0]"},
		{`{action: DENY, targetRefs: [{kind: Service, name: x, namespace: other}], rules: [{}]}`, "spec.targetRefs[0]"},
		{`{action: DENY, targetRefs: [{kind: Service, name: x, namespace: 5}], rules: [{}]}`, "spec.targetRefs[0].namespace"},
		{`{action: DENY, targetRefs: [{kind: Service, name: x, sectionName: a}], rules: [{}]}`, ""},
		{`{action: ALLOW, selector: {matchLabels: {app: 5}}, rules: [{}]}`, "spec.selector.matchLabels.app"},
	} {
		out, problems := judge(t, "/any", policyYAML("p", c.spec))
		if out.Kind != plan.ToRespond || out.Reply.Status != 403 {
			t.Errorf("%s: got %v %d: %s", c.spec, out.Kind, out.Reply.Status, out.Reason)
		}
		if c.field != "" {
			mustTell(t, c.spec, problems, problem.Schema, c.field)
		}
	}
	// One that is not YAML, or has no spec at all.
	for _, text := range []string{strings.Replace(policyYAML("p", "{action: DENY, rules: [{}]"), "{name: p, namespace: istio-system}", "\n  name: p\n  namespace: istio-system", 1), policyYAML("p", "[]"), strings.Replace(policyYAML("p", "{action: DENY, rules: [{}]}"), "spec:", "spce:", 1)} {
		if out, _ := judge(t, "/any", text); out.Kind != plan.ToRespond || out.Reply.Status != 403 || out.By.Ref.Name != "p" {
			t.Errorf("%s: got %v %d: %s", text, out.Kind, out.Reply.Status, out.Reason)
		}
	}
	// An annotation that cannot be read does not make a policy one that is not enforced.
	out, _ := judge(t, "/any", strings.Replace(policyYAML("p", "{action: DENY, rules: [{}]}"), "name: p,", `name: p, annotations: {istio.io/dry-run: "yes"},`, 1))
	if out.Kind != plan.ToRespond {
		t.Error("dry-run: yes: the policy is not enforced")
	}
}

func TestPolicyProblems(t *testing.T) {
	selected := "selector: {matchLabels: {istio: ingressgateway}}, "
	for _, c := range []struct{ spec, want string }{ // "" is no problem
		{`{rules: [{}]}`, ""},
		{`{action: DENY, rules: [{from: [{source: {notRequestPrincipals: ["*"]}}], to: [{operation: {notPaths: ["/dex/*", "/dex/**", "/oauth2/*"]}}]}]}`, problem.PathPatternLiteralStar},
		{`{action: DENY, rules: [{to: [{operation: {paths: ["/dex/**"]}}]}]}`, problem.PathPatternLiteralStar},
		{`{action: DENY, rules: [{to: [{operation: {notPaths: ["/v*/x", "/w/*"]}}]}]}`, problem.PathPatternLiteralStar},
		{`{action: DENY, rules: [{to: [{operation: {hosts: ["*.example.*"]}}]}]}`, problem.PathPatternLiteralStar},
		{`{action: DENY, rules: [{to: [{operation: {paths: ["/{*}/x", "*/x", "/x*", "*"]}}]}]}`, ""},
		{`{action: DENY, rules: [{from: [{source: {principals: ["cluster.local/ns/*/sa/x"]}}]}]}`, problem.PathPatternLiteralStar},
		{`{}`, problem.GatewayDeniedByDefault},
		{`{` + selected + `rules: []}`, problem.GatewayDeniedByDefault},
		{`{selector: {matchLabels: {app: nobody}}, rules: [{}]}`, problem.AuthzSelectsNothing},
		{`{selector: {matchLabels: {app: other}}, rules: [{}]}`, ""}, // a Service of another namespace selects such Pods
		{`{action: DENY}`, problem.Schema},
		{`{action: DENY, rules: [{}], provider: {name: x}}`, problem.Schema},
		{`{action: DENY, targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: x}], rules: [{}]}`, problem.NotCarriedOut},
		{`{` + selected + `action: DENY, rules: [{from: [{source: {namespaces: [x]}}]}]}`, problem.MTLSIdentityNeverPresent},
		{`{` + selected + `action: DENY, rules: [{from: [{source: {notNamespaces: [x]}}]}]}`, ""},
		{`{` + selected + `action: DENY, rules: [{when: [{key: source.principal, values: [x]}]}]}`, problem.MTLSIdentityNeverPresent},
		{`{action: DENY, rules: [{from: [{source: {namespaces: [x]}}]}]}`, ""}, // it is for the mesh, too
	} {
		_, problems := judge(t, "/any", policyYAML("p", c.spec))
		if c.want == "" && len(problems) > 0 || c.want != "" && (len(problems) != 1 || problems[0].Code != c.want) {
			t.Errorf("%s: got %v, want %q", c.spec, problems, c.want)
		}
	}
}

// What an external authorizer is asked about cannot depend on who asks.
func TestCustomRulesKnowNoIdentities(t *testing.T) {
	for _, rule := range []string{`{from: [{source: {principals: [a]}}]}`, `{from: [{source: {notNamespaces: [a]}}]}`, `{from: [{source: {requestPrincipals: ["*"]}}]}`,
		`{when: [{key: source.principal, values: [a]}]}`, `{when: [{key: "request.auth.claims[a]", values: [a]}]}`, `{when: [{key: request.auth.audiences, values: [a]}]}`} {
		_, problems := judge(t, "/any", policyYAML("p", "{action: CUSTOM, provider: {name: x}, rules: ["+rule+"]}"))
		found := false
		for _, p := range problems {
			found = found || p.Code == problem.Schema && strings.Contains(p.Message, "CUSTOM") && strings.Contains(p.Message, "matches every request")
		}
		if !found {
			t.Errorf("%s: got %v", rule, problems)
		}
	}
}

// manyPolicies are DENY policies of a gateway, each for a host and a path.
func manyPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p-%d, namespace: istio-system}\nspec:\n  selector: {matchLabels: {istio: ingressgateway}}\n"+
			"  action: DENY\n  rules:\n  - to: [{operation: {hosts: [app-%d.example.com, \"app-%d.example.com:*\"], paths: [\"/app-%d/*\"]}}]\n    from: [{source: {notRequestPrincipals: [\"*\"]}}]\n---\n", i, i, i, i)
	}
	return b.String()
}

// BenchmarkCompilePolicies compiles 10,000 policies of one gateway.
func BenchmarkCompilePolicies(b *testing.B) {
	set, problems, err := source.Load(b.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(ground + "---\n" + manyPolicies(10_000))}}})
	if err != nil || problems.HasErrors() {
		b.Fatal(err, problems)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Compile(set, Options{}); problems.HasErrors() {
			b.Fatal(problems)
		}
	}
}

// Workloads with the same policies share what is made of them.
func TestPolicySetsAreShared(t *testing.T) {
	c := &compiler{set: new(object.Builder).Build()}
	c.readMesh()
	c.readAuthorizationPolicies()
	p := &authorizationPolicy{number: 7, rules: []*plan.PolicyRule{{}}}
	first := c.policySet([]*authorizationPolicy{p})
	if again := c.policySet([]*authorizationPolicy{p}); len(c.policySets) != 1 || again.Policies != first.Policies {
		t.Errorf("got %d sets", len(c.policySets))
	}
}

// What the files do not bring is no mistake of theirs; nor is a star that another
// value covers.
func TestPolicyRemarks(t *testing.T) {
	policy := func(spec string) string {
		return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: team}\nspec: " + spec
	}
	const service = "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: team}\nspec: {selector: {app: s}, ports: [{port: 80}]}"
	const mesh = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: \"{}\"}"
	ghost, asks := policy(`{selector: {matchLabels: {app: ghost}}, rules: [{}]}`), policy(`{action: CUSTOM, provider: {name: x}, rules: [{}]}`)
	stars := policy(`{action: DENY, rules: [{to: [{operation: {paths: ["/dex/*", "/dex/**"]}}]}]}`)
	keys := "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: r, namespace: team}\nspec: {jwtRules: [{issuer: a, jwksUri: 'http://keys.team.svc.cluster.local/'}]}"
	for _, c := range []struct {
		yaml, code string
		want       problem.Severity
	}{
		{ghost, problem.AuthzSelectsNothing, problem.Info},
		{ghost + service, problem.AuthzSelectsNothing, problem.Warning},
		{asks, problem.AuthzProviderNotFound, problem.Info},
		{asks + mesh, problem.AuthzProviderNotFound, problem.Error},
		{stars, problem.PathPatternLiteralStar, problem.Info},
		{keys, problem.JWKSUnreachable, problem.Info},
		{keys + service, problem.JWKSUnreachable, problem.Error},
	} {
		_, problems := compileYAML(t, c.yaml)
		var got problem.Severity
		for _, p := range problems {
			if p.Code == c.code {
				got = p.Severity
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q in\n%s", c.code, got, c.want, c.yaml)
		}
	}
}

// A target that is not there is told, with the nearest that is.
func TestPolicyTargetsThatAreNotThere(t *testing.T) {
	_, problems := judge(t, "/any", policyYAML("p", "{action: DENY, targetRefs: [{kind: Service, name: ingres}], rules: [{}]}"))
	var told []string
	for _, p := range problems {
		if p.Code == problem.AuthzSelectsNothing {
			told = append(told, p.Field+": "+p.Message)
		}
	}
	want := "spec.targetRefs[0].name: there is no Service istio-system/ingres, so the policy is for nothing by it; did you mean \"ingress\"?"
	if len(told) != 1 || told[0] != want {
		t.Errorf("got %q, want %q", told, want)
	}
}
