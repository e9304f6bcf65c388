package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// digestText is the entry of the test key i in a Secret.
func digestText(i byte) string { return apikey.Of(apiKey(i)).String() }

func apiKey(i byte) string { return apikey.New([32]byte{i}) }

// keysYAML is an APIKeySet istio-system/programs with its Secret of the keys a and b.
func keysYAML(spec string) string {
	return "apiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata: {name: programs, namespace: istio-system}\nspec:\n" + spec +
		"\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: programs, namespace: istio-system}\nstringData: {a: \"" + digestText(1) + "\", b: \"" + digestText(2) + "\"}\n"
}

// keyGuardOf is the guard of the ground's gateway.
func keyGuardOf(t *testing.T, p *plan.Plan) *plan.APIKeys {
	t.Helper()
	for _, g := range p.Listener("istio-system/ingress:80").Guards {
		if keys, ok := g.(*plan.APIKeys); ok {
			return keys
		}
	}
	t.Fatal("the gateway takes no keys")
	return nil
}

// works walks a request with the key through the ground's gateway. A key that is
// accepted ends at 404, where there is no route.
func works(p *plan.Plan, key byte, path string) bool {
	req := &match.Request{Method: "GET", Host: "x.example.com", Target: path, Major: 1, Minor: 1}
	req.Header.Add("x-api-key", apiKey(key))
	var out plan.Outcome
	p.Walk(p.Listener("istio-system/ingress:80"), req, still{}, nil, &out)
	return out.Reply.Status == 404
}

func TestMistakesInKeySetsAreTold(t *testing.T) {
	const both = "  secretName: programs\n  keys: [{name: a}, {name: b}]"
	scope := func(s string) string {
		return "  secretName: programs\n  keys: [{name: a, scopes: [" + s + "]}, {name: b}]"
	}
	for _, c := range []struct {
		name, spec string
		want       string // code and field; "" none
		says       string
		a          bool // whether the key a works
	}{
		{"a good set", both, "", "", true},
		{"a Secret with a slip", "  secretName: program\n  keys: [{name: a}]", "apikey-secret-not-found spec.secretName", `did you mean "programs"?`, false},
		{"no Secret named", "  keys: [{name: a}]", "apikey-secret-not-found spec.secretName", `no Secret ""`, false},
		{"a key with a slip", "  secretName: programs\n  keys: [{name: a}, {name: b}, {name: bb}]", "apikey-unusable spec.keys[2].name", `no entry "bb"; did you mean "b"?`, true},
		{"an entry that is not listed", "  secretName: programs\n  keys: [{name: a}]", "apikey-unusable spec.keys", "the entry b of Secret programs is no key of the set", true},
		{"a name twice", "  secretName: programs\n  keys: [{name: a}, {name: b}, {name: a}]", "apikey-unusable spec.keys[2].name", "another key a", true},
		{"a name that is two parts", "  secretName: programs\n  keys: [{name: a}, {name: b}, {name: x/y}]", "apikey-unusable spec.keys[2].name", `"x/y" is no name of a key`, true},
		{"no scope", "  secretName: programs\n  keys: [{name: a, scopes: []}, {name: b}]", "apikey-unusable spec.keys[0].scopes", "leave it out", false},
		{"no host", scope("{hosts: []}"), "apikey-unusable spec.keys[0].scopes[0].hosts", "the list of hosts is empty", false},
		{"a path with a star", scope("{paths: [/v1/*]}"), "apikey-unusable spec.keys[0].scopes[0].paths[0]", "write /v1", false},
		{"a path of nothing but a star", scope("{paths: [/*]}"), "apikey-unusable spec.keys[0].scopes[0].paths[0]", "write /", false},
		{"a path without slash", scope("{paths: [/v1, v1]}"), "apikey-unusable spec.keys[0].scopes[0].paths[1]", `does not begin with "/"`, false},
		{"a path with dots", scope("{paths: [/v1/../x]}"), "apikey-unusable spec.keys[0].scopes[0].paths[0]", `".."`, false},
		{"a host with port", scope("{hosts: [\"a.example:80\"]}"), "apikey-unusable spec.keys[0].scopes[0].hosts[0]", "has a port", false},
		{"a host that is a pattern", scope("{hosts: [\"a*.example\"]}"), "apikey-unusable spec.keys[0].scopes[0].hosts[0]", "*.SUFFIX", false},
		{"a method in small letters", scope("{methods: [get]}"), "apikey-unusable spec.keys[0].scopes[0].methods[0]", "write GET", false},
		{"every path", scope("{paths: [/]}"), "", "", true},
		{"a claim with a slip", both + "\n  outputHeaders: [{header: x-owner, claim: ower}]", "schema spec.outputHeaders[0].claim", `did you mean "owner"?`, true},
		{"a header that frames messages", both + "\n  outputHeaders: [{header: Content-Length, claim: owner}]", "schema spec.outputHeaders[0].header", "no header that a key can fill", true},
		{"keys in Cookie", both + "\n  header: cookie", "schema spec.header", "they are in x-api-key", true},
		{"selector and targets", both + "\n  selector: {matchLabels: {istio: ingressgateway}}\n  targetRefs: [{kind: Service, name: ingress}]", "schema spec.selector", "exclude each other", true},
	} {
		p, problems := compileYAML(t, keysYAML(c.spec))
		got := ""
		for _, one := range problems {
			got += one.Code + " " + one.Field
			if !strings.Contains(one.Message+" "+one.Remedy, c.says) {
				t.Errorf("%s: got %q, fix %q; want it to say %q", c.name, one.Message, one.Remedy, c.says)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if a := works(p, 1, "/"); a != c.a {
			t.Errorf("%s: the key a works: %v, want %v", c.name, a, c.a)
		}
	}
}

// Whatever entries a Secret has, no key works by one that is no hash, and problems do
// not tell what it holds.
func TestEntriesThatAreNoHash(t *testing.T) {
	for _, entry := range []string{"", apiKey(1), digestText(1)[7:], digestText(1) + "0", "sha1:" + digestText(1)[7:], digestText(1) + " # old"} {
		text := strings.Replace(keysYAML("  secretName: programs\n  keys: [{name: a}, {name: b}]"), digestText(1), entry, 1)
		p, problems := compileYAML(t, text)
		if len(problems) != 1 || problems[0].Code != "apikey-unusable" || problems[0].Field != "spec.keys[0].name" {
			t.Errorf("%q: got %v", entry, problems)
		}
		if entry != "" && strings.Contains(fmt.Sprint(problems), entry) {
			t.Errorf("%q: the problem tells it: %v", entry, problems)
		}
		if works(p, 1, "/") || !works(p, 2, "/") {
			t.Errorf("%q: a works: %v, b works: %v", entry, works(p, 1, "/"), works(p, 2, "/"))
		}
	}
}

func TestKeySetsOfOneWorkload(t *testing.T) {
	local := strings.NewReplacer("istio-system", "other", "programs", "more").Replace(keysYAML("  secretName: programs\n  keys: [{name: a}, {name: b}]"))
	p, problems := compileYAML(t, keysYAML("  secretName: programs\n  keys: [{name: a}, {name: b}]"), local)
	if len(problems) != 1 || problems[0].Code != "authn-selects-nothing" || problems[0].Object != "APIKeySet other/more" {
		t.Errorf("a set of another namespace: got %v", problems)
	}
	if n := keyGuardOf(t, p).Ring.Keys; n != 2 {
		t.Errorf("the gateway takes %d keys, want 2", n)
	}
	// The same keys under other names, and other keys under the same name.
	second := strings.NewReplacer("programs", "second", digestText(2), digestText(3), "b:", "c:").Replace(keysYAML("  secretName: programs\n  keys: [{name: a}, {name: c}]"))
	p, problems = compileYAML(t, keysYAML("  secretName: programs\n  keys: [{name: a}, {name: b}]"), second)
	if len(problems) != 1 || problems[0].Object != "APIKeySet istio-system/second" || problems[0].Field != "spec.keys[0].name" {
		t.Errorf("a name in two sets: got %v", problems)
	}
	var got []byte
	for i := byte(1); i < 5; i++ {
		if works(p, i, "/") {
			got = append(got, i)
		}
	}
	if want := []byte{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("the keys %v work, want %v", got, want)
	}
}

func BenchmarkCompileAPIKeys(b *testing.B) {
	var keys, secret strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "  - {name: k%d, owner: o, scopes: [{paths: [/v1]}]}\n", i)
		fmt.Fprintf(&secret, "  k%d: %s\n", i, apikey.Of(apikey.New([32]byte{byte(i), byte(i >> 8)})))
	}
	t := &testing.T{}
	set := loadYAML(t, ground, "apiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata: {name: programs, namespace: istio-system}\nspec:\n  secretName: programs\n  keys:\n"+keys.String(),
		"apiVersion: v1\nkind: Secret\nmetadata: {name: programs, namespace: istio-system}\nstringData:\n"+secret.String())
	for b.Loop() {
		if _, problems := Compile(set, Options{}); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
