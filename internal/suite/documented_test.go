package suite

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// docs/testing.md has every field under the heading of its mapping, and no other; its
// example can be read.
func TestFormatIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	r := &reader{}
	var tests *yaml.Node
	for heading, fields := range map[string][]field{
		"## A file": r.fileFields(&File{}, &tests), "## A caller": r.callerFields(&Caller{}), "## A test": r.testFields(&File{}, &Test{}), "## What to expect": r.expectFields(&Test{}),
	} {
		_, section, ok := strings.Cut(text, heading+"\n")
		if !ok {
			t.Fatalf("docs/testing.md has no heading %q", heading)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		var got, want []string
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
			got = append(got, m[1])
		}
		for _, f := range fields {
			want = append(want, f.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("docs/testing.md, %s: it has the fields %q, the reader %q", heading, got, want)
		}
	}

	_, example, _ := strings.Cut(text, "    # paas/myapp/tests/myapp_test.yaml\n")
	example, _, _ = strings.Cut(example, "\n\n")
	example = strings.ReplaceAll("\n"+example, "\n    ", "\n")
	f, err := Parse("../../examples/paas/myapp/tests/myapp_test.yaml", []byte(example))
	if err != nil || len(f.Tests) != 2 || len(f.Kustomizations) != 2 {
		t.Errorf("the example: %v in\n%s", err, example)
	}
}
