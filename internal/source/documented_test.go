package source

import (
	"os"
	"strings"
	"testing"
)

// docs/manifests.md names every kind that is read, with its versions, and every
// kind that is reported.
func TestEveryKindIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/manifests.md")
	if err != nil {
		t.Fatal(err)
	}
	row := func(name, group string) []string {
		for line := range strings.Lines(string(data)) {
			cells := strings.Split(line, "|")
			if len(cells) > 4 && strings.TrimSpace(cells[2]) == group && strings.Contains(cells[1], "`"+name+"`") {
				return cells
			}
		}
		t.Errorf("docs/manifests.md has no row for %s of group %q", name, group)
		return nil
	}
	for _, k := range kinds() {
		if cells := row(k.name, k.group); cells != nil {
			if got, want := strings.TrimSpace(cells[3]), strings.Join(k.versions, ", "); got != want {
				t.Errorf("docs/manifests.md: versions of %s: got %q, want %q", k.name, got, want)
			}
		}
	}
	for full, changes := range otherKinds() {
		if name, group, _ := strings.Cut(full, "."); changes {
			row(name, group)
		}
	}
}
