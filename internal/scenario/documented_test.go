package scenario

import (
	"os"
	"strings"
	"testing"
)

// docs/scenarios.md has an example that can be read, and every word of the format.
func TestFormatIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	for line := range strings.Lines(string(data)) {
		text, indented := strings.CutPrefix(line, "    ")
		if indented {
			example.WriteString(text)
		} else if strings.TrimSpace(line) != "" && example.Len() > 0 {
			break
		} else if example.Len() > 0 {
			example.WriteString("\n")
		}
	}
	s, err := Parse("docs/scenarios.md", []byte(example.String()))
	if err != nil || len(s.Requests) != 3 || len(s.Files) != 1 {
		t.Errorf("the example: %v in\n%s", err, example.String())
	}

	// The parser names its words when it finds another.
	for _, text := range []string{"word\n", "GET http://a/ -> 404\n  word\n"} {
		_, err := Parse("f", []byte(text))
		_, words, ok := strings.Cut(err.Error(), "one of ")
		if !ok {
			if _, words, ok = strings.Cut(err.Error(), "none of "); !ok {
				t.Fatalf("the parser does not name its words: %v", err)
			}
		}
		for _, word := range strings.Split(words, ", ") {
			if !strings.Contains(string(data), "`"+word+" ") {
				t.Errorf("docs/scenarios.md does not explain %q", word)
			}
		}
	}
}
