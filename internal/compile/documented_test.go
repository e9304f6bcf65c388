package compile

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// docs/manifests.md says of every annotation and of every key of the
// controller's ConfigMap what becomes of it, in the words of the code's tables.
func TestEveryAnnotationIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/manifests.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[treatment]string{carried: "yes", accepted: "no effect", ignored: "reported", closes: "closed", drops: "dropped"}
	check := func(heading string, rows []annotationRow) {
		said := section(string(data), heading)
		for _, row := range rows {
			for _, name := range strings.Fields(row.names) {
				if got, want := said[name], words[row.how]; got != want {
					t.Errorf("docs/manifests.md, %s: %s is %q, want %q", heading, name, got, want)
				}
				delete(said, name)
			}
		}
		for name, word := range said {
			t.Errorf("docs/manifests.md, %s: %s is %q, and the code knows no such name", heading, name, word)
		}
	}
	check("### Annotations", annotationRows())
	check("### The controller's ConfigMap", configKeys())
}

// section reads the tables under a heading: what a row says, by each name in
// its first cell.
func section(text, heading string) map[string]string {
	said := map[string]string{}
	lines := strings.Split(text, "\n")
	from := slices.Index(lines, heading) + 1
	for _, line := range lines[from:] {
		if strings.HasPrefix(line, "#") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range strings.Split(cells[1], ",") {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, "`") {
				said[strings.Trim(name, "`")] = strings.TrimSpace(cells[2])
			}
		}
	}
	return said
}
