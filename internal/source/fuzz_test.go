package source

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
)

// Whatever a file holds, reading it ends, with a Set or a reason, and every
// problem leads to a line of the file.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(valid + located1))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("&a {apiVersion: v1, kind: List, items: [*a]}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Service\nmetadata: &m {name: s, labels: *m}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Service\nmetadata: {<<: [{name: s}, {name: t}], ? [a]: b, 1: 2, !!binary eA==: c}\nspec: !!map {ports: [{port: 0x50, targetPort: 1.5}]}\n"))
	f.Add([]byte("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s}\nspec: {http: [{timeout: 1s, match: [{uri: {exact: a}, headers: {x: {regex: .*}}}], retries: {attempts: -1}, fault: {delay: {percentage: {value: .inf}}}}]}\n"))
	f.Add([]byte("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: s}\nspec: {portLevelMtls: {-1: {mode: 2}, 80: {mode: off}}}\nstatus: {x: [}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s, creationTimestamp: x}\ndata: {a: =}\n"))
	f.Add([]byte("--- # x\n%YAML 1.1\n---\n{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"spec\": {\"template\": {\"spec\": {\"containers\": [{\"resources\": {\"limits\": {\"cpu\": \"1x\"}}}]}}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			return
		}
		opts := Options{Texts: []Text{{Name: "a.yaml", Data: data}}}
		set, problems, err := Load(t.Context(), opts)
		if err == nil && set == nil {
			t.Fatal("neither a Set nor an error")
		}
		lines := 2
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // YAML 1.1 ends lines with all of them
			lines += bytes.Count(data, []byte(end))
		}
		for _, p := range problems {
			if p.File != "a.yaml" || p.Line < 1 || p.Line > lines || p.Message == "" || p.Object == "" {
				t.Errorf("a problem without its place: %+v", p)
			}
		}
		opts.Point(problems)
	})
}

// A kustomization file is read before kustomize checks it.
func FuzzReferences(f *testing.F) {
	for _, file := range platform() {
		f.Add(file.Data)
	}
	f.Add([]byte("resources: &a [*a, '.', '../..', a=b]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"base/kustomization.yaml": {Data: data}, "base/a.yaml": {Data: data}}
		refs, err := disk{fsys: fsys}.references("base")
		if err == nil && !refs.files["base/kustomization.yaml"] {
			t.Error("the kustomization itself is missing")
		}
	})
}

// Aliases that multiply must cost one document, soon.
func TestBombs(t *testing.T) {
	laughs := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na: &a0 {x: y}\n"
	var b strings.Builder
	b.WriteString("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: bomb\n  annotations: {a: &a0 [x, x, x, x, x, x, x, x, x, x]")
	for i := range 9 {
		ref := "*a" + string(rune('0'+i))
		b.WriteString(", b" + string(rune('0'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat(ref+", ", 9) + ref + "]")
	}
	b.WriteString("}\nspec:\n  http: *a9\n")
	routes := "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: bomb}\nspec: {http: [{route: &r [" + strings.Repeat("{weight: 1}, ", 1000) + "]}, " + strings.Repeat("{route: *r}, ", 100_000) + "]}\n"
	for name, text := range map[string]string{
		"laughs":      laughs,
		"lists":       b.String(),
		"wide":        routes,
		"deep flow":   "apiVersion: v1\nkind: Service\nmetadata: {name: bomb}\nspec: " + strings.Repeat("[", 9000) + "\n",
		"deep fields": "apiVersion: v1\nkind: Pod\nmetadata: {name: bomb}\nspec: &s {containers: [{x: 1}], initContainers: *s}\n",
		"itself":      "&a {apiVersion: v1, kind: List, items: [*a, *a, *a]}\n",
		"merge":       "apiVersion: v1\nkind: Service\nmetadata: &m {<<: *m, name: bomb}\n",
	} {
		t.Run(name, func(t *testing.T) {
			set, problems := load(t, text+valid)
			if set.Services.Len() != 1 {
				t.Errorf("got %d Services, want the one of the next document", set.Services.Len())
			}
			if len(problems) == 0 {
				t.Error("nothing was said about it")
			}
		})
	}
}
