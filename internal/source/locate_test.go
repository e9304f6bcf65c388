package source

import (
	"testing"
	"testing/fstest"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

const located1 = `# first
apiVersion: v1
kind: Service
metadata:
  name: a
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: v
  annotations:
    example.com/x: a
    example.com/x.y: b
spec:
  http:
  - match:
    - uri: {prefix: /a}
    - uri:
        exact: /b
  - route:
    - destination:
        host: c
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: b}
- apiVersion: v1
  kind: Service
  metadata: {name: c}
  spec:
    ports: []
`

func TestLocate(t *testing.T) {
	opts := Options{FS: fstest.MapFS{"x/a.yaml": {Data: []byte(located1)}}, Texts: []Text{{Name: "case.txt", Line: 100, Data: []byte(located1)}}}
	for _, c := range []struct {
		object int
		field  string
		want   int
	}{
		{2, "metadata.name", 5},
		{2, "", 2},
		{7, "kind", 8},
		{7, "spec.http[0]", 16},
		{7, "spec.http[0].match[0].uri.prefix", 17},
		{7, "spec.http[0].match[1].uri.exact", 19},
		{7, "spec.http[1].route[0].destination.host", 22},
		{7, "spec.http[1].route[0].destination.port.number", 21}, // as far as it leads
		{7, "spec.http[9].route", 15},
		{7, "spec.gateways", 14},
		{7, "metadata.annotations[example.com/x.y]", 13},
		{7, "metadata.annotations.example.com/x.y", 13},
		{7, "metadata.annotations[example.com/x]", 12},
		{27, "metadata.name", 29},
		{30, "spec.ports", 34},
	} {
		if got, ok := opts.Locate(object.Origin{File: "x/a.yaml", Line: c.object}, c.field); !ok || got != c.want {
			t.Errorf("line %d, %s: got %d, %v, want %d", c.object, c.field, got, ok, c.want)
		}
		if got, ok := opts.Locate(object.Origin{File: "case.txt", Line: c.object + 99}, c.field); !ok || got != c.want+99 {
			t.Errorf("in a text: line %d, %s: got %d, %v, want %d", c.object+99, c.field, got, ok, c.want+99)
		}
	}
	if _, ok := opts.Locate(object.Origin{File: "nowhere.yaml", Line: 1}, "spec"); ok {
		t.Error("found a field in a file that does not exist")
	}
}

func TestPoint(t *testing.T) {
	opts := Options{FS: fstest.MapFS{"a.yaml": {Data: []byte(located1)}}}
	problems := problem.List{
		{File: "a.yaml", Line: 7, Field: "spec.http[1].route[0]"},
		{File: "a.yaml", Line: 7},
		{File: "gone.yaml", Line: 7, Field: "spec"},
		{Field: "spec"},
		{File: "a.yaml", Line: 19, Field: "spec.http[0].match[1].uri.exact"}, // right already
	}
	opts.Point(problems)
	for i, want := range []int{21, 7, 7, 0, 19} {
		if problems[i].Line != want {
			t.Errorf("problem %d: got line %d, want %d", i, problems[i].Line, want)
		}
	}
}
