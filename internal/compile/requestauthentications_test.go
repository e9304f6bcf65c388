package compile

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

const keySet = `'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'`

func authnYAML(rules string) string {
	return "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt, namespace: istio-system}\nspec:\n  jwtRules:\n" + rules
}

// tokensOf are the token rules of the ground's gateway.
func tokensOf(t *testing.T, texts ...string) ([]*plan.TokenRule, problem.List) {
	t.Helper()
	p, problems := compileYAML(t, texts...)
	var rules []*plan.TokenRule
	for _, g := range p.Listener("istio-system/ingress:80").Guards {
		if tokens, ok := g.(*plan.Tokens); ok {
			rules = append(rules, tokens.Rules...)
		}
	}
	return rules, problems
}

// dex is an issuer in the cluster, with one endpoint.
const dex = `
apiVersion: v1
kind: Service
metadata: {name: dex, namespace: auth}
spec: {selector: {app: dex}, ports: [{name: http, port: 5556}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: dex-1, namespace: auth, labels: {kubernetes.io/service-name: dex}}
addressType: IPv4
ports: [{name: http, port: 5556}]
endpoints: [{addresses: [192.0.2.7]}]
`

// Keys on a Service's host are fetched at its endpoints, however the host is written.
func TestKeysOfAService(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"{issuer: \"http://dex.auth.svc.cluster.local:5556/dex\"}", "192.0.2.7:5556"},
		{"{issuer: x, jwksUri: \"http://dex.auth.svc:5556/keys\"}", "192.0.2.7:5556"},
		{"{issuer: x, jwksUri: \"http://dex.auth:5556/keys\"}", "192.0.2.7:5556"},
		{"{issuer: x, jwksUri: \"http://DEX.auth:5556/keys\"}", "192.0.2.7:5556"},
		{"{issuer: \"https://issuer.example\"}", "by DNS"},
		{"{issuer: x, jwksUri: \"https://192.0.2.9:8443/keys\"}", "by DNS"},
		{"{issuer: x, jwks: " + keySet + "}", "by DNS"},
	} {
		rules, problems := tokensOf(t, dex, authnYAML("  - "+c.rule+"\n"))
		if len(rules) != 1 || len(problems) > 0 {
			t.Fatalf("%s: %d rules, %v", c.rule, len(rules), problems)
		}
		got := "by DNS"
		if b := rules[0].Keys.Backend; b != nil && len(b.Endpoints) > 0 {
			got = b.Endpoints[0].Address
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.rule, got, c.want)
		}
	}
}

func TestTokenRuleProblems(t *testing.T) {
	for _, c := range []struct{ name, yaml, want, says string }{
		{"an unknown Service", authnYAML("  - {issuer: \"http://dexx.auth.svc.cluster.local:5556/dex\"}\n"),
			"error jwks-unreachable RequestAuthentication istio-system/jwt spec.jwtRules[0].issuer", `did you mean "dex.auth.svc.cluster.local"`},
		{"an unknown port", authnYAML("  - {issuer: x, jwksUri: \"http://dex.auth.svc.cluster.local/keys\"}\n"),
			"error jwks-unreachable RequestAuthentication istio-system/jwt spec.jwtRules[0].jwksUri", "it has 5556 (http)"},
		{"behind the gateway", authnYAML("  - {issuer: x, jwksUri: \"http://ingress.istio-system.svc.cluster.local/keys\"}\n"),
			"error jwks-unreachable RequestAuthentication istio-system/jwt spec.jwtRules[0].jwksUri", "behind a gateway"},
		{"keys that are none", authnYAML("  - {issuer: x, jwks: '{}'}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].jwks", "accepts no token"},
		{"two sources of keys", authnYAML("  - {issuer: x, jwks: " + keySet + ", jwksUri: \"https://a.example/\"}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].jwks", "exclude each other"},
		{"an empty audience", authnYAML("  - {issuer: x, jwks: " + keySet + ", audiences: [a, \"\"]}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].audiences[1]", "accepts no token"},
		{"a header without name", authnYAML("  - {issuer: x, jwks: " + keySet + ", fromHeaders: [{prefix: a}]}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].fromHeaders[0].name", "without name"},
		{"a header that frames messages", authnYAML("  - {issuer: x, jwks: " + keySet + ", outputClaimToHeaders: [{header: Transfer-Encoding, claim: a}]}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].outputClaimToHeaders[0].header", "no header that a token can fill"},
		{"a header that is none", authnYAML("  - {issuer: x, jwks: " + keySet + ", outputPayloadToHeader: \"a: b\"}\n"),
			"error schema RequestAuthentication istio-system/jwt spec.jwtRules[0].outputPayloadToHeader", "no header that a token can fill"},
		{"lists in a third way", strings.Replace(authnYAML("  - {issuer: x, jwks: "+keySet+"}\n"), "{name: jwt, ", "{name: jwt, annotations: {doorward.dev/claim-lists: yaml}, ", 1),
			"error schema RequestAuthentication istio-system/jwt metadata.annotations", "doorward.dev/claim-lists"},
		{"selector and targetRefs", authnYAML("  - {issuer: x, jwks: "+keySet+"}\n") + "  selector: {matchLabels: {a: b}}\n  targetRefs: [{kind: Service, name: ingress}]\n",
			"error schema RequestAuthentication istio-system/jwt spec.selector", "exclude each other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := tokensOf(t, dex, c.yaml)
			if len(problems) != 1 {
				t.Fatalf("got %v, want one problem", problems)
			}
			p := problems[0]
			if got := string(p.Severity) + " " + p.Code + " " + p.Object + " " + p.Field; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if !strings.Contains(p.Message, c.says) || p.Remedy == "" || p.Line == 0 {
				t.Errorf("got %v, want %q in it", p, c.says)
			}
		})
	}
}

// Rules stand in the order of their issuers, those of the root namespace and of
// older objects first; and a key source keeps its key over plans.
func TestTokenRuleOrder(t *testing.T) {
	with := func(name, created, rules string) string {
		return "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: " + name + ", namespace: istio-system, creationTimestamp: \"" + created + "\"}\nspec:\n  jwtRules:\n" + rules
	}
	young := with("a", "2026-02-01T00:00:00Z", "  - {issuer: b, jwks: "+keySet+", audiences: [young]}\n  - {issuer: a, jwks: "+keySet+"}\n")
	old := with("z", "2026-01-01T00:00:00Z", "  - {issuer: b, jwks: "+keySet+", audiences: [old], timeout: 3s, spaceDelimitedClaims: [roles]}\n")
	describe := func(texts ...string) (string, []string) {
		var order, keys []string
		rules, _ := tokensOf(t, texts...)
		for _, r := range rules {
			order = append(order, strings.Join(append([]string{r.Issuer}, r.Audiences...), " "))
			keys = append(keys, r.Keys.Key)
		}
		return strings.Join(order, ", "), keys
	}
	got, keys := describe(young, old)
	if want := "a, b old, b young"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again, same := describe(old, young)
	if again != got || strings.Join(same, " ") != strings.Join(keys, " ") {
		t.Errorf("in another order: %s with %v, want %s with %v", again, same, got, keys)
	}
	if keys[1] == keys[2] {
		t.Error("rules with different spaceDelimitedClaims share their tokens")
	}
	rules, _ := tokensOf(t, old)
	if rules[0].Keys.Timeout != 3*time.Second {
		t.Errorf("timeout %v", rules[0].Keys.Timeout)
	}
}
