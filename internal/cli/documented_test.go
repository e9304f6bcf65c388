package cli

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// operations is docs/operations.md.
func operations(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEveryVerbAndFlagIsDocumented(t *testing.T) {
	text := operations(t)
	for _, verb := range newRoot().Commands() {
		if !regexp.MustCompile("`" + verb.Name() + "[ `]").MatchString(text) {
			t.Errorf("docs/operations.md does not name the verb %s", verb.Name())
		}
		verb.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			if !strings.Contains(text, "`--"+f.Name+"`") {
				t.Errorf("docs/operations.md does not name --%s of %s", f.Name, verb.Name())
			}
			if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && verb.Name() != "explain" && !strings.Contains(text, "`"+f.DefValue+"`") {
				t.Errorf("docs/operations.md does not name %s, the default of --%s of %s", f.DefValue, f.Name, verb.Name())
			}
		})
	}
}

// What the admin pages of a running demo show is in docs/operations.md.
func TestEveryMetricAndMemberIsDocumented(t *testing.T) {
	text := operations(t)
	p := startDemo(t)
	p.do(t, "GET", "https://cluster/myapp/", nil) // so that requests are counted
	_, metrics := p.do(t, "GET", "http://"+p.admin+"/metrics", nil)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(metrics, -1) {
		if name := m[1]; !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/operations.md does not name the metric %s", name)
		}
	}
	for _, page := range []string{"/plan", "/problems"} {
		_, body := p.do(t, "GET", "http://"+p.admin+page, nil)
		var tree any
		if err := json.Unmarshal([]byte(body), &tree); err != nil {
			t.Fatalf("%s: %v in %s", page, err, body)
		}
		members(tree, func(name string) {
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, `{"`+name+`"`) && !strings.Contains(text, `, "`+name+`"`) {
				t.Errorf("docs/operations.md does not name the member %s of %s", name, page)
			}
		})
	}
}

// members calls yield with each name of a member in a tree of JSON.
func members(tree any, yield func(string)) {
	switch v := tree.(type) {
	case map[string]any:
		for name, value := range v {
			yield(name)
			members(value, yield)
		}
	case []any:
		for _, value := range v {
			members(value, yield)
		}
	}
}
