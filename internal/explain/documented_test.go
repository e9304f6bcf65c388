package explain

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// Every member of the JSON is in docs/explain.md.
func TestEveryMemberIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/explain.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reflect.Type]bool{}
	var members func(reflect.Type)
	members = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name == "" {
				t.Errorf("%s.%s has no name in JSON", of.Name(), of.Field(i).Name)
			}
			if name != "apiKey" && !strings.Contains(string(page), "`"+name+"`") { // a key is a header
				t.Errorf("docs/explain.md does not name the member %s of %s", name, of.Name())
			}
			members(of.Field(i).Type)
		}
	}
	members(reflect.TypeFor[Explanation]())
	members(reflect.TypeFor[Question]())
	if len(seen) < 10 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
