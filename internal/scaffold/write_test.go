package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is written is there as a whole; where something stands in the way nothing is, and
// nothing is left beside.
func TestWrite(t *testing.T) {
	files := []File{{"base/ns.yaml", "a\n"}, {"tests/x_test.yaml", "b\n"}}
	for _, c := range []struct {
		name, there string // a file that is there
		wrong       string
	}{
		{"nothing there", "", ""},
		{"the parent is there", "paas/other/ns.yaml", ""},
		{"a file of it", "paas/app/base/ns.yaml", "paas/app/base/ns.yaml is there already"},
		{"another file in it", "paas/app/README", "paas/app/README is there already"},
		{"a file in its place", "paas/app", "paas/app is there already"},
		{"a file in its parent's place", "paas", "paas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if c.there != "" {
				if err := WriteIn(".", []File{{c.there, "kept\n"}}); err != nil {
					t.Fatal(err)
				}
			}
			err := Write(filepath.Join("paas", "app"), files)
			if c.wrong == "" {
				for _, f := range files {
					if data, err := os.ReadFile(filepath.Join("paas", "app", f.Name)); err != nil || string(data) != f.Text {
						t.Errorf("%s is %q, %v", f.Name, data, err)
					}
				}
			} else if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got error %v, want %s", err, c.wrong)
			}
			if c.there != "" {
				if data, err := os.ReadFile(c.there); err != nil || string(data) != "kept\n" {
					t.Errorf("%s is %q, %v", c.there, data, err)
				}
			}
			if left, _ := filepath.Glob("paas/.*"); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}
