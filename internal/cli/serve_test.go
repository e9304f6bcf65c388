package cli

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// process is `doorward serve` as a process of its own.
type process struct {
	*exec.Cmd
	log      *bufio.Scanner
	address  map[string]string // by what it listens as
	manifest string
}

// direct answers each path under prefix by itself.
const direct = `apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: gw}
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: gw}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: istio-system}
spec:
  hosts: ["*"]
  gateways: [gw]
  http: [{directResponse: {status: 200, body: {string: %q}}}]
`

// startProcess runs program, with env beside the test's environment.
func startProcess(t *testing.T, program string, env ...string) *process {
	t.Helper()
	p := &process{manifest: filepath.Join(t.TempDir(), "manifests.yaml"), address: map[string]string{}}
	p.write(t, "first")
	p.Cmd = exec.CommandContext(t.Context(), program, "serve", "-f", p.manifest, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--listen", "istio-system/gw:80=127.0.0.1:0")
	p.Env = append(os.Environ(), env...)
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewScanner(stderr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	listening := regexp.MustCompile(`msg=listening .*\bas=(\S+) address=(\S+)`)
	for len(p.address) < 4 {
		for _, m := range listening.FindAllStringSubmatch(p.said(t, "listening"), -1) {
			p.address[m[1]] = m[2]
		}
	}
	return p
}

func (p *process) write(t *testing.T, answer string) {
	t.Helper()
	next := p.manifest + ".next" // no manifest by its name
	if err := os.WriteFile(next, fmt.Appendf(nil, direct, answer), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, p.manifest); err != nil {
		t.Fatal(err)
	}
}

// said waits for a line of the log that contains text.
func (p *process) said(t *testing.T, text string) string {
	t.Helper()
	for p.log.Scan() {
		if strings.Contains(p.log.Text(), text) {
			return p.log.Text()
		}
	}
	t.Fatalf("it ended without saying %q: %v", text, p.log.Err())
	return ""
}

func (p *process) get(t *testing.T, socket, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + p.address[socket] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServeAsProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, self, asDoorward+"=1")
	if status, body := p.get(t, "istio-system/gw:80", "/"); status != 200 || body != "first" {
		t.Errorf("got %d %q, want the first answer", status, body)
	}
	if status, _ := p.get(t, "admin", "/readyz"); status != 200 {
		t.Errorf("got %d of /readyz", status)
	}

	// A change of the file is live by itself.
	p.write(t, "second")
	p.said(t, "serving")
	if _, body := p.get(t, "istio-system/gw:80", "/"); body != "second" {
		t.Errorf("after the change got %q", body)
	}

	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.said(t, "serving")

	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.said(t, "draining")
	for p.log.Scan() { // until it closes its log
	}
	if err := p.Wait(); err != nil {
		t.Errorf("SIGTERM ends it with %v, want exit code 0", err)
	}
}
