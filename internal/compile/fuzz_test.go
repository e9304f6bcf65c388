package compile

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/source"
)

// Whatever the manifests, there is a plan, every request gets an outcome, and
// the outcome of a traced walk is the same.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("../scenario/testdata/*/*.txtar")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range bytes.Split(data, []byte("\n-- "))[1:] { // the manifests of the archive
			if _, manifests, ok := bytes.Cut(part, []byte(" --\n")); ok {
				f.Add(manifests)
			}
		}
	}
	f.Add([]byte(rulesYAML("  - null\n")))
	f.Add([]byte(rulesYAML("  - match: [null, {}]\n    route: [null, {destination: null, headers: null}]\n    mirrors: [null]\n    mirror: {}\n")))
	f.Add([]byte(rulesYAML("  - match: [{headers: {a: null}, withoutHeaders: {b: null}, queryParams: {c: null}, uri: {}, scheme: {}}]\n    redirect: {}\n")))
	f.Add([]byte(rulesYAML("  - fault: {delay: {}, abort: {}}\n    corsPolicy: {allowOrigins: [null]}\n    retries: {}\n    rewrite: {uriRegexRewrite: {}}\n    route: [{destination: {host: app}}]\n")))
	f.Add([]byte(rulesYAML("  - delegate: {}\n  - delegate: {name: vs}\n")))
	f.Add([]byte(rulesYAML("  - route: [{destination: {host: app, subset: v1}}]\n") + "---\n" + ruleYAML("shop/r",
		"host: app\n  subsets: [null, {}, {name: v1, trafficPolicy: {tls: {mode: MUTUAL}, portLevelSettings: [null, {}, {port: {}}]}}]\n  trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {attributes: [null]}}}, connectionPool: {tcp: {}, http: {}}, outlierDetection: {}}")))
	f.Add([]byte(rulesYAML("  - route: [{destination: {host: \"*.a\"}}]\n") + "---\n" + entryYAML("shop/e",
		"hosts: [\"*.a\", \"\", \"*\"]\n  ports: [null, {}, {number: 80, targetPort: 99999}]\n  endpoints: [null, {}, {address: a, ports: {\"\": 1}}]\n  resolution: DNS")))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, _, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "ground", Data: []byte(ground)}, {Name: "fuzz", Data: data}}})
		if err != nil {
			t.Skip()
		}
		p, _ := Compile(set, Options{})
		for _, l := range p.Listeners() {
			for _, target := range []string{"/", "/app/x?y", "*", "/%2e%2e/%00"} {
				r := func() *match.Request {
					return &match.Request{Peer: netip.MustParseAddr("127.0.0.1"), Major: 1, Minor: 1, Method: "GET", Host: "app.example.com", Target: target}
				}
				var plain, traced plan.Outcome
				p.Walk(l, r(), still{}, nil, &plain)
				p.Walk(l, r(), still{}, &plan.Trace{}, &traced)
				if plain.Kind != traced.Kind || plain.Reason != traced.Reason || plain.Kind == plan.ToRespond && plain.Reply.Status == 0 {
					t.Errorf("%s %s: got %v %q, with a trace %v %q", l.Key, target, plain.Kind, plain.Reason, traced.Kind, traced.Reason)
				}
			}
		}
	})
}
