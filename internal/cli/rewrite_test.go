package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files are written all or none, with their modes, through links, and not over what
// somebody else has written meanwhile.
func TestRewrite(t *testing.T) {
	setup := func(t *testing.T) (a, b string, all []rewriting) {
		dir := t.TempDir()
		a, b = filepath.Join(dir, "a"), filepath.Join(dir, "in", "b")
		if err := os.Mkdir(filepath.Dir(b), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{a, b} {
			if err := os.WriteFile(name, []byte("old"), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		return a, b, []rewriting{{a, []byte("old"), []byte("new a")}, {b, []byte("old"), []byte("new b")}}
	}
	holds := func(t *testing.T, name, want string) {
		t.Helper()
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*"))
		if len(left) > 0 {
			t.Errorf("left behind: %s", left)
		}
	}
	t.Run("both", func(t *testing.T) {
		a, b, all := setup(t)
		link := filepath.Join(filepath.Dir(a), "link")
		if err := os.Symlink(a, link); err != nil {
			t.Fatal(err)
		}
		all[0].file = link
		if err := rewrite(all); err != nil {
			t.Fatal(err)
		}
		holds(t, a, "new a")
		holds(t, b, "new b")
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Error("the link is none any more")
		}
		if info, err := os.Stat(a); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("the mode is %v", info.Mode())
		}
	})
	t.Run("one has changed", func(t *testing.T) {
		a, b, all := setup(t)
		if err := os.WriteFile(b, []byte("theirs"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(all); err == nil || !strings.Contains(err.Error(), "has changed meanwhile") {
			t.Errorf("got %v", err)
		}
		holds(t, a, "old")
		holds(t, b, "theirs")
	})
	t.Run("one is read-only", func(t *testing.T) {
		a, b, all := setup(t)
		if err := os.Chmod(b, 0o444); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(all); err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("got %v", err)
		}
		holds(t, a, "old")
		holds(t, b, "old")
	})
	t.Run("one is gone", func(t *testing.T) {
		a, b, all := setup(t)
		if err := os.Remove(b); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(all); err == nil {
			t.Error("got no error")
		}
		holds(t, a, "old")
	})
	t.Run("the second cannot be put in place", func(t *testing.T) {
		a, _, all := setup(t)
		all[1].file = filepath.Dir(all[1].file) // a directory cannot be written over
		if err := rewrite(all); err == nil {
			t.Error("got no error")
		}
		holds(t, a, "old")
	})
}

// When a later file fails the earlier ones are put back.
func TestRewritePutsBack(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	if err := os.WriteFile(a, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := rewriting{a, []byte("old"), []byte("new")}
	if err := putBack(&w, a); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(a); string(got) != "old" {
		t.Errorf("got %q", got)
	}
}
