//go:build e2e

package archtest

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The Dockerfile copies the binary of `make build` into an empty image: it must run without a
// loader and without libraries, and know its version.
func TestE2EBuildIsStaticAndVersioned(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "doorward")
	build := exec.CommandContext(t.Context(), "make", "-C", "../..", "build", "OUT="+binary, "VERSION=v1.2.3-test")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}

	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for a loader: it is not static")
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the binary asks for libraries %v (%v): it is not static", libraries, err)
	}

	out, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "v1.2.3-test") {
		t.Errorf("doorward version: got %q (%v), want it to name v1.2.3-test, as make build set it", out, err)
	}
}
