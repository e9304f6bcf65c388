package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The snippets of docs/ci.md are YAML, and each of their commands does in the examples what
// it says.
func TestCISnippets(t *testing.T) {
	data, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(snippets) != 2 {
		t.Fatalf("got %d snippets, want GitHub's and GitLab's", len(snippets))
	}
	for _, s := range snippets {
		var tree any
		if err := yaml.Unmarshal([]byte(s[1]), &tree); err != nil {
			t.Errorf("%v in\n%s", err, s[1])
		}
	}
	t.Chdir("../../examples")
	commands := regexp.MustCompile("(?m)(?:run: |- |`)doorward ((?:check|test) [^`\n]*)").FindAllStringSubmatch(string(data), -1)
	if len(commands) < 8 {
		t.Fatalf("got %d commands", len(commands))
	}
	for _, c := range commands {
		line, _, _ := strings.Cut(c[1], " > ")
		line, _, _ = strings.Cut(line, " #")
		args := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(line, "VirtualService legacy/*", "VirtualService\x01legacy/*"), "'", ""))
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x01", " ")
		}
		var out, errOut strings.Builder
		if code := Main(args, strings.NewReader(""), &out, &errOut); code != exitOK {
			t.Errorf("doorward %s: exit code %d\n%s%s", line, code, out.String(), errOut.String())
		}
	}
}
