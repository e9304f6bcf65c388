package suite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/problem"
)

// reader is the reading of one file. It goes on after a mistake, so that all of them
// are told at once.
type reader struct {
	file     string
	mistakes []error
}

// wrong notes a mistake at a node.
func (r *reader) wrong(n *yaml.Node, format string, args ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf("%s:%d: %s", r.file, n.Line, fmt.Sprintf(format, args...)))
}

func (r *reader) err() error { return errors.Join(r.mistakes...) }

// field is one name that a mapping may have.
type field struct {
	name string
	read func(n *yaml.Node)
}

// mapping reads a mapping of known fields. what names it for people.
func (r *reader) mapping(n *yaml.Node, what string, known []field) {
	var names []string
	for _, f := range known {
		names = append(names, f.name)
	}
	r.entries(n, what, func(key, value *yaml.Node) {
		i := slices.Index(names, key.Value)
		if i >= 0 {
			known[i].read(value)
			return
		}
		fix := "the fields are " + strings.Join(names, ", ")
		if near, ok := problem.Nearest(key.Value, names); ok {
			fix = "did you mean " + near + "? The fields are " + strings.Join(names, ", ")
		}
		r.wrong(key, "%s has no field %q; %s", what, key.Value, fix)
	})
}

// entries calls read with the entries of a mapping. A key that is there twice is a
// mistake.
func (r *reader) entries(n *yaml.Node, what string, read func(key, value *yaml.Node)) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "%s is %s, and should be a mapping (NAME: VALUE)", what, kind(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if line, again := lines[key.Value]; again {
			r.wrong(key, "%s has %q twice, first on line %d", what, key.Value, line)
			continue
		}
		lines[key.Value] = key.Line
		read(key, follow(value))
	}
}

// list calls read with the members of a list.
func (r *reader) list(n *yaml.Node, what string, read func(n *yaml.Node)) {
	if n = follow(n); n.Kind != yaml.SequenceNode {
		r.wrong(n, "%s is %s, and should be a list; put \"- \" before it", what, kind(n))
		return
	}
	for _, member := range n.Content {
		read(follow(member))
	}
}

// text reads a scalar as it is written: 200 and "200" are one.
func (r *reader) text(n *yaml.Node, what string) string {
	if n = follow(n); n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.wrong(n, "%s is %s, and should be text", what, kind(n))
		return ""
	}
	return n.Value
}

// texts reads a list of texts.
func (r *reader) texts(n *yaml.Node, what string) (all []string) {
	r.list(n, what, func(n *yaml.Node) { all = append(all, r.text(n, "a member of "+what)) })
	return all
}

// truth reads true or false.
func (r *reader) truth(n *yaml.Node, what string) bool {
	var is bool
	if n = follow(n); n.Kind != yaml.ScalarNode || n.Decode(&is) != nil || n.Tag == "!!null" {
		r.wrong(n, "%s is %s, and should be true or false", what, kind(n))
	}
	return is
}

// follow is the node behind aliases.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// kind tells what a node is.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%q", n.Value)
}
