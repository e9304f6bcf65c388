package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guidePlatform makes the platform that the guide is about in the current directory, as
// paas/platform: that of the examples, behind a login.
func guidePlatform(t *testing.T, examples string) {
	t.Helper()
	to := filepath.Join("paas", "platform")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(examples, "paas", "platform"))); err != nil {
		t.Fatal(err)
	}
	kustomization := filepath.Join(to, "base", "kustomization.yaml")
	list := read(t, kustomization)
	for _, name := range []string{"login/login.yaml", "login/policies.yaml", "login/tokens.yaml", "login/dex.yaml", "localhost/mesh.yaml"} {
		base := filepath.Base(name)
		write(t, filepath.Join(to, "base", base), read(t, filepath.Join(examples, filepath.FromSlash(name))))
		list = strings.TrimSuffix(list, "\n") + "\n  - " + base + "\n"
	}
	write(t, kustomization, list)
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
