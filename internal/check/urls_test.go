package check

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/doorward/doorward/internal/compile"
)

// What shows on the requests of a route carries an address at which it shows.
func TestFindingsOfRoutesHaveAddresses(t *testing.T) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"redirect-loop-self", "rewrite-slash-mismatch", "vs-route-conflict", "prefix-catches-siblings", "forwarded-prefix-missing",
		"vs-host-hides-wildcard", "vs-host-not-at-edge", "edge-path-not-forwarded", "redirect-loop-tls", "prefix-redirect-missing",
		"rule-shadowed", "rule-unreachable", "match-duplicate", "timeout-order"} {
		a, err := txtar.ParseFile("testdata/" + code + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{string(platform), string(a.Files[0].Data)}
		if a.Files[0].Name == "platform.yaml" {
			texts = []string{string(a.Files[0].Data), string(a.Files[1].Data)}
		}
		set, found := run(t, texts...)
		p, _ := compile.Compile(set, compile.Options{IngressClasses: []string{"nginx"}})
		Locate(found, set, p)
		for _, p := range of(code, found) {
			if streams := strings.HasPrefix(p.Field, "spec.tcp") || strings.HasPrefix(p.Field, "spec.tls"); (p.URL == "") != streams {
				t.Errorf("URL %q: %s", p.URL, p)
			}
		}
	}
}
