package source

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// message decodes a mapping into a protobuf message, field by field, as the
// JSON mapping of protobuf has it: a field goes by its JSON name
// (lowerCamelCase) or by its original one.
func (d *decoder) message(n *yaml.Node, m protoreflect.Message) {
	if d.wellKnown(n, m) {
		return
	}
	first, ok := d.open(n)
	if !ok {
		return
	}
	fields := m.Descriptor().Fields()
	for i := first; i < len(d.pairs); i++ {
		p := d.pairs[i]
		at := d.push(p.key)
		fd := fields.ByJSONName(p.key)
		if fd == nil {
			fd = fields.ByTextName(p.key)
		}
		if fd == nil {
			d.unknown(p.keyAt, p.key, fieldNames(fields))
		} else {
			d.field(p, m, fd)
		}
		d.path = d.path[:at]
	}
	d.pairs = d.pairs[:first]
}

// fieldNames lists the JSON names of a message's fields.
func fieldNames(fields protoreflect.FieldDescriptors) []string {
	var names []string
	for i := range fields.Len() {
		names = append(names, fields.Get(i).JSONName())
	}
	slices.Sort(names)
	return names
}

// field decodes the value of one field.
func (d *decoder) field(p pair, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	n := d.enter(p.value)
	defer d.leave()
	if n == nil || isNothing(n) {
		return
	}
	if one := fd.ContainingOneof(); one != nil {
		if other := m.WhichOneof(one); other != nil && other != fd {
			d.refuse(p.keyAt, fmt.Sprintf("%s and %s exclude each other", other.JSONName(), fd.JSONName()), "keep one of them")
			return
		}
	}
	switch {
	case fd.IsMap():
		d.messageMap(n, m, fd)
	case fd.IsList():
		d.messageList(n, m, fd)
	case fd.Message() != nil:
		d.message(n, m.Mutable(fd).Message())
	default:
		if v, ok := d.messageScalar(n, fd); ok {
			m.Set(fd, v)
		}
	}
}

func (d *decoder) messageList(n *yaml.Node, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	if n.Kind != yaml.SequenceNode {
		d.mistyped(n, "a list")
		return
	}
	list := m.Mutable(fd).List()
	if len(n.Content) == 0 && fd.Message() != nil {
		list.AppendMutable() // an empty list is not the same as none
		list.Truncate(0)
	}
	for i, c := range n.Content {
		at := d.pushIndex(i)
		if c = d.enter(c); c != nil {
			if isNothing(c) {
				d.mistyped(c, "a value")
			} else if fd.Message() != nil {
				d.message(c, list.AppendMutable().Message())
			} else if v, ok := d.messageScalar(c, fd); ok {
				list.Append(v)
			}
		}
		d.leave()
		d.path = d.path[:at]
	}
}

func (d *decoder) messageMap(n *yaml.Node, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	first, ok := d.open(n)
	if !ok {
		return
	}
	entries := m.Mutable(fd).Map()
	for i := first; i < len(d.pairs); i++ {
		p := d.pairs[i]
		at := d.pushKey(p.key)
		if c := d.enter(p.value); c != nil {
			key, ok := mapKey(p.key, fd.MapKey().Kind())
			if !ok {
				d.mistyped(p.keyAt, "a number as key")
			} else if isNothing(c) {
				d.mistyped(c, "a value")
			} else if fd.MapValue().Message() != nil {
				d.message(c, entries.Mutable(key).Message())
			} else if v, ok := d.messageScalar(c, fd.MapValue()); ok {
				entries.Set(key, v)
			}
		}
		d.leave()
		d.path = d.path[:at]
	}
	d.pairs = d.pairs[:first]
}

// mapKey is the key of a map: a string, or a number such as a port.
func mapKey(key string, kind protoreflect.Kind) (k protoreflect.MapKey, ok bool) {
	switch kind {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(key).MapKey(), true
	case protoreflect.Uint32Kind:
		u, err := strconv.ParseUint(key, 10, 32)
		return protoreflect.ValueOfUint32(uint32(u)).MapKey(), err == nil
	case protoreflect.Int32Kind:
		i, err := strconv.ParseInt(key, 10, 32)
		return protoreflect.ValueOfInt32(int32(i)).MapKey(), err == nil
	}
	return k, false
}

// messageScalar decodes a scalar of a message's field.
func (d *decoder) messageScalar(n *yaml.Node, fd protoreflect.FieldDescriptor) (v protoreflect.Value, ok bool) {
	var s scalar
	if n.Kind == yaml.ScalarNode {
		s = read(n)
	}
	scalarNode := n.Kind == yaml.ScalarNode
	switch fd.Kind() {
	case protoreflect.StringKind:
		text, ok := d.text(n)
		return protoreflect.ValueOfString(text), ok
	case protoreflect.BytesKind:
		text, ok := d.text(n)
		if !ok {
			return v, false
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			d.refuse(n, "a value in base64 is wanted", "encode it with base64")
			return v, false
		}
		return protoreflect.ValueOfBytes(data), true
	case protoreflect.BoolKind:
		if scalarNode && s.kind == isBool {
			return protoreflect.ValueOfBool(s.truth), true
		}
		d.mistyped(n, "true or false")
	case protoreflect.EnumKind:
		return d.enum(n, s, fd)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if f, ok := s.number(); ok && scalarNode {
			if fd.Kind() == protoreflect.FloatKind {
				return protoreflect.ValueOfFloat32(float32(f)), true
			}
			return protoreflect.ValueOfFloat64(f), true
		}
		d.mistyped(n, "a number")
	default:
		return d.messageInteger(n, s, fd.Kind())
	}
	return v, false
}

func (d *decoder) messageInteger(n *yaml.Node, s scalar, kind protoreflect.Kind) (v protoreflect.Value, ok bool) {
	if n.Kind != yaml.ScalarNode {
		d.mistyped(n, "a whole number")
		return v, false
	}
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		if i, ok := s.integer(); ok && i >= math.MinInt32 && i <= math.MaxInt32 {
			return protoreflect.ValueOfInt32(int32(i)), true
		}
		d.mistyped(n, "a whole number")
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		if i, ok := s.integer(); ok {
			return protoreflect.ValueOfInt64(i), true
		}
		d.mistyped(n, "a whole number")
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		if u, ok := s.unsigned(); ok && u <= math.MaxUint32 {
			return protoreflect.ValueOfUint32(uint32(u)), true
		}
		d.mistyped(n, "a whole number of zero or more")
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		if u, ok := s.unsigned(); ok {
			return protoreflect.ValueOfUint64(u), true
		}
		d.mistyped(n, "a whole number of zero or more")
	}
	return v, false
}

// enum decodes the name of an enumeration's value.
func (d *decoder) enum(n *yaml.Node, s scalar, fd protoreflect.FieldDescriptor) (v protoreflect.Value, ok bool) {
	values := fd.Enum().Values()
	if n.Kind == yaml.ScalarNode {
		switch s.kind {
		case isInt:
			if e := values.ByNumber(protoreflect.EnumNumber(s.whole)); e != nil && s.big == 0 && s.whole == int64(e.Number()) {
				return protoreflect.ValueOfEnum(e.Number()), true
			}
		case isString, isBool: // ON and OFF look like booleans
			if e := values.ByName(protoreflect.Name(s.text)); e != nil {
				return protoreflect.ValueOfEnum(e.Number()), true
			}
		}
	}
	var names []string
	for i := range values.Len() {
		names = append(names, string(values.Get(i).Name()))
	}
	if n.Kind != yaml.ScalarNode {
		d.mistyped(n, "one of "+strings.Join(names, ", "))
		return v, false
	}
	d.notAValue(n, s.text, names)
	return v, false
}

// wellKnown decodes the messages that have a JSON form of their own:
// durations, times, wrapped scalars and free-form values.
func (d *decoder) wellKnown(n *yaml.Node, m protoreflect.Message) bool {
	desc := m.Descriptor()
	name, ok := strings.CutPrefix(string(desc.FullName()), "google.protobuf.")
	if !ok {
		return false
	}
	switch name {
	case "Duration":
		d.duration(n, m)
	case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue":
		fd := desc.Fields().ByName("value")
		if v, ok := d.messageScalar(n, fd); ok {
			m.Set(fd, v)
		}
	default: // Timestamp, Struct, Value, ListValue, Any, Empty, FieldMask
		data, ok := d.json(nil, n)
		if !ok {
			break
		}
		if err := protojson.Unmarshal(data, m.Interface()); err != nil {
			d.mistyped(n, "a value of type "+name)
		}
	}
	return true
}

// duration decodes what Istio takes for a duration: numbers with units.
func (d *decoder) duration(n *yaml.Node, m protoreflect.Message) {
	var text string
	if n.Kind == yaml.ScalarNode {
		if s := read(n); s.kind == isString {
			text = s.text
		}
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		d.mistyped(n, "a duration such as 30s, 1m30s or 500ms")
		return
	}
	fields := m.Descriptor().Fields()
	m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(int64(v/time.Second)))
	m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(v%time.Second)))
}
