package source

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/object"
)

// texts are files that a random change writes: what they hold collides, lacks a
// namespace, is not YAML, is a test, or is not read at all.
func texts(random *rand.Rand) string {
	namespace := []string{"", ", namespace: default", ", namespace: a", ", namespace: b"}[random.IntN(4)]
	meta := fmt.Sprintf("metadata: {name: n%d%s}\n", random.IntN(3), namespace)
	document := func() string {
		switch random.IntN(11) {
		case 0:
			return "apiVersion: v1\nkind: Service\n" + meta + fmt.Sprintf("spec: {ports: [{port: %d}]}\n", 80+random.IntN(2))
		case 1:
			return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" + meta + "spec: {acton: DENY}\n"
		case 2:
			return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: n1\nspec: [\n"
		case 3:
			return "apiVersion: v1\nkind: Namespace\n" + meta
		case 4:
			return "apiVersion: v1\nkind: Pod\n" + meta + "spec: {containers: [{name: c}]}\n"
		case 5:
			return "apiVersion: apps/v1\nkind: Deployment\n" + meta
		case 6:
			return "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n" + meta
		case 7:
			return "apiVersion: v1\nkind: Secret\n" + meta + "stringData: {a: b}\n"
		case 8:
			return "tests: []\n"
		case 9:
			return "apiVersion: v1\nkind: ServiceList\nitems:\n- {metadata: {name: n0}}\n- {metadata: {name: n1, namespace: a}}\n"
		}
		return "no: object\n"
	}
	return document() + "---\n" + document()
}

// items is everything in a Set, with places.
func items(set *object.Set) string {
	if set == nil {
		return "nothing"
	}
	var out strings.Builder
	v := reflect.ValueOf(set).Elem()
	for i := range v.NumField() {
		all := v.Field(i).MethodByName("All")
		if !all.IsValid() {
			continue
		}
		list := all.Call(nil)[0]
		for j := range list.Len() {
			item := list.Index(j)
			fmt.Fprintln(&out, item.FieldByName("Ref"), item.FieldByName("Origin"), item.FieldByName("NoNamespace"), item.FieldByName("Unread"))
		}
	}
	return out.String()
}

// After any changes, a load with what is kept is as one that starts anew.
func TestKept(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	name := func() string {
		return filepath.Join(dir, []string{"a.yaml", "b.yaml", "c_test.yaml", "sub/a.yaml", "kustomization.yaml"}[random.IntN(5)])
	}
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	kept := new(Kept)
	for step := range 600 {
		switch file := name(); random.IntN(4) {
		case 0:
			_ = os.Remove(file)
		case 1:
			_ = os.Rename(file, name())
		default:
			must(t, os.WriteFile(file, []byte(texts(random)), 0o600))
		}
		opts := Options{Files: []string{dir}, Texts: []Text{{Name: "text", Data: []byte(texts(random))}}}
		if named := name(); random.IntN(3) == 0 {
			if _, err := os.Stat(named); err == nil {
				opts.Files = []string{named, dir}
			}
		}
		if random.IntN(4) == 0 {
			opts.Edited = map[string][]byte{filepath.Join(dir, "a.yaml"): []byte(texts(random))}
		}
		want, wantProblems, wantErr := Load(t.Context(), opts)
		opts.Kept = kept
		got, problems, err := Load(t.Context(), opts)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(problems, wantProblems) {
			t.Fatalf("step %d: %v %v, want %v %v", step, err, problems, wantErr, wantProblems)
		}
		if items(got) != items(want) {
			t.Fatalf("step %d: the Sets differ:\n%s\nwant\n%s", step, items(got), items(want))
		}
		if got != nil && contents(t, got) != contents(t, want) {
			t.Fatalf("step %d: the Sets differ:\n%s\nwant\n%s", step, contents(t, got), contents(t, want))
		}
		for f := range kept.files {
			if _, err := os.Stat(f.name); err != nil {
				t.Fatalf("step %d: %s is gone, and kept", step, f.name)
			}
		}
	}
}

// What did not change is not decoded again.
func TestKeptIsUsed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, port string) {
		must(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte("apiVersion: v1\nkind: Service\nmetadata: {name: "+name+", namespace: ns}\nspec: {ports: [{port: "+port+"}]}\n"), 0o600))
	}
	write("same", "80")
	write("other", "80")
	opts := Options{Files: []string{dir}, Kept: new(Kept)}
	before, _, err := Load(t.Context(), opts)
	must(t, err)
	write("other", "81")
	after, _, err := Load(t.Context(), opts)
	must(t, err)
	for name, want := range map[string]bool{"same": true, "other": false} {
		a, _ := before.Services.Get("ns", name)
		b, _ := after.Services.Get("ns", name)
		if (a.Object == b.Object) != want {
			t.Errorf("%s is the same object: %v, want %v", name, !want, want)
		}
	}
}
