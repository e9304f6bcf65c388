package source

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/doorward/doorward/internal/problem"
)

const (
	// maxDepth bounds the nesting in one object.
	maxDepth = 64
	// spareNodes bounds what aliases can make of a document: the nodes read,
	// those behind an alias each time, may outnumber its bytes by so many.
	spareNodes = 100_000
)

// decoder turns the tree of one object into a Go value, and notes what does
// not fit. What it notes is already in terms of lines and fields.
type decoder struct {
	types    *types
	place    func(n *yaml.Node, field string) (file string, line int)
	object   string // for problems
	problems problem.List

	path   []byte // the field at hand
	pairs  []pair // of all mappings being read, innermost last
	depth  int
	budget *int // of nodes that may still be read in the document
	quiet  bool // inside of status, which is the cluster's business, or where only a part is read
	broken bool // the API server would refuse the object
}

// pair is an entry of a mapping.
type pair struct {
	key   string
	keyAt *yaml.Node
	value *yaml.Node
}

// decode fills out, a pointer to an API type. It returns false when the
// object must not be used.
func (d *decoder) decode(root *yaml.Node, out any) bool {
	d.value(root, reflect.ValueOf(out).Elem())
	return !d.broken
}

// enter counts a node against the limits and follows aliases. It returns nil
// when the node must not be read.
func (d *decoder) enter(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	*d.budget--
	d.depth++
	if n == nil || *d.budget < 0 || d.depth > maxDepth {
		if !d.broken {
			d.broken = true
			p := problem.New(problem.DocumentInvalid)
			p.Message = fmt.Sprintf("the object is left out: it is nested more than %d deep, or its aliases multiply without end", maxDepth)
			p.Remedy = "write it without so many aliases (&name, *name)"
			d.report(n, p)
		}
		return nil
	}
	return n
}

func (d *decoder) leave() { d.depth-- }

// value decodes a node into a settable value of a Kubernetes API type.
func (d *decoder) value(n *yaml.Node, v reflect.Value) {
	n = d.enter(n)
	defer d.leave()
	if n == nil {
		return
	}
	if isNothing(n) {
		return // as in JSON, null leaves the field as it is
	}
	t := d.types.of(v.Type())
	switch t.form {
	case formMessage:
		d.message(n, v.Addr().Interface().(proto.Message).ProtoReflect())
	case formJSON:
		d.custom(n, v)
	case formPointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem())
		v.Set(p)
	case formStruct:
		d.structure(n, v, t)
	case formMap:
		d.mapping(n, v)
	case formList:
		d.list(n, v)
	case formBytes:
		d.bytes(n, v)
	case formSkip:
	default:
		d.scalar(n, v, t)
	}
}

// structure decodes a mapping into a struct, field by field.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, t *typeInfo) {
	first, ok := d.open(n)
	if !ok {
		return
	}
	for i := first; i < len(d.pairs); i++ {
		p := d.pairs[i]
		at := d.push(p.key)
		if f, ok := t.fields[p.key]; ok {
			quiet := d.quiet
			d.quiet = quiet || d.depth == 1 && p.key == "status"
			d.value(p.value, v.FieldByIndex(f))
			d.quiet = quiet
		} else {
			d.unknown(p.keyAt, p.key, t.names)
		}
		d.path = d.path[:at]
	}
	d.pairs = d.pairs[:first]
}

// mapping decodes a mapping into a Go map with keys of a string type.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value) {
	first, ok := d.open(n)
	if !ok {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(d.pairs)-first)
	elem := reflect.New(v.Type().Elem()).Elem()
	for i := first; i < len(d.pairs); i++ {
		p := d.pairs[i]
		at := d.pushKey(p.key)
		elem.SetZero()
		d.value(p.value, elem)
		key := reflect.ValueOf(p.key)
		if kt := v.Type().Key(); key.Type() != kt {
			key = key.Convert(kt)
		}
		m.SetMapIndex(key, elem)
		d.path = d.path[:at]
	}
	v.Set(m)
	d.pairs = d.pairs[:first]
}

// list decodes a sequence into a slice.
func (d *decoder) list(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.mistyped(n, "a list")
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		at := d.pushIndex(i)
		if isNothing(c) {
			d.mistyped(c, "a value")
		} else {
			d.value(c, s.Index(i))
		}
		d.path = d.path[:at]
	}
	v.Set(s)
}

// custom decodes a node into a type that reads its own JSON: times,
// quantities, numbers that may be names.
func (d *decoder) custom(n *yaml.Node, v reflect.Value) {
	data, ok := d.json(nil, n)
	if !ok {
		return
	}
	if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(data); err != nil {
		d.mistyped(n, customForm(v.Type()))
	}
}

// customForm names what a type with its own JSON wants.
func customForm(t reflect.Type) string {
	switch t.Name() {
	case "IntOrString":
		return "a number or a name"
	case "Quantity":
		return "a quantity such as 100m or 64Mi"
	case "Time", "MicroTime":
		return "a time such as 2006-01-02T15:04:05Z"
	}
	return "a value of type " + t.Name()
}

// bytes decodes base64.
func (d *decoder) bytes(n *yaml.Node, v reflect.Value) {
	s, ok := d.text(n)
	if !ok {
		return
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		d.refuse(n, "a value in base64 is wanted, and "+read(n).String()+" is not", "encode it with base64, or put it under stringData as it is")
		return
	}
	v.SetBytes(data)
}

// text is the value of a scalar node that must be a string.
func (d *decoder) text(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.ScalarNode {
		if s := read(n); s.kind == isString {
			return s.text, true
		}
	}
	d.mistyped(n, "a string")
	return "", false
}

// scalar decodes strings, booleans and numbers.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, t *typeInfo) {
	if v.Kind() == reflect.String {
		s, ok := d.text(n)
		if !ok {
			return
		}
		if t.values != nil && s != "" && !contains(t.values, s) {
			d.notAValue(n, s, t.values)
			return
		}
		v.SetString(s)
		return
	}
	var s scalar
	if n.Kind == yaml.ScalarNode {
		s = read(n)
	}
	switch v.Kind() {
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || s.kind != isBool {
			d.mistyped(n, "true or false")
			return
		}
		v.SetBool(s.truth)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, ok := s.integer()
		if n.Kind != yaml.ScalarNode || !ok || v.OverflowInt(i) {
			d.mistyped(n, "a whole number")
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, ok := s.unsigned()
		if n.Kind != yaml.ScalarNode || !ok || v.OverflowUint(u) {
			d.mistyped(n, "a whole number of zero or more")
			return
		}
		v.SetUint(u)
	case reflect.Float32, reflect.Float64:
		f, ok := s.number()
		if n.Kind != yaml.ScalarNode || !ok {
			d.mistyped(n, "a number")
			return
		}
		v.SetFloat(f)
	default:
		d.mistyped(n, "a "+v.Kind().String())
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func isNothing(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&^yaml.TaggedStyle == 0 && read(n).kind == isNull
}

// push appends a field's name to the path and returns the length to go back to.
func (d *decoder) push(name string) int {
	at := len(d.path)
	if at > 0 {
		d.path = append(d.path, '.')
	}
	d.path = append(d.path, name...)
	return at
}

// pushKey appends the key of a map: in brackets if it would look like fields.
func (d *decoder) pushKey(key string) int {
	for i := range len(key) {
		switch key[i] {
		case '.', '[', ']', ' ', '/':
			at := len(d.path)
			d.path = append(d.path, '[')
			d.path = append(d.path, key...)
			d.path = append(d.path, ']')
			return at
		}
	}
	return d.push(key)
}

func (d *decoder) pushIndex(i int) int {
	at := len(d.path)
	d.path = append(d.path, '[')
	d.path = strconv.AppendInt(d.path, int64(i), 10)
	d.path = append(d.path, ']')
	return at
}
