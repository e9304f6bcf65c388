package check

import (
	"os"
	"testing"

	"golang.org/x/tools/txtar"
)

// What shows on the requests of a route carries an address at which it shows.
func TestFindingsOfRoutesHaveAddresses(t *testing.T) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"redirect-loop-self", "rewrite-slash-mismatch", "vs-route-conflict", "prefix-catches-siblings", "forwarded-prefix-missing"} {
		a, err := txtar.ParseFile("testdata/" + code + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		_, found := run(t, string(platform), string(a.Files[0].Data))
		for _, p := range of(code, found) {
			if p.URL == "" {
				t.Errorf("no URL: %s", p)
			}
		}
	}
}
