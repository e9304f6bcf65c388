package check

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/problem"
)

// docs/checks.md has a row for each check, and no row but of codes that something
// reports; the rows are those of the table of codes, in its order.
func TestEveryCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := string(text)
	named, checks := reported(t), map[string]bool{}
	for _, c := range All() {
		checks[c.Code] = true
	}
	var got, want []string
	for line := range strings.Lines(listed) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	for _, c := range problem.Codes() {
		if named[c.Slug] && (checks[c.Slug] || strings.Contains(listed, "`"+c.Slug+"`")) {
			want = append(want, "| `"+c.Slug+"` | "+c.Istio+" | "+string(c.Severity)+" | "+c.Title+" |")
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("the table of docs/checks.md should be\n%s", w)
	}
}

// reported are the codes that the sources name outside of their table.
func reported(t *testing.T) map[string]bool {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	slugs := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) += "([a-z0-9-]+)"$`).FindAllStringSubmatch(read("../problem/codes.go"), -1) {
		slugs[m[1]] = m[2]
	}
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bproblem\.(\w+)`)
	seen := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range names.FindAllStringSubmatch(read(f), -1) {
			if slug := slugs[m[1]]; slug != "" {
				seen[slug] = true
			}
		}
	}
	if len(seen) == 0 {
		t.Fatal("the sources name no code")
	}
	return seen
}
