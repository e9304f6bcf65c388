package v1alpha1

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The CRD has the fields of the Go type, no more and no fewer, and docs/apikeys.md
// names them all.
func TestTheCRDOfAPIKeySetHasItsFields(t *testing.T) {
	data, err := os.ReadFile("../../deploy/crds/apikeysets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/apikeys.md")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties map[string]*schema
		Items      *schema
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(data, &crd); err != nil || len(crd.Spec.Versions) != 1 {
		t.Fatalf("%v; %d versions, want 1", err, len(crd.Spec.Versions))
	}
	var compare func(at string, typ reflect.Type, s *schema)
	compare = func(at string, typ reflect.Type, s *schema) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			if typ.Kind() == reflect.Slice && s != nil {
				s = s.Items
			}
			typ = typ.Elem()
		}
		message := reflect.PointerTo(typ).Implements(reflect.TypeFor[proto.Message]())
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[metav1.Time]() || message {
			return
		}
		var fields []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
			var below *schema
			if s != nil {
				below = s.Properties[name]
			}
			if below == nil {
				t.Errorf("the CRD has no field %s.%s", at, name)
			}
			if !strings.Contains(string(docs), "."+name) {
				t.Errorf("docs/apikeys.md does not name %s.%s", at, name)
			}
			compare(at+"."+name, typ.Field(i).Type, below)
		}
		if s == nil {
			return
		}
		for name := range s.Properties {
			if !slices.Contains(fields, name) {
				t.Errorf("the CRD has a field %s.%s, and the type has not", at, name)
			}
		}
	}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	compare("spec", reflect.TypeFor[APIKeySetSpec](), spec)
}
