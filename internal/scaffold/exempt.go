package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Exemption is an edit of what an AuthorizationPolicy leaves out (notPaths).
type Exemption struct {
	Name string // of the policy
	Line int    // at which its document stands, or just below
	// Operations are those that are edited.
	Operations []Operation
	// Undo takes the paths out of the lists, instead.
	Undo bool
}

// Operation is rules[Rule].to[To] of a policy, and the paths that are added to its
// notPaths. A rule without any has To -1.
type Operation struct {
	Rule, To int
	Paths    []string
}

// Edit makes the edit in the text of a file. Everything else stays as it is, byte for byte.
// The error says why it cannot be made there.
func (x *Exemption) Edit(text []byte) ([]byte, error) {
	p, err := newPageEdit(text)
	if err != nil {
		return nil, err
	}
	root := p.object("AuthorizationPolicy", x.Name, x.Line)
	if root == nil {
		return nil, fmt.Errorf("there is no AuthorizationPolicy %s", x.Name)
	}
	if value(root, "spec") == nil || value(value(root, "spec"), "rules") == nil {
		return nil, fmt.Errorf("AuthorizationPolicy %s has no spec.rules there", x.Name)
	}
	for _, o := range x.Operations {
		if err := x.operation(p, root, o); err != nil {
			return nil, err
		}
	}
	out := p.result()
	return out, x.verify(text, out, slices.Index(flat(p.roots), root))
}

// operation edits one operation.
func (x *Exemption) operation(p *pageEdit, root *yaml.Node, o Operation) error {
	rule, err := item(value(value(root, "spec"), "rules"), o.Rule, "spec.rules")
	if err != nil {
		return err
	}
	_, to, _ := entry(rule, "to")
	if o.To < 0 {
		if to != nil {
			return fmt.Errorf("line %d: the rule has operations", to.Line)
		}
		if !x.Undo {
			p.addEntry(rule, "to: [{operation: {notPaths: "+flow(o.Paths)+"}}]")
		}
		return nil
	}
	one, err := item(to, o.To, "to")
	if err != nil {
		return err
	}
	_, op, _ := entry(one, "operation")
	if err := written(op, "operation"); err != nil {
		return err
	}
	_, list, _ := entry(op, "notPaths")
	if list == nil || list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
		if list != nil {
			return fmt.Errorf("line %d: notPaths is there and empty; give it a list", list.Line)
		}
		if !x.Undo {
			p.addEntry(op, "notPaths: "+flow(o.Paths))
		}
		return nil
	}
	if err := written(list, "notPaths"); err != nil {
		return err
	}
	if list.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: notPaths is no list", list.Line)
	}
	if !x.Undo {
		return p.extend(list, o.Paths)
	}
	gone := matching(list, o.Paths)
	switch {
	case len(gone) < len(list.Content):
		return p.shorten(list, gone)
	case len(op.Content) > 2:
		return p.dropEntry(op, "notPaths")
	case len(to.Content) > 1:
		return fmt.Errorf("line %d: the operation would be empty; take it out by hand", op.Line)
	}
	return p.dropEntry(rule, "to")
}

// item is an element of a list that is written where it stands.
func item(list *yaml.Node, i int, name string) (*yaml.Node, error) {
	if err := written(list, name); err != nil {
		return nil, err
	}
	if list.Kind != yaml.SequenceNode || i >= len(list.Content) {
		return nil, fmt.Errorf("line %d: %s has no element %d there", list.Line, name, i)
	}
	n := list.Content[i]
	return n, written(n, name)
}

// written tells that a node is there, and not an alias of another place.
func written(n *yaml.Node, name string) error {
	switch {
	case n == nil:
		return errors.New(name + " is not written there")
	case n.Kind == yaml.AliasNode:
		return fmt.Errorf("line %d: %s is an alias of what is written elsewhere, which is not edited", n.Line, name)
	}
	return nil
}

// matching are the elements of a list that are one of paths.
func matching(list *yaml.Node, paths []string) []int {
	var all []int
	for i, n := range list.Content {
		if n.Kind == yaml.ScalarNode && slices.Contains(paths, n.Value) {
			all = append(all, i)
		}
	}
	return all
}

// extend adds texts at the end of a list, in the way of its last element.
func (p *pageEdit) extend(list *yaml.Node, texts []string) error {
	if list.Style&yaml.FlowStyle != 0 && len(list.Content) == 0 {
		whole := flow(texts)
		p.insert(p.offset(list)+1, whole[1:len(whole)-1])
		return nil
	}
	if len(list.Content) == 0 {
		return fmt.Errorf("line %d: the list is empty, and not edited", list.Line)
	}
	last := list.Content[len(list.Content)-1]
	if last.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: the last element is no text", last.Line)
	}
	end, err := p.scalarEnd(last)
	if err != nil {
		return err
	}
	if list.Style&yaml.FlowStyle != 0 {
		for _, s := range texts {
			p.insert(end, ", "+like(last, s))
		}
		return nil
	}
	from, at := p.lineStart(last.Line), p.lineEnd(end)
	lead := string(p.text[from:p.offset(last)]) // "  - "
	br := p.lineBreak()
	if !strings.HasPrefix(strings.TrimLeft(lead, " "), "-") {
		return fmt.Errorf("line %d: the list is written in a way that is not edited", last.Line)
	}
	if !bytes.HasSuffix(p.text[:at], []byte("\n")) {
		p.insert(at, br)
	}
	for _, s := range texts {
		p.insert(at, lead+like(last, s)+br)
	}
	return nil
}

// shorten takes elements out of a list that keeps others.
func (p *pageEdit) shorten(list *yaml.Node, gone []int) error {
	for _, i := range gone {
		n := list.Content[i]
		end, err := p.scalarEnd(n)
		if err != nil {
			return err
		}
		switch {
		case list.Style&yaml.FlowStyle == 0:
			p.remove(p.lineStart(n.Line), p.lineEnd(end))
		case i+1 < len(list.Content):
			p.remove(p.offset(n), p.offset(list.Content[i+1]))
		default: // with the comma in front, as far as the last that stays
			stays := i - 1
			for slices.Contains(gone, stays) {
				stays--
			}
			from, err := p.scalarEnd(list.Content[stays])
			if err != nil {
				return err
			}
			p.edits = slices.DeleteFunc(p.edits, func(e byteEdit) bool { return e.from >= from && e.to <= end && e.with == "" })
			p.remove(from, end)
		}
	}
	return nil
}

// like writes a text in the quotes of another.
func like(n *yaml.Node, s string) string {
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case n.Style&yaml.DoubleQuotedStyle != 0 || !bare(s):
		return quote(s)
	}
	return s
}

// bare tells whether a path can stand without quotes, also in a list on one line.
func bare(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || i > 0 && strings.IndexByte("-_./*~", c) >= 0 || c == '/') {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}

func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// flow is a list on one line.
func flow(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// flat are the objects of documents, with the members of lists.
func flat(roots []*yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	for _, root := range roots {
		if items := value(root, "items"); items != nil && strings.HasSuffix(scalar(root, "kind"), "List") {
			all = append(all, items.Content...)
			continue
		}
		all = append(all, root)
	}
	return all
}

// verify reads both texts: only the lists of the operations may differ, and only by the
// paths.
func (x *Exemption) verify(before, after []byte, at int) error {
	a, err := values(before)
	if err != nil {
		return err
	}
	b, err := values(after)
	if err != nil {
		return fmt.Errorf("what the edit makes cannot be read: %w", err)
	}
	if x.Undo {
		a, b = b, a // adding what was taken out gives the text again
	}
	for _, o := range x.Operations {
		if at < len(a) {
			add(a[at], b[at], o)
		}
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("the edit would change more than the paths; edit the file by hand")
	}
	return nil
}

// values are the objects of a text.
func values(text []byte) ([]any, error) {
	p, err := newPageEdit(text)
	if err != nil {
		return nil, err
	}
	var all []any
	for _, root := range flat(p.roots) {
		var v any
		if err := root.Decode(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// add adds the paths to an operation of an object, in the order that like has.
func add(object, like any, o Operation) {
	list := func(of any) (holder map[string]any, paths []any) {
		rules, _ := at(of, "spec", "rules").([]any)
		if o.Rule >= len(rules) {
			return nil, nil
		}
		rule, _ := rules[o.Rule].(map[string]any)
		to, _ := rule["to"].([]any)
		n := max(o.To, 0)
		if rule != nil && to == nil {
			to = []any{map[string]any{"operation": map[string]any{}}}
			rule["to"] = to
		}
		if n >= len(to) {
			return nil, nil
		}
		holder, _ = at(to[n], "operation").(map[string]any)
		paths, _ = holder["notPaths"].([]any)
		return holder, paths
	}
	holder, paths := list(object)
	if holder == nil {
		return
	}
	for _, s := range o.Paths {
		if !slices.Contains(paths, any(s)) {
			paths = append(paths, s)
		}
	}
	if _, want := list(like); sameMembers(paths, want) {
		holder["notPaths"] = want
	}
}

func sameMembers(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}

// at follows keys through mappings.
func at(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}
