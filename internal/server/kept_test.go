package server

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/source"
)

// What a load keeps of the files, no plan and no check writes into: the objects of the
// examples are the same, to the byte, when the plan of one load was made from them.
func TestLoadLeavesObjectsAlone(t *testing.T) {
	files, err := filepath.Glob("../../examples/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	loaded := 0
	for _, dir := range files {
		m := Manifests{Source: source.Options{Files: []string{dir}, Kept: new(source.Kept)}, Compile: compile.Options{}}
		set, _, err := source.Load(t.Context(), m.Source)
		if err != nil {
			continue // no manifests in it
		}
		loaded++
		before, err := json.Marshal(objects(set))
		if err != nil {
			t.Fatal(err)
		}
		first, err := m.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		after, err := json.Marshal(objects(set))
		if err != nil {
			t.Fatal(err)
		}
		if string(before) != string(after) {
			t.Errorf("%s: the load wrote into its objects", dir)
		}
		second, err := m.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(first.Problems)
		b, _ := json.Marshal(second.Problems)
		if string(a) != string(b) || first.Objects != second.Objects {
			t.Errorf("%s: the problems change from load to load:\n%s\n%s", dir, a, b)
		}
	}
	if loaded < 2 {
		t.Errorf("only %d examples hold manifests", loaded)
	}
}

// objects is everything in a Set that is a list.
func objects(set *object.Set) []any {
	var all []any
	v := reflect.ValueOf(set).Elem()
	for i := range v.NumField() {
		if m := v.Field(i).MethodByName("All"); m.IsValid() {
			all = append(all, m.Call(nil)[0].Interface())
		}
	}
	return all
}
