package archtest

import (
	"os"
	"strings"
	"testing"
)

// Each module that go.mod requires directly has its reason in ARCHITECTURE.md.
func TestEveryDependencyHasItsReason(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	architecture, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(architecture), "## Dependencies")
	direct := 0
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "v") {
			continue
		}
		direct++
		name := strings.TrimPrefix(fields[0], "sigs.k8s.io/kustomize/") // told in one row
		if !strings.Contains(table, name) {
			t.Errorf("ARCHITECTURE.md gives no reason for %s: add a row under Dependencies, or do without the module", fields[0])
		}
	}
	if direct < 5 {
		t.Errorf("found %d direct requirements in go.mod: has its form changed?", direct)
	}
}
