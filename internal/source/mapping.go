package source

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/problem"
)

// open pushes the entries of a mapping on d.pairs and returns where they
// begin; whoever opens cuts d.pairs back to there. Keys are unique: of a
// repeated key the last counts, and merged keys (<<) give way to others.
func (d *decoder) open(n *yaml.Node) (first int, ok bool) {
	first = len(d.pairs)
	if n.Kind != yaml.MappingNode {
		d.mistyped(n, "a mapping")
		return first, false
	}
	d.entries(first, n, false)
	return first, true
}

// entries pushes the entries of one mapping. Those of a merged one do not
// replace what is there.
func (d *decoder) entries(first int, n *yaml.Node, merged bool) {
	var at map[string]int // where a key is, once there are many
	if len(n.Content) > 32 {
		at = make(map[string]int, len(n.Content)/2)
		for i, p := range d.pairs[first:] {
			at[p.key] = first + i
		}
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := follow(n.Content[i]), n.Content[i+1]
		if k == nil || k.Kind != yaml.ScalarNode {
			d.mistyped(n.Content[i], "a key that is a string")
			continue
		}
		if k.Value == "<<" && k.Style == 0 {
			merges = append(merges, v)
			continue
		}
		key := read(k).key()
		if j := d.find(first, key, at); j >= 0 {
			if !merged {
				d.repeated(k, key, d.pairs[j].keyAt)
				d.pairs[j] = pair{key, k, v}
			}
			continue
		}
		if at != nil {
			at[key] = len(d.pairs)
		}
		d.pairs = append(d.pairs, pair{key, k, v})
	}
	for _, m := range merges {
		d.merge(first, m)
	}
}

// merge pushes the entries of what stands behind "<<": a mapping or a list of
// mappings, of which the earlier ones win.
func (d *decoder) merge(first int, n *yaml.Node) {
	n = d.enter(n)
	defer d.leave()
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		d.entries(first, n, true)
	case n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			d.merge(first, c)
		}
	default:
		d.mistyped(n, "a mapping to merge")
	}
}

func (d *decoder) find(first int, key string, at map[string]int) int {
	if at != nil {
		if i, ok := at[key]; ok {
			return i
		}
		return -1
	}
	for i := first; i < len(d.pairs); i++ {
		if d.pairs[i].key == key {
			return i
		}
	}
	return -1
}

func (d *decoder) repeated(n *yaml.Node, key string, before *yaml.Node) {
	at := d.push(key)
	_, line := d.place(before, string(d.path))
	p := problem.New(problem.DuplicateKey)
	p.Message = fmt.Sprintf("%s is here for the second time (line %d has it too); the last one counts", key, line)
	p.Remedy = "delete one of them"
	d.report(n, p)
	d.path = d.path[:at]
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// json appends a node as JSON, for the types that read JSON themselves.
func (d *decoder) json(out []byte, n *yaml.Node) ([]byte, bool) {
	n = d.enter(n)
	defer d.leave()
	if n == nil {
		return out, false
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return read(n).json(out), true
	case yaml.SequenceNode:
		return d.jsonList(out, n)
	}
	return d.jsonMapping(out, n)
}

func (d *decoder) jsonList(out []byte, n *yaml.Node) (_ []byte, ok bool) {
	out = append(out, '[')
	for i, c := range n.Content {
		if i > 0 {
			out = append(out, ',')
		}
		at := d.pushIndex(i)
		out, ok = d.json(out, c)
		d.path = d.path[:at]
		if !ok {
			return out, false
		}
	}
	return append(out, ']'), true
}

func (d *decoder) jsonMapping(out []byte, n *yaml.Node) (_ []byte, ok bool) {
	first, ok := d.open(n)
	if !ok {
		return out, false
	}
	defer func() { d.pairs = d.pairs[:first] }()
	out = append(out, '{')
	for i := first; i < len(d.pairs); i++ {
		if i > first {
			out = append(out, ',')
		}
		p := d.pairs[i]
		at := d.pushKey(p.key)
		out = append(appendQuoted(out, p.key), ':')
		out, ok = d.json(out, p.value)
		d.path = d.path[:at]
		if !ok {
			return out, false
		}
	}
	return append(out, '}'), true
}

// appendQuoted appends a string as JSON.
func appendQuoted(out []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(out, `""`...) // a string always has a JSON form
	}
	return append(out, quoted...)
}
