//go:build e2e

package v1alpha1

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// A real API server takes the CRDs of our resources, and by them a good set of keys, and
// refuses those that Doorward would close.
func TestE2EKubernetesKnowsAPIKeySets(t *testing.T) {
	cluster := peer.StartKubernetes(t)
	cluster.Kubectl(t, "apply", "--server-side", "-f", "../../deploy/crds")
	cluster.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	apply := func(spec string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "set.yaml")
		text := "apiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata: {name: programs, namespace: default}\nspec:\n" + spec
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cluster.Kubectl(t, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-f", apply(`
  selector: {matchLabels: {istio: ingressgateway}}
  secretName: programs
  header: x-program
  forward: true
  outputHeaders: [{header: kubeflow-userid, claim: owner}]
  keys:
  - {name: ci, owner: a, groups: [b], expires: "2027-01-31T00:00:00Z", disabled: false}
  - {name: reader, scopes: [{name: read, hosts: ["*.example.com"], paths: [/v1], methods: [GET]}]}
`))
	for _, c := range []struct{ spec, says string }{
		{"  forward: true\n", "spec.secretName: Required value"},
		{"  secretName: a\n  selector: {matchLabels: {a: b}}\n  targetRefs: [{kind: Service, name: a}]\n", "exclude each other"},
		{"  secretName: a\n  keys: [{name: a, scopes: []}]\n", "spec.keys[0].scopes"},
		{"  secretName: a\n  keys: [{name: a, scopes: [{paths: [/v1/*]}]}]\n", "spec.keys[0].scopes[0].paths[0]"},
		{"  secretName: a\n  keys: [{name: a, scopes: [{methods: [get]}]}]\n", "spec.keys[0].scopes[0].methods[0]"},
		{"  secretName: a\n  keys: [{name: a/b}]\n", "spec.keys[0].name"},
		{"  secretName: a\n  keys: [{name: a}, {name: a}]\n", "duplicate"},
		{"  secretName: a\n  keys: [{name: a, scopes: [{path: [/v1]}]}]\n", ".scopes[0].path: field not declared in schema"},
		{"  secretName: a\n  outputHeaders: [{header: a, claim: ower}]\n", "spec.outputHeaders[0].claim"},
	} {
		out := cluster.Refuses(t, "apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", apply(c.spec))
		if !strings.Contains(strings.ToLower(out), strings.ToLower(c.says)) {
			t.Errorf("%s: got %s, want it refused with %q", c.spec, out, c.says)
		}
	}
}
