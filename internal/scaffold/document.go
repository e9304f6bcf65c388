package scaffold

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one YAML document of a file.
type document struct {
	mark   string // the line that begins it: "---", or nothing
	source string // the rest, as it was written
	root   *yaml.Node
	edited bool
}

// split takes the documents of a file apart. Lines that begin with "---" begin one, and
// nothing else does (YAML 1.2 section 9.1.2).
func split(manifests []byte) ([]*document, error) {
	var docs []*document
	d := &document{}
	line := 0
	for text := range strings.Lines(string(manifests)) {
		line++
		if strings.HasPrefix(text, "---") && strings.TrimRight(text, " \t\r\n") == "---" {
			docs = append(docs, d)
			d = &document{mark: text}
			continue
		}
		d.source += text
	}
	docs = append(docs, d)
	for i, d := range docs {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(d.source), &root); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
			d.root = root.Content[0]
		}
		if kind := scalar(d.root, "kind"); kind == "List" || strings.HasSuffix(kind, "SetList") {
			return nil, errors.New("the file has a " + kind + ", which is not edited; take it apart first")
		}
	}
	return docs, nil
}

// text is the document, as it was written unless it is edited.
func (d *document) text() (string, error) {
	if !d.edited {
		return d.mark + d.source, nil
	}
	text, err := render(d.root)
	return d.mark + text, err
}

// render writes a node as people write manifests.
func render(n *yaml.Node) (string, error) {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(n); err != nil {
		return "", err
	}
	return b.String(), e.Close()
}

// find finds an object; nil if there is none.
func find(docs []*document, version, kind, namespace, name string) *document {
	for _, d := range docs {
		v := scalar(d.root, "apiVersion")
		metadata := value(d.root, "metadata")
		if (v == version || strings.HasSuffix(version, "/") && strings.HasPrefix(v, version)) && scalar(d.root, "kind") == kind &&
			scalar(metadata, "name") == name && inNamespace(scalar(metadata, "namespace")) == namespace {
			return d
		}
	}
	return nil
}

// value is what a mapping has under a key; nil if it has not, or is none.
func value(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			v := n.Content[i+1]
			for v.Kind == yaml.AliasNode {
				v = v.Alias
			}
			return v
		}
	}
	return nil
}

func scalar(n *yaml.Node, key string) string {
	if v := value(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func put(n *yaml.Node, key string, v *yaml.Node) { n.Content = append(n.Content, text(key), v) }

func drop(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// text is a scalar, quoted where it would read as something else.
func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if !plain(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// plain tells whether every reader of YAML takes a text without quotes for a text: some
// read off, y and 1_000 as something else.
func plain(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '/'
		inner := '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':' && i+1 < len(s)
		if !letter && (i == 0 || !inner) {
			return false
		}
	}
	return s != ""
}

// texts is a list on one line.
func texts(all []string) *yaml.Node {
	n := list()
	n.Style = yaml.FlowStyle
	for _, s := range all {
		n.Content = append(n.Content, text(s))
	}
	return n
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// mapping makes a mapping of keys and their nodes in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(pairs); i += 2 {
		put(n, pairs[i].(string), pairs[i+1].(*yaml.Node))
	}
	return n
}
