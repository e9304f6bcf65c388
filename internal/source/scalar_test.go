package source

import (
	"encoding/json"
	"math"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// What a scalar means must be what kubectl makes of it.
func TestScalarsAreKubectls(t *testing.T) {
	for _, text := range []string{
		"a", "yes", "Yes", "NO", "y", "N", "on", "Off", "oN", "true", "TRUE", "False", "fALSE", "null", "Null", "~", "''", `"yes"`,
		"0", "1", "-1", "+1", "007", "0o7", "08", "0x1F", "0b101", "-0b1", "1_000", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"1.5", "1.", ".5", "-.5", "1e3", "1E-3", "1e", "e1", ".", "+", "--1", "1.2.3", "1..2", "+.5e+1", "1_0.5", ".1e3", ".e3",
		"2001-01-01", "2001-01-01T00:00:00Z", "12:30:45", "1:30", "10.0.0.1", "0.1.2", "5s", "100m", "v1", "8080/tcp", "0x", "0xg", "_1", "1_",
		"!!str 1", "!!str yes", "nan", ".nan", ".inf", "no-thing", "offline", "10.0.0.0/8",
	} {
		var tree yaml.Node
		if err := yaml.Unmarshal([]byte("- "+text+"\n"), &tree); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := string(read(tree.Content[0].Content[0]).json(nil))
		data, err := sigsyaml.YAMLToJSON([]byte("- " + text + "\n"))
		if err != nil {
			if s := read(tree.Content[0].Content[0]); s.kind == isFloat && (math.IsNaN(s.float) || math.IsInf(s.float, 0)) {
				continue // JSON has no such number
			}
			t.Errorf("%s: kubectl refuses it (%v), and here it is %s", text, err, got)
			continue
		}
		var want, have any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte("["+got+"]"), &have); err != nil {
			t.Errorf("%s: not JSON: %s", text, got)
			continue
		}
		if w, h := want.([]any)[0], have.([]any)[0]; w != h {
			t.Errorf("%s: got %v (%s), kubectl has %v", text, h, got, w)
		}
	}
}
