//go:build e2e

package cli

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// The first command of the README, as a newcomer types it, but for the ports.
func TestE2EDemoOfTheReadme(t *testing.T) {
	curl := peer.Path(t, "curl")
	cmd := exec.Command("go", "run", "./cmd/doorward", "demo", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	cmd.Dir = "../.."
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to go run and to what it runs
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		}
	})
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
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ended = true
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: got %v, want an exit with 0", err)
	}
}
