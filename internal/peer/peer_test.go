package peer

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// outcome runs Path as a test would and says how that test ends.
type outcome struct {
	testing.TB
	end string
}

func (o *outcome) Helper()               {}
func (o *outcome) Fatalf(string, ...any) { o.end = "fails"; runtime.Goexit() }
func (o *outcome) Skipf(string, ...any)  { o.end = "is skipped"; runtime.Goexit() }

func TestPath(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "some-server")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, c := range []struct{ name, require, want string }{
		{"some-server", "", program},
		{"some-server", "1", program},
		{"other-server", "", "is skipped"},
		{"other-server", "0", "is skipped"},
		{"other-server", "1", "fails"},
	} {
		t.Setenv("DOORWARD_REQUIRE_TOOLS", c.require)
		o := &outcome{TB: t}
		done := make(chan string)
		go func() {
			got := ""
			defer func() { done <- got + o.end }()
			got = Path(o, c.name)
		}()
		if got := <-done; got != c.want {
			t.Errorf("Path(%q) with DOORWARD_REQUIRE_TOOLS=%q: got %q, want %q", c.name, c.require, got, c.want)
		}
	}
}
