// Package object is the snapshot of everything that users wrote, by kind, in
// the published API types (k8s.io/api, istio.io/client-go).
//
// A Set is what every room downstream reads: the compiler turns it into a
// plan, the checks judge it. It is made once by a Builder and never changes.
// The order in which objects were added leaves no trace in it. Each object
// carries its Ref (who it is) and its Origin (the line to open in an editor).
//
// Istio's kinds are held in the v1 Go types, whichever version a manifest
// names: the versions share one schema.
package object

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultNamespace is where a namespaced object lives that names no namespace.
const DefaultNamespace = "default"

// Ref names an object. Namespace is empty for cluster-scoped kinds.
type Ref struct{ Kind, Namespace, Name string }

// String is "Kind namespace/name", or "Kind name" for cluster-scoped kinds.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// IsZero says whether the Ref names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Compare orders Refs by namespace, name and kind.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(
		cmp.Compare(r.Namespace, o.Namespace),
		cmp.Compare(r.Name, o.Name),
		cmp.Compare(r.Kind, o.Kind),
	)
}

// Origin is where an object was written. Line 1 is the first line of the
// file; 0 means that the line is not known.
type Origin struct {
	File string
	Line int
}

// String is "file:line", or the file alone when the line is not known.
func (o Origin) String() string {
	if o.Line <= 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Item is an object with its name and place. Ref.Namespace is the namespace
// the object lives in, also when the manifest leaves it out (NoNamespace).
// The object must not be changed.
type Item[T metav1.Object] struct {
	Ref         Ref
	Origin      Origin
	NoNamespace bool // namespaced, and metadata.namespace was left out
	// Unread are the fields of a security object that cannot be read, or that the
	// API does not have: whoever enforces it must not take them for left out.
	Unread []string
	Object T
}

// Collection holds the objects of one kind. The zero value is empty.
type Collection[T metav1.Object] struct {
	items []Item[T]         // sorted by namespace, name, kind
	index map[fullName]int  // of the first item with that name
	spans map[string][2]int // namespace → its part of items
}

type fullName struct{ namespace, name string }

// All returns the objects sorted by namespace and name. The slice is shared:
// callers must not change it.
func (c Collection[T]) All() []Item[T] { return c.items }

// Len is the number of objects.
func (c Collection[T]) Len() int { return len(c.items) }

// Get finds an object by name; namespace is empty for cluster-scoped kinds.
// Among workloads of several kinds with one name it finds the first kind.
func (c Collection[T]) Get(namespace, name string) (Item[T], bool) {
	i, ok := c.index[fullName{namespace, name}]
	if !ok {
		return Item[T]{}, false
	}
	return c.items[i], true
}

// In returns the objects of one namespace, sorted by name. The slice is
// shared: callers must not change it.
func (c Collection[T]) In(namespace string) []Item[T] {
	span := c.spans[namespace]
	return c.items[span[0]:span[1]:span[1]]
}

// newCollection sorts and indexes the items of a builder.
func newCollection[T metav1.Object](byRef map[Ref]Item[T]) Collection[T] {
	if len(byRef) == 0 {
		return Collection[T]{}
	}
	c := Collection[T]{
		items: make([]Item[T], 0, len(byRef)),
		index: make(map[fullName]int, len(byRef)),
		spans: make(map[string][2]int),
	}
	for _, item := range byRef {
		c.items = append(c.items, item)
	}
	slices.SortFunc(c.items, func(a, b Item[T]) int { return a.Ref.Compare(b.Ref) })
	for i, item := range c.items {
		key := fullName{item.Ref.Namespace, item.Ref.Name}
		if _, ok := c.index[key]; !ok {
			c.index[key] = i
		}
		span, ok := c.spans[item.Ref.Namespace]
		if !ok {
			span[0] = i
		}
		span[1] = i + 1
		c.spans[item.Ref.Namespace] = span
	}
	return c
}
