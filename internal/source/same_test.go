package source

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/doorward/doorward/internal/object"
)

// contents is everything in a Set without its origins, as JSON.
func contents(t testing.TB, set *object.Set) string {
	t.Helper()
	var out bytes.Buffer
	v := reflect.ValueOf(set).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		all := field.MethodByName("All")
		if !all.IsValid() {
			data, err := json.Marshal(field.Interface())
			must(t, err)
			out.Write(append(data, '\n'))
			continue
		}
		items := all.Call(nil)[0]
		for j := range items.Len() {
			item := items.Index(j)
			data, err := json.Marshal([]any{item.FieldByName("Ref").Interface(), item.FieldByName("Object").Interface()})
			must(t, err)
			out.Write(append(data, '\n'))
		}
	}
	return out.String()
}

// The same documents in any order make the same Set.
func TestShuffled(t *testing.T) {
	data, err := os.ReadFile(kubeflow(t, "rendered-networking.yaml"))
	must(t, err)
	var docs [][]byte
	for doc := range documents(1, data) {
		text := slices.Clone(doc.text)
		if !isSeparator(text) {
			text = append([]byte("---\n"), text...)
		}
		docs = append(docs, text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var want string
	for i := range 4 {
		set, _ := load(t, string(bytes.Join(docs, nil)))
		got := contents(t, set)
		if i == 0 {
			want = got
		} else if got != want {
			t.Fatalf("shuffle %d made another Set", i)
		}
		random.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	}
}

// Decoding from the tree gives what the published types make of the JSON that
// kubectl sends.
func TestDecodesAsJSON(t *testing.T) {
	data, err := os.ReadFile(kubeflow(t, "rendered-networking.yaml"))
	must(t, err)
	r := newReader()
	compared := 0
	for doc := range documents(1, data) {
		root, err := doc.parse()
		must(t, err)
		h := headerOf(root)
		k, ok := r.catalogue.find(h.apiVersion, h.kind)
		if !ok {
			continue
		}
		got, want := k.make(), k.make()
		budget := len(doc.text)
		d := decoder{types: r.types, place: func(*yaml.Node, string) (string, int) { return "", 0 }, budget: &budget}
		if !d.decode(root, got) {
			t.Fatalf("%v: %v", h, d.problems)
		}
		asJSON, err := sigsyaml.YAMLToJSON(doc.text)
		must(t, err)
		must(t, json.Unmarshal(asJSON, want))
		if !equal(got, want) {
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			t.Errorf("%s %s/%s:\ngot  %s\nwant %s", h.kind, h.namespace, h.name, a, b)
		}
		compared++
	}
	if compared < 100 {
		t.Errorf("compared only %d objects", compared)
	}
}

// equal compares two objects: messages as messages, the rest field by field.
func equal(a, b any) bool {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		p, q := x.Field(i).Addr().Interface(), y.Field(i).Addr().Interface()
		if m, ok := p.(proto.Message); ok {
			if !proto.Equal(m, q.(proto.Message)) {
				return false
			}
		} else if !reflect.DeepEqual(p, q) {
			return false
		}
	}
	return true
}
