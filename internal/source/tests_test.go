package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const aTest = "tests:\n- request: GET http://a/\n  expect: {status: 200}\n"

// In a directory, files of tests are passed over, and objects are never taken for tests.
func TestTestFilesAreNoManifests(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"m/web_test.yaml":          aTest,
		"m/tests/web.yml":          aTest,
		"m/tests/service.yaml":     valid,
		"m/tests/flow.yaml":        `{apiVersion: v1, kind: Service, metadata: {name: flow}, spec: {ports: [{port: 80}]}}`,
		"m/tests/policy.yaml":      "tests:\n---\n" + valid,
		"m/latest.yaml":            strings.Replace(valid, "other", "latest", 1),
		"m/contest_test.json":      `{"tests": []}`,
		"m/tests/deep/values.yaml": "a: b\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, problems, err := Load(t.Context(), Options{Files: []string{"m"}, FS: files})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range set.Services.All() {
		got = append(got, s.Ref.Name)
	}
	if want := []string{"flow", "latest", "other"}; !slices.Equal(got, want) {
		t.Errorf("got the Services %q, want %q", got, want)
	}
	compare(t, problems, []string{
		"info document-invalid [Document m/contest_test.json:1] m/contest_test.json:1 : the document is left out, it is no Kubernetes object",
		"info document-invalid [Document m/tests/deep/values.yaml:1] m/tests/deep/values.yaml:1 : the document is left out, it is no Kubernetes object",
		"info document-invalid [Document m/tests/policy.yaml:1] m/tests/policy.yaml:1 : the document is left out, it is no Kubernetes object",
		"info duplicate-object [Service ns/other] m/tests/service.yaml:2 : the same object is also at m/tests/policy.yaml:4",
	})
}

func TestFindTests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app/web_test.yaml": aTest, "app/tests/a.yaml": aTest, "app/tests/typo.yaml": "test: []\n", "app/tests/object.yaml": valid,
		"app/tests/kustomization.yaml": "resources: []\n", "app/web.yaml": valid, ".hidden/a_test.yaml": aTest, "other.yaml": aTest,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Tests([]string{dir, filepath.Join(dir, "other.yaml"), filepath.Join(dir, "app")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i], _ = filepath.Rel(dir, got[i])
	}
	if want := []string{"app/tests/a.yaml", "app/tests/typo.yaml", "app/web_test.yaml", "other.yaml"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
