package source

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// platform is a kustomization with all that they are made of.
func platform() fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"base/kustomization.yaml": "resources:\n- ns.yaml\n- app.yaml\n",
		"base/ns.yaml":            "# the namespace\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: myapp\n",
		"base/app.yaml": `apiVersion: v1
kind: Service
metadata:
  name: app
spec:
  ports:
  - port: 80
    targetport: 8080
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: app-vs
spec:
  hosts: ["*"]
  http:
  - timeout: 5s
    route:
    - destination:
        host: app
`,
		"part/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: VirtualService}
  patch: |
    - {op: add, path: /spec/gateways, value: [kubeflow/kubeflow-gateway]}
`,
		"overlays/production/kustomization.yaml": `# production
namespace: production
namePrefix: p-
resources:
- ../../base
components:
- ../../part
configMapGenerator:
- name: other
  literals: [a=b]
- name: settings
  files: [conf=settings.conf]
buildMetadata: [managedByLabel]
patches:
- path: timeout.yaml
`,
		"overlays/production/settings.conf": "x = 1\n",
		"overlays/production/timeout.yaml": `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-vs}
spec:
  http:
  - timeout: 7s
    retrys: {}
    route:
    - destination: {host: app.production.svc.cluster.local}
`,
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// onDisk writes files into a directory of their own.
func onDisk(t *testing.T, files fstest.MapFS) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range files {
		write(t, filepath.Join(dir, name), string(f.Data))
	}
	return dir
}

func TestKustomization(t *testing.T) {
	fsys := platform()
	dir := onDisk(t, fsys)
	for _, c := range []struct {
		name, root string
		opts       Options
	}{
		{"embedded", "", Options{FS: fsys, Kustomizations: []string{"overlays/production"}}},
		{"on disk", dir, Options{Kustomizations: []string{filepath.Join(dir, "overlays", "production")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, problems, err := Load(t.Context(), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range problems {
				problems[i].File, _ = filepath.Rel(c.root, problems[i].File)
			}
			compare(t, problems, []string{
				"error unknown-field [Service production/p-app] base/app.yaml:8 spec.ports[0].targetport: there is no field targetport here; the nearest is targetPort. The API server drops it, with everything below it",
				"error unknown-field [VirtualService production/p-app-vs] overlays/production/timeout.yaml:7 spec.http[0].retrys: there is no field retrys here; the nearest is retries. The API server drops it, with everything below it",
			})
			vs, ok := set.VirtualServices.Get("production", "p-app-vs")
			if !ok {
				t.Fatal("no VirtualService production/p-app-vs")
			}
			at := func(file string, line int, got string) {
				t.Helper()
				if want := filepath.Join(c.root, file); !strings.HasPrefix(got, want+":") || !strings.HasSuffix(got, ":"+string(rune('0'+line/10))+string(rune('0'+line%10))) {
					t.Errorf("origin: got %s, want %s:%02d", got, want, line)
				}
			}
			at("base/app.yaml", 10, vs.Origin.String())
			spec := &vs.Object.Spec
			if !slices.Equal(spec.Gateways, []string{"kubeflow/kubeflow-gateway"}) || spec.Http[0].Timeout.AsDuration().Seconds() != 7 {
				t.Errorf("the patches are missing: %v", spec)
			}
			if _, ok := vs.Object.Annotations["config.kubernetes.io/origin"]; ok || vs.Object.Labels["app.kubernetes.io/managed-by"] == "" {
				t.Errorf("got annotations %v and labels %v, want only what the kustomization asks for", vs.Object.Annotations, vs.Object.Labels)
			}
			if line, ok := c.opts.Locate(vs.Origin, "spec.http[0].route[0].destination.host"); !ok || line != 20 {
				t.Errorf("Locate: got %d, %v, want 20", line, ok)
			}
			config := set.ConfigMaps.In("production")
			if len(config) != 2 || config[1].Object.Data["conf"] != "x = 1\n" {
				t.Fatalf("generated ConfigMaps: %v", config)
			}
			at("overlays/production/kustomization.yaml", 11, config[1].Origin.String())
		})
	}
}

func TestKustomizationFails(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"a remote base", "kustomization.yaml", "resources:\n- ns.yaml\n- https://github.com/a/b?ref=v1\n",
			"build the kustomization .: kustomization.yaml:3: https://github.com/a/b?ref=v1 is remote, and kustomizations are built from disk only; fetch it into the repository and name the local path"},
		{"a remote base without a scheme", "kustomization.yaml", "bases: [github.com/a/b//deploy]\n", "github.com/a/b//deploy is remote"},
		{"a remote base by ssh", "kustomization.yaml", "resources: ['git@example.com:a/b.git']\n", "git@example.com:a/b.git is remote"},
		{"a remote base with git::", "kustomization.yaml", "resources: ['git::https://example.com/a']\n", "is remote"},
		{"a remote patch", "kustomization.yaml", "patches:\n- path: http://example.com/p.yaml\n", "kustomization.yaml:2: http://example.com/p.yaml is remote"},
		{"a remote base of a base", "base/kustomization.yaml", "resources: ['https://example.com/x']\n", "base/kustomization.yaml:1: https://example.com/x is remote"},
		{"a remote file of a generator", "gen.yaml", "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\nfiles: ['a=https://example.com/x']\n", "gen.yaml:4: https://example.com/x is remote"},
		{"a missing base", "kustomization.yaml", "resources: [nowhere]\n", "nowhere"},
		{"not YAML", "kustomization.yaml", "resources: [\n", "build the kustomization ."},
		{"an unknown field", "kustomization.yaml", "ressources: [ns.yaml]\n", "unknown field"},
		{"a cycle", "base/kustomization.yaml", "resources: [../]\n", "cycle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"kustomization.yaml":      {Data: []byte("resources: [base]\ngenerators: [gen.yaml]\n")},
				"base/kustomization.yaml": {Data: []byte("resources: []\n")},
				"gen.yaml":                {Data: []byte("apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\n")},
				"ns.yaml":                 {Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")},
			}
			fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			_, _, err := Load(t.Context(), Options{FS: fsys, Kustomizations: []string{"."}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	refs, err := disk{fsys: platform()}.references("overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range refs.files {
		got = append(got, name)
	}
	slices.Sort(got)
	want := []string{
		"base/app.yaml", "base/kustomization.yaml", "base/ns.yaml",
		"overlays/production/kustomization.yaml", "overlays/production/settings.conf", "overlays/production/timeout.yaml",
		"part/kustomization.yaml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The examples are what people copy, so nothing in them may be wrong.
func TestExamplesLoad(t *testing.T) {
	dir := filepath.Join("..", "..", "examples", "paas")
	set, problems, err := Load(t.Context(), Options{Kustomizations: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, problems, nil)
	for _, vs := range set.VirtualServices.All() {
		if line, ok := (Options{}).Locate(vs.Origin, "kind"); !ok || line < vs.Origin.Line {
			t.Errorf("%s: origin %s leads nowhere", vs.Ref, vs.Origin)
		}
	}
}

func BenchmarkKustomization(b *testing.B) {
	dir := filepath.Join("..", "..", "examples", "paas")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Load(b.Context(), Options{Kustomizations: []string{dir}}); err != nil {
			b.Fatal(err)
		}
	}
}
