package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what commands print into the pages of docs/guide")

// Each page of the guide is run: in a directory of its own, with the platform in
// paas/platform. A block "console" holds commands, "$ doorward ...", and what they print;
// a line "..." there stands for any lines. The last line is "exit code N" where that is
// not 0. A block "yaml FILE" is a file that the reader writes.
func TestGuide(t *testing.T) {
	pages, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(pages) < 2 {
		t.Fatalf("there are the pages %v, %v", pages, err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			page, _ := filepath.Abs(page)
			examples, _ := filepath.Abs("../../examples")
			t.Chdir(t.TempDir())
			guidePlatform(t, examples)
			was := read(t, page)
			is := follow(t, was)
			if *update && is != was {
				write(t, page, is)
			}
		})
	}
}

// follow does what a page says, and returns it with what commands have printed.
func follow(t *testing.T, page string) string {
	t.Helper()
	var out strings.Builder
	for n, part := range strings.Split(page, "\n```") {
		if n > 0 {
			out.WriteString("\n```")
		}
		head, body, _ := strings.Cut(part, "\n")
		switch file, isFile := strings.CutPrefix(head, "yaml "); {
		case n%2 == 1 && head == "console":
			out.WriteString(head + commands(t, body))
			continue
		case n%2 == 1 && isFile:
			write(t, file, body+"\n")
		}
		out.WriteString(part)
	}
	return out.String()
}

// commands runs those of a block, and returns it with what they have printed.
func commands(t *testing.T, block string) string {
	t.Helper()
	var out strings.Builder
	for _, one := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(one, "\n")
		got := strings.TrimSuffix(typed(t, command), "\n")
		if fits(got, want) {
			got = want
		} else if !*update {
			t.Errorf("$ %s\nprints\n%s\nand the page has\n%s\n(go test ./internal/cli -run TestGuide -update writes what is printed)", command, got, want)
		}
		out.WriteString("\n$ " + command)
		if got != "" {
			out.WriteString("\n" + got)
		}
	}
	return out.String()
}

// typed runs a command line, doorward with its arguments, quoted as in a shell.
func typed(t *testing.T, line string) string {
	t.Helper()
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 0 {
			args = append(args, strings.Fields(part)...)
		} else {
			args = append(args, part)
		}
	}
	if args[0] != "doorward" {
		t.Fatalf("%q: only doorward is run here", line)
	}
	var out strings.Builder
	if code := Main(args[1:], strings.NewReader(""), &out, &out); code != exitOK {
		fmt.Fprintf(&out, "exit code %d\n", code)
	}
	return took.ReplaceAllString(out.String(), "  0.01s")
}

// took is how long tests took, which differs.
var took = regexp.MustCompile(`(?m)  \d+\.\d\ds$`)

// fits tells whether a text is the wanted one, in which a line "..." is any lines.
func fits(got, want string) bool { return fit(strings.Split(got, "\n"), strings.Split(want, "\n")) }

func fit(got, want []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "...":
		for i := range len(got) + 1 {
			if fit(got[i:], want[1:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && got[0] == want[0] && fit(got[1:], want[1:])
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		got, want string
		fits      bool
	}{
		{"a\nb", "a\nb", true}, {"a\nb", "a", false}, {"a\nb\nc", "a\n...\nc", true}, {"a\nc", "a\n...\nc", true}, {"a\nb\nd", "a\n...\nc", false},
		{"a\nb", "...\nb", true}, {"a\nb", "a\n...", true}, {"a\nb\nc\nd", "...\nb\n...\nd", true}, {"a\nd\nb", "...\nb\n...\nd", false}, {"", "", true}, {"a", "...", true}, {"x", "", false}, {"ab", "a\n...", false},
	} {
		if fits(c.got, c.want) != c.fits {
			t.Errorf("%q and %q: got %v", c.got, c.want, !c.fits)
		}
	}
}

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
