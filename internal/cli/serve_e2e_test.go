//go:build e2e

package cli

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/peer"
)

// built is the program as `make build` makes it.
func built(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "doorward")
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "build", "OUT="+binary).CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return binary
}

// The binary with curl: every socket, both protocols, and the end.
func TestE2EServeWithCurl(t *testing.T) {
	curl := peer.Path(t, "curl")
	p := startProcess(t, built(t))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"http://" + p.address["istio-system/gw:80"] + "/x"}, "first 200 1.1"},
		{[]string{"--http2-prior-knowledge", "http://" + p.address["istio-system/gw:80"] + "/x"}, "first 200 2"},
		{[]string{"-k", "--http2", "https://" + p.address["https"] + "/healthz"}, " 200 2"},
		{[]string{"-k", "--http1.1", "https://" + p.address["https"] + "/healthz"}, " 200 1.1"},
		{[]string{"http://" + p.address["http"] + "/healthz"}, " 200 1.1"},
		{[]string{"http://" + p.address["admin"] + "/readyz"}, "ok\n 200 1.1"},
	} {
		args := append([]string{"-sS", "-w", " %{http_code} %{http_version}"}, c.args...)
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("curl %s: got %q (%v), want %q", strings.Join(c.args, " "), out, err, c.want)
		}
	}
}

// Start to ready with all of Kubeflow's routes, and the memory at rest. The
// figures are told; they have room, so that a busy machine fails no test.
func TestE2EStartAndMemory(t *testing.T) {
	file, err := filepath.Abs("../../../shared/kubeflow/rendered-networking.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("Kubeflow's rendered objects are not here: %v", err)
	}
	binary := built(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := free.Addr().String()
	free.Close()
	best := time.Hour
	var rss int
	for range 5 { // the page cache is warm after the first
		began := time.Now()
		p := &process{address: map[string]string{}}
		p.Cmd = exec.CommandContext(t.Context(), binary, "serve", "-f", file, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", admin)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			resp, err := http.Get("http://" + admin + "/readyz")
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == 200 {
					break
				}
			}
			if t.Context().Err() != nil {
				t.Fatal("it is never ready")
			}
		}
		best = min(best, time.Since(began))
		time.Sleep(time.Second) // at rest
		rss = residentKiB(t, p.Process.Pid)
		p.Process.Kill()
		p.Wait()
	}
	t.Logf("start to ready: %v (best of 5); at rest: %d KiB resident", best.Round(time.Millisecond), rss)
	if best > time.Second || rss > 40<<10 {
		t.Errorf("it takes %v and %d KiB; 150ms and 40960 KiB are the aim", best, rss)
	}
}

func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Skipf("memory cannot be read here: %v", err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in %s", status)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}
