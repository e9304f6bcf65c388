package source

import (
	"bytes"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// maxDocument bounds one YAML document, in bytes.
const maxDocument = 16 << 20

// document is one document of a file, not yet parsed.
type document struct {
	line int // the file's line on which text begins
	text []byte
}

// documents splits a file at the lines that begin with "---". Inside of a
// document no line may begin so, not even in a block of text (YAML 1.2,
// section 9.1.2). Documents of comments and directives only are left out.
func documents(line int, data []byte) iter.Seq[document] {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return func(yield func(document) bool) {
		start, startLine, blank := 0, line, true
		for at := 0; at < len(data); line++ {
			end := len(data)
			if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
				end = at + i + 1
			}
			text := data[at:end]
			if isSeparator(text) {
				if !blank && !yield(document{startLine, data[start:at]}) {
					return
				}
				start, startLine, blank = at, line, true
				text = text[3:]
			}
			if blank && !isBlank(text) {
				blank = false
			}
			at = end
		}
		if !blank {
			yield(document{startLine, data[start:]})
		}
	}
}

func isSeparator(line []byte) bool {
	return len(line) >= 3 && string(line[:3]) == "---" &&
		(len(line) == 3 || line[3] == '\n' || line[3] == '\r' || line[3] == ' ' || line[3] == '\t')
}

func isBlank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#' || line[0] == '%' || string(line) == "..."
}

// header is what names an object.
type header struct {
	apiVersion, kind, namespace, name string
	plain                             bool // apiVersion and kind are beyond doubt
}

// scan reads the header of a document without parsing it, line by line. Only
// a block mapping at the left margin is understood, which is how manifests are
// written; the rest is for the parser.
func scan(text []byte) header {
	var h header
	kinds, versions, odd, inMetadata, indent := 0, 0, 0, false, 0
	for line := range bytes.Lines(text) {
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		switch c := line[0]; {
		case c == '{' || c == '[' || c == '?' || c == '&' || c == '!' || c == '*' || c == '<' || c == '%':
			odd++
		case c == ' ' && inMetadata:
			trimmed := bytes.TrimLeft(line, " ")
			depth := len(line) - len(trimmed)
			if indent == 0 && len(bytes.TrimSpace(trimmed)) > 0 && trimmed[0] != '#' {
				indent = depth
			}
			if depth == indent {
				if v, ok := value(trimmed, "name"); ok {
					h.name = v
				} else if v, ok := value(trimmed, "namespace"); ok {
					h.namespace = v
				}
			}
		case c != ' ' && c != '\n' && c != '\r' && c != '\t':
			inMetadata, indent = false, 0
			if v, ok := value(line, "kind"); ok {
				h.kind = v
				kinds++
			} else if v, ok := value(line, "apiVersion"); ok {
				h.apiVersion = v
				versions++
			} else if v, ok := value(line, "metadata"); ok && v == "" {
				inMetadata = true
			}
		}
	}
	h.plain = kinds == 1 && versions == 1 && odd == 0 && isWord(h.kind) && isWord(h.apiVersion)
	return h
}

// value returns what follows "key:" on a line, without quotes and comment.
func value(line []byte, key string) (string, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(key))
	if !ok || len(rest) == 0 || rest[0] != ':' {
		return "", false
	}
	v := string(bytes.TrimSpace(rest[1:]))
	if i := strings.Index(v, " #"); i >= 0 {
		v = strings.TrimSpace(v[:i])
	}
	if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
		v = v[1 : len(v)-1]
	}
	return v, true
}

// isWord says whether a value is written as kinds and versions are.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '/' && c != '-' {
			return false
		}
	}
	return s != ""
}

// syntaxError is a document that is not YAML.
type syntaxError struct {
	line int // of the file; 0 is unknown
	text string
}

func (e *syntaxError) Error() string { return e.text }

// parse makes the tree of a document. The root is nil for an empty document.
func (doc document) parse() (root *yaml.Node, err error) {
	if len(doc.text) > maxDocument {
		return nil, &syntaxError{doc.line, fmt.Sprintf("the document has more than %d MiB", maxDocument>>20)}
	}
	defer func() {
		// The parser is not ours: what it trips over must cost one document,
		// not the process.
		if r := recover(); r != nil {
			root, err = nil, &syntaxError{doc.line, fmt.Sprint(r)}
		}
	}()
	var node yaml.Node
	if err := yaml.Unmarshal(doc.text, &node); err != nil {
		return nil, doc.syntaxError(err)
	}
	if node.Kind != yaml.DocumentNode || len(node.Content) == 0 {
		return nil, nil
	}
	return node.Content[0], nil
}

// syntaxError says where the document stops being YAML. The parser names the
// beginning of the structure at fault; its older version, which kubectl uses,
// names the line that does not fit, so that one is asked.
func (doc document) syntaxError(err error) *syntaxError {
	var ignored any
	if older := yamlv2.Unmarshal(doc.text, &ignored); older != nil {
		err = older
	}
	at, text := doc.line, err.Error()
	if m := regexp.MustCompile(`^yaml: (?:line (\d+): )?`).FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			at += n - 1
			// Of its two stages only the first counts lines from one.
			if regexp.MustCompile(`^did not find expected (<|node content|key|'[-,]')`).MatchString(text) {
				at++
			}
		}
	}
	return &syntaxError{at, text}
}
