package source

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// Locate finds the line of a field of an object, given the object's origin: a
// path such as "spec.http[1].match[0]". It reads the file again; lines are
// asked for rarely, and remembering them all would cost memory for ever. If
// the field is not there, the line is that of the innermost part of the path
// that is. It is false when the object cannot be found.
func (o Options) Locate(origin object.Origin, field string) (line int, ok bool) {
	return newFinder(o).locate(origin, field)
}

// Point gives each problem that names a field the line of that field, where
// it has the line of its object so far.
func (o Options) Point(problems problem.List) {
	f := newFinder(o)
	for i := range problems {
		p := &problems[i]
		if p.Field == "" || p.File == "" || p.Line == 0 {
			continue
		}
		if line, ok := f.locate(object.Origin{File: p.File, Line: p.Line}, p.Field); ok {
			p.Line = line
		}
	}
}

// finder finds lines, and parses each file and document once.
type finder struct {
	disk  disk
	texts []Text
	files map[string][]*located
}

// located is a document and, once it was needed, its tree.
type located struct {
	document
	parsed bool
	root   *yaml.Node
}

func newFinder(o Options) *finder {
	return &finder{disk: newDisk(o), texts: o.Texts, files: make(map[string][]*located)}
}

// documents lists the documents of a file; none when it cannot be read.
func (f *finder) documents(file string) []*located {
	if docs, ok := f.files[file]; ok {
		return docs
	}
	var docs []*located
	line, data := 1, []byte(nil)
	for _, t := range f.texts {
		if t.Name == file {
			line, data = max(t.Line, 1), t.Data
			for doc := range documents(line, data) {
				docs = append(docs, &located{document: doc})
			}
		}
	}
	if docs == nil {
		if data, err := f.disk.read(file); err == nil {
			for doc := range documents(1, data) {
				docs = append(docs, &located{document: doc})
			}
		}
	}
	f.files[file] = docs
	return docs
}

// tree parses the document when it is asked for first. Nil is a document that
// cannot be parsed.
func (l *located) tree() *yaml.Node {
	if !l.parsed {
		l.parsed = true
		if root, err := l.parse(); err == nil {
			l.root = root
		}
	}
	return l.root
}

func (f *finder) locate(origin object.Origin, field string) (int, bool) {
	var doc *located
	for _, d := range f.documents(origin.File) {
		if d.line > origin.Line {
			break
		}
		doc = d
	}
	if doc == nil {
		return 0, false
	}
	root := doc.tree()
	if root == nil {
		return 0, false
	}
	if items, ok := listItems(root, headerOf(root)); ok {
		for _, item := range items {
			if doc.line+item.Line-1 <= origin.Line {
				root = item
			}
		}
	}
	line, _ := walk(root, field)
	return doc.line + line - 1, true
}

// walk follows a field path from a node as far as it leads. It returns the
// line, in the document, of where it ends, and whether it led to the end.
//
// The keys of maps may hold dots and slashes, as in
// metadata.annotations[example.com/x.y]; the brackets may be missing. So at
// each mapping the longest key that the rest of the path begins with counts.
func walk(n *yaml.Node, field string) (line int, whole bool) {
	line = n.Line
	for {
		field = strings.TrimPrefix(field, ".")
		if field == "" {
			return line, true
		}
		n = follow(n)
		if n == nil {
			return line, false
		}
		var next *yaml.Node
		switch n.Kind {
		case yaml.SequenceNode:
			next, field = entry(n, field)
			if next != nil {
				line = next.Line
			}
		case yaml.MappingNode:
			var key *yaml.Node
			key, next, field = longestKey(n, field)
			if key != nil {
				line = key.Line
			}
		}
		if next == nil {
			return line, false
		}
		n = next
	}
}

// entry is the element of a sequence that the path's "[i]" names.
func entry(n *yaml.Node, field string) (*yaml.Node, string) {
	number, rest, ok := strings.Cut(strings.TrimPrefix(field, "["), "]")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= len(n.Content) {
		return nil, field
	}
	return n.Content[i], rest
}

// longestKey is the entry of a mapping with the longest key that the path
// begins with, in brackets or followed by a dot, a bracket or the end.
func longestKey(n *yaml.Node, field string) (key, value *yaml.Node, rest string) {
	bare, bracketed := strings.CutPrefix(field, "[")
	best := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		after, ok := strings.CutPrefix(bare, k.Value)
		if !ok || len(k.Value) < best {
			continue
		}
		if bracketed {
			if after, ok = strings.CutPrefix(after, "]"); !ok {
				continue
			}
		}
		if after == "" || after[0] == '.' || after[0] == '[' {
			best, key, value, rest = len(k.Value), k, n.Content[i+1], after
		}
	}
	return key, value, rest
}
