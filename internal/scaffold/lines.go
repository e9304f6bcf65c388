package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A page of manifests that is edited by the place of its nodes: bytes are put in or taken
// out, and everything else, comments and layout too, stays as it is.
type pageEdit struct {
	text  []byte
	roots []*yaml.Node
	edits []byteEdit
}

// byteEdit replaces text[from:to].
type byteEdit struct {
	from, to int
	with     string
}

func newPageEdit(text []byte) (*pageEdit, error) {
	p := &pageEdit{text: text}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		err := d.Decode(&root)
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
			p.roots = append(p.roots, root.Content[0])
		}
	}
}

// object finds the object of a kind and name, or the longest part of it that a
// kustomization may give a prefix and a suffix, nearest to a line. Members of lists are
// objects too.
func (p *pageEdit) object(kind, name string, line int) *yaml.Node {
	var found *yaml.Node
	length, far := 0, 0
	for _, n := range flat(p.roots) {
		was := scalar(value(n, "metadata"), "name")
		if scalar(n, "kind") != kind || was == "" || !strings.Contains(name, was) || len(was) < length {
			continue
		}
		distance := max(n.Line-line, line-n.Line)
		if len(was) > length || distance < far {
			found, length, far = n, len(was), distance
		}
	}
	return found
}

// offset is where a node begins.
func (p *pageEdit) offset(n *yaml.Node) int {
	at := p.lineStart(n.Line)
	for range n.Column - 1 { // in characters
		_, size := utf8.DecodeRune(p.text[at:])
		at += size
	}
	return at
}

func (p *pageEdit) lineStart(line int) int {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(p.text[at:], '\n')
		if i < 0 {
			return len(p.text)
		}
		at += i + 1
	}
	return at
}

// lineEnd is where the line of an offset ends, behind its line break.
func (p *pageEdit) lineEnd(at int) int {
	if i := bytes.IndexByte(p.text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(p.text)
}

// lineBreak is what the page ends lines with.
func (p *pageEdit) lineBreak() string {
	if bytes.Contains(p.text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// scalarEnd is where a scalar on one line ends.
func (p *pageEdit) scalarEnd(n *yaml.Node) (int, error) {
	from := p.offset(n)
	line := p.text[from:p.lineEnd(from)]
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(line); i++ {
			if line[i] == '\\' {
				i++
			} else if line[i] == '"' {
				return from + i + 1, nil
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(line); i++ {
			if line[i] == '\'' {
				if i+1 < len(line) && line[i+1] == '\'' {
					i++
					continue
				}
				return from + i + 1, nil
			}
		}
	case bytes.HasPrefix(line, []byte(n.Value)) && n.Value != "":
		return from + len(n.Value), nil
	}
	return 0, fmt.Errorf("line %d: the value %q is written in a way that is not edited", n.Line, n.Value)
}

func (p *pageEdit) insert(at int, text string) { p.edits = append(p.edits, byteEdit{at, at, text}) }

func (p *pageEdit) remove(from, to int) { p.edits = append(p.edits, byteEdit{from, to, ""}) }

// result is the page with its edits made.
func (p *pageEdit) result() []byte {
	slices.SortStableFunc(p.edits, func(a, b byteEdit) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, e := range p.edits {
		if e.from < at {
			continue // it is inside of what is taken out
		}
		out = append(append(out, p.text[at:e.from]...), e.with...)
		at = e.to
	}
	return append(out, p.text[at:]...)
}

// entry is a key of a mapping, its value and the key behind it; nil where there is none.
func entry(n *yaml.Node, key string) (k, v, next *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			if i+2 < len(n.Content) {
				next = n.Content[i+2]
			}
			return n.Content[i], n.Content[i+1], next
		}
	}
	return nil, nil, nil
}

// addEntry puts an entry, on one line, in front of the others of a mapping.
func (p *pageEdit) addEntry(n *yaml.Node, text string) {
	at := p.offset(n)
	switch {
	case n.Style&yaml.FlowStyle != 0 && len(n.Content) > 0:
		p.insert(at+1, text+", ")
	case n.Style&yaml.FlowStyle != 0:
		p.insert(at+1, text)
	default:
		p.insert(at, text+p.lineBreak()+strings.Repeat(" ", n.Column-1))
	}
}

// dropEntry takes an entry out of a mapping, where no comment goes with it.
func (p *pageEdit) dropEntry(n *yaml.Node, key string) error {
	k, _, next := entry(n, key)
	if k == nil {
		return nil
	}
	from, to := p.offset(k), 0
	switch {
	case next != nil:
		to = p.offset(next)
	case n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2:
		i := closing(p.text[p.offset(n):])
		if i < 0 {
			return fmt.Errorf("line %d: the entry %s is not edited", k.Line, key)
		}
		to = p.offset(n) + i
	default:
		return fmt.Errorf("line %d: %s would be empty; take it out by hand", k.Line, key)
	}
	if bytes.IndexByte(p.text[from:to], '#') >= 0 {
		return fmt.Errorf("line %d: %s would be empty, and there is a comment in it; take it out by hand", k.Line, key)
	}
	p.remove(from, to)
	return nil
}

// closing is where the brace or bracket with which text begins is closed; -1 nowhere.
func closing(text []byte) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
