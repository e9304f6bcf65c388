package check

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// run makes all checks on manifests that must be readable.
func run(t *testing.T, texts ...string) (*object.Set, problem.List) {
	t.Helper()
	set, problems, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(strings.Join(texts, "\n---\n"))}}})
	if err != nil {
		t.Fatal(err)
	}
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	p, _ := compile.Compile(set, compile.Options{IngressClasses: []string{"nginx"}})
	return set, Run(set, p)
}

// Each check has a story, testdata/CODE.txtar: raising.yaml has exactly the
// findings listed, clean.yaml has none of that code. Both stand on
// testdata/platform.yaml, and on the other files of testdata that the words above
// the story name, unless the story has a platform.yaml of its own. A line of findings is SEVERITY OBJECT FIELD: a part of the message or remedy.
func TestStories(t *testing.T) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range All() {
		t.Run(c.Code, func(t *testing.T) {
			a, err := txtar.ParseFile("testdata/" + c.Code + ".txtar")
			if err != nil {
				t.Fatalf("the check has no story: %v", err)
			}
			files := map[string]string{"platform.yaml": string(platform)}
			for name := range strings.FieldsSeq(string(a.Comment)) {
				if !strings.HasSuffix(name, ".yaml") {
					continue
				}
				more, err := os.ReadFile("testdata/" + name)
				if err != nil {
					t.Fatal(err)
				}
				files["platform.yaml"] += "\n---\n" + string(more)
			}
			for _, f := range a.Files {
				files[f.Name] = string(f.Data)
			}
			for _, name := range []string{"raising.yaml", "findings", "clean.yaml"} {
				if strings.TrimSpace(files[name]) == "" {
					t.Fatalf("the story has no %s", name)
				}
			}
			_, raised := run(t, files["platform.yaml"], files["raising.yaml"])
			compare(t, of(c.Code, raised), strings.Split(strings.TrimSpace(files["findings"]), "\n"))
			if _, clean := run(t, files["platform.yaml"], files["clean.yaml"]); len(of(c.Code, clean)) > 0 {
				t.Errorf("clean.yaml: got\n%s", of(c.Code, clean))
			}
		})
	}
}

func of(code string, l problem.List) problem.List {
	var some problem.List
	for _, p := range l {
		if p.Code == code {
			some = append(some, p)
		}
	}
	return some
}

func compare(t *testing.T, got problem.List, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("not reported: %s", want[i])
		case i >= len(want):
			t.Errorf("also reported: %s", got[i])
		default:
			place, says, _ := strings.Cut(want[i], ": ")
			p := got[i]
			if have := strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Severity, p.Object, p.Field)); have != place || !strings.Contains(p.Message+"\n"+p.Remedy, says) {
				t.Errorf("got  %s\nwant %s", p, want[i])
			}
			if p.Message == "" || p.Remedy == "" || p.File == "" || p.Line == 0 {
				t.Errorf("a finding without message, remedy or line: %+v", p)
			}
		}
	}
}
