package v1alpha1

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const loginProviders = "../../deploy/crds/loginproviders.yaml"

// schema is the part of a CRD's schema that has a Go form.
type schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
}

// The CRD has the fields of the Go type, and no others.
func TestCRDHasTheFieldsOfTheType(t *testing.T) {
	data, err := os.ReadFile(loginProviders)
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	compare(t, "spec", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], reflect.TypeFor[LoginProviderSpec]())
}

func compare(t *testing.T, at string, s schema, of reflect.Type) {
	t.Helper()
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Struct: "object"}
	want := kinds[of.Kind()]
	if of == reflect.TypeFor[metav1.Duration]() {
		want = "string"
	}
	if s.Type != want {
		t.Errorf("%s: type %q, want %q", at, s.Type, want)
	}
	if want != "object" {
		return
	}
	left := maps.Clone(s.Properties)
	for i := range of.NumField() {
		name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		field, ok := s.Properties[name]
		if !ok {
			t.Errorf("%s has no %s", at, name)
			continue
		}
		delete(left, name)
		if required := options == ""; required != slices.Contains(s.Required, name) {
			t.Errorf("%s.%s: required is %v in Go, and not in the CRD", at, name, required)
		}
		compare(t, at+"."+name, field, of.Field(i).Type)
	}
	for name := range left {
		t.Errorf("%s has %s, which the type has not", at, name)
	}
}
