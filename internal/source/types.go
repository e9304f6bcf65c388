package source

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// form is the way in which values of a type are written.
type form uint8

const (
	formScalar form = iota
	formPointer
	formStruct
	formMap
	formList
	formBytes   // base64
	formMessage // a protobuf message: Istio's
	formJSON    // reads its own JSON
	formSkip    // not read
)

// typeInfo is what decoding needs to know of a Go type.
type typeInfo struct {
	form   form
	fields map[string][]int // formStruct: JSON name → index for FieldByIndex
	names  []string         // of the fields, sorted
	values []string         // of a string type that has only these
}

// types remembers what was learned of the types met so far.
type types struct {
	seen map[reflect.Type]*typeInfo
	// values are the string types of Kubernetes whose values the API server checks.
	values map[reflect.Type][]string
}

func newTypes() *types {
	return &types{
		seen: make(map[reflect.Type]*typeInfo),
		values: map[reflect.Type][]string{
			reflect.TypeFor[corev1.Protocol]():              {"TCP", "UDP", "SCTP"},
			reflect.TypeFor[corev1.ServiceType]():           {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"},
			reflect.TypeFor[corev1.ServiceAffinity]():       {"None", "ClientIP"},
			reflect.TypeFor[corev1.RestartPolicy]():         {"Always", "OnFailure", "Never"},
			reflect.TypeFor[netv1.PathType]():               {"Exact", "Prefix", "ImplementationSpecific"},
			reflect.TypeFor[discoveryv1.AddressType]():      {"IPv4", "IPv6", "FQDN"},
			reflect.TypeFor[corev1.IPFamily]():              {"IPv4", "IPv6"},
			reflect.TypeFor[metav1.LabelSelectorOperator](): {"In", "NotIn", "Exists", "DoesNotExist"},
		},
	}
}

// of describes a type.
func (ts *types) of(t reflect.Type) *typeInfo {
	if info, ok := ts.seen[t]; ok {
		return info
	}
	info := &typeInfo{form: formOf(t), values: ts.values[t]}
	if info.form == formStruct {
		info.fields = make(map[string][]int)
		addFields(info.fields, t, nil)
		for name := range info.fields {
			info.names = append(info.names, name)
		}
		slices.Sort(info.names)
	}
	ts.seen[t] = info
	return info
}

func formOf(t reflect.Type) form {
	pointer := reflect.PointerTo(t)
	switch {
	case t.Kind() == reflect.Pointer:
		return formPointer
	case t == reflect.TypeFor[[]metav1.ManagedFieldsEntry]():
		return formSkip // large, and of no interest
	case pointer.Implements(reflect.TypeFor[proto.Message]()):
		return formMessage
	case pointer.Implements(reflect.TypeFor[json.Unmarshaler]()):
		return formJSON
	}
	switch t.Kind() {
	case reflect.Struct:
		return formStruct
	case reflect.Map:
		return formMap
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return formBytes
		}
		return formList
	}
	return formScalar
}

// addFields notes the JSON names of a struct's fields, those of embedded
// structs included.
func addFields(into map[string][]int, t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(slices.Clone(prefix), i)
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			addFields(into, f.Type, index)
		case name == "":
			into[f.Name] = index
		default:
			into[name] = index
		}
	}
}
