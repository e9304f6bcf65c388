//go:build e2e

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/peer"
)

// The conversation that docs/new.md shows is held in a real terminal, tmux's, and its
// screen must be what the page has. The patch in its middle is left out there.
func TestE2ENewInATerminal(t *testing.T) {
	page := read(t, "../../docs/new.md")
	screen := newInTerminal(t)
	begin, end := strings.Index(screen, "--- /dev/null\n"), strings.Index(screen, "check: ")
	if begin < 0 || end < begin {
		t.Fatalf("the screen has no patch:\n%s", screen)
	}
	shown := screen[:begin] + "...\n" + screen[end:]
	if !strings.Contains(page, "```console\n"+shown+"```\n") {
		t.Errorf("docs/new.md does not show this screen:\n%s", shown)
	}
	if strings.Contains(screen, "\x1b") || !strings.Contains(screen, "+    - kubeflow/kubeflow-gateway") {
		t.Errorf("this is no screen of new:\n%s", screen)
	}
}

// newInTerminal has doorward new asked for and answered in tmux, and returns what it left
// on the screen.
func newInTerminal(t *testing.T) string {
	t.Helper()
	tmux := peer.Path(t, "tmux")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	guidePlatform(t, examples)
	bin := filepath.Join(t.TempDir(), "doorward")
	write(t, bin, "#!/bin/sh\n"+asDoorward+"=1 exec "+self+" \"$@\"\n")
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "tmux")
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), tmux, append([]string{"-S", socket, "-f", os.DevNull}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"), "PS1=$ ", "ENV=", "TERM=screen-256color")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("new-session", "-d", "-x", "150", "-y", "50", "bash", "--norc", "--noprofile")
	t.Cleanup(func() { _ = exec.Command(tmux, "-S", socket, "kill-server").Run() })
	run("set-option", "-g", "history-limit", "10000")
	screen := func() string { return run("capture-pane", "-p", "-J", "-S", "-") }
	wait := func(last string) {
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			s := strings.TrimRight(screen(), " \n")
			if strings.HasSuffix(s, strings.TrimRight(last, " ")) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the screen does not come to end with %q:\n%s", last, s)
			}
		}
	}
	wait("$")
	run("send-keys", "-l", "doorward new shop")
	run("send-keys", "Enter")
	for _, step := range [][2]string{
		{"[other] >", ""},
		{"[prefix] >", "?"},
		{"needs a host of its own.\n[prefix] >", "yes"},
		{"[login] >", ""},
		{"[/shop] >", "/store"},
		{"[header] >", "<"},
		{"[/shop] >", ""},
		{"[header] >", "3"},
		{"[image] >", ""},
		{">", "ghcr.io/acme/shop"},
		{"as in ghcr.io/acme/shop:1.4.2\n>", "ghcr.io/acme/shop:1.4.2"},
		{"[8080] >", "3000"},
		{"[shop] >", ""},
		{"[yes] >", ""},
		{"[y/N]", "y"},
	} {
		wait(step[0])
		run("send-keys", "-l", "--", step[1])
		run("send-keys", "Enter")
	}
	wait("\n$")
	lines := strings.Split(strings.TrimRight(screen(), " \n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines[:len(lines)-1], "\n") + "\n" // without the shell's last prompt
}
