//go:build e2e

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// The first command of the README, but for the ports. go run itself ends with 1 on
// Ctrl-C, so the two steps that it takes are taken here.
func TestE2EDemoOfTheReadme(t *testing.T) {
	curl := peer.Path(t, "curl")
	binary := filepath.Join(t.TempDir(), "doorward")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/doorward").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "demo", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	p := &platform{}
	p.read(t, out)
	for _, c := range []struct{ target, want string }{
		{"https://cluster/", "A platform on one machine"},
		{"https://cluster/myapp-prefixed/x", `"prefix": "/myapp-prefixed"`},
		{"https://minio/x", `"application": "MinIO"`},
	} {
		got, err := exec.CommandContext(t.Context(), curl, "-sSk", p.url(c.target)).CombinedOutput()
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("curl -k %s: got %v %s, want %s", p.url(c.target), err, got, c.want)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: got %v, want an exit with 0", err)
	}
}
