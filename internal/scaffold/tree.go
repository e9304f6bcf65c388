package scaffold

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A manifest is built as a tree of nodes and never as text: what is put into it can only
// become a value, whatever it holds. Comments are constants of this package.

// said is a value with a comment: at the end of its line, or above its key.
type said struct {
	value   any
	comment string
	above   bool
}

// why adds a comment at the end of a scalar's line.
func why(value any, comment string) said { return said{value, comment, false} }

// above adds a comment above a key, or above an item of a list.
func above(comment string, value any) said { return said{value, comment, true} }

// tree makes a mapping of keys, which are texts, and their values in turn. A nil value
// leaves its key out.
func tree(pairs ...any) *yaml.Node {
	n := mapping()
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i+1]
		if value == nil {
			continue
		}
		key := node(pairs[i].(string))
		if s, ok := value.(said); ok && s.above {
			key.HeadComment, value = commented(s.comment), s.value
		}
		n.Content = append(n.Content, key, node(value))
	}
	return n
}

// items makes a list; a nil item is left out.
func items(values ...any) *yaml.Node {
	n := list()
	for _, v := range values {
		if v != nil {
			n.Content = append(n.Content, node(v))
		}
	}
	return n
}

// words makes a list of texts.
func words(all []string) *yaml.Node {
	n := list()
	for _, s := range all {
		n.Content = append(n.Content, word(s))
	}
	return n
}

// line makes a list on one line.
func line(values ...any) *yaml.Node {
	n := items(values...)
	n.Style = yaml.FlowStyle
	return n
}

// node makes a node of a text, a number, a truth, a node, or one of them with a comment.
func node(value any) *yaml.Node {
	switch v := value.(type) {
	case *yaml.Node:
		return v
	case said:
		n := node(v.value)
		if v.above {
			n.HeadComment = commented(v.comment)
		} else {
			n.LineComment = commented(v.comment)
		}
		return n
	case string:
		return word(v)
	case int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	}
	panic(fmt.Sprintf("scaffold: no node of %T", value))
}

// word is a text without quotes, unless YAML, 1.1 or 1.2, would read it as anything else:
// the encoder of texts knows.
func word(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if data, err := yaml.Marshal(s); err != nil || strings.TrimSuffix(string(data), "\n") != s {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func commented(comment string) string { return "# " + strings.ReplaceAll(comment, "\n", "\n# ") }

// page writes documents as a file, in the form of the examples: lists are indented.
// head is a comment at its beginning; "" is none.
func page(head string, documents ...*yaml.Node) (string, error) {
	var b strings.Builder
	if head != "" {
		b.WriteString(commented(head) + "\n")
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	for _, d := range documents {
		if err := e.Encode(d); err != nil {
			return "", err
		}
	}
	return b.String(), e.Close()
}
