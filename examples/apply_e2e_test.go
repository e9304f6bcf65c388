//go:build e2e

package examples

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// A real API server with Istio's types must take the platform as kubectl apply -k sends it,
// without a field that it does not know and without a warning.
func TestE2EKubernetesAcceptsThePlatform(t *testing.T) {
	cluster := peer.StartKubernetes(t)
	cluster.Kubectl(t, "apply", "--server-side", "-f", istioTypes(t))
	cluster.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")

	apply := func(dir string, objects []string) {
		out := cluster.Kubectl(t, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-k", dir)
		if got := strings.Count(out, "serverside-applied"); got != len(objects) {
			t.Errorf("kubectl apply -k %s applied %d objects, want %d:\n%s", dir, got, len(objects), out)
		}
	}
	apply("paas", production)
	// Again, with the strictest pod security asked for: what violates it is a warning.
	cluster.Kubectl(t, "label", "namespace", "--all", "pod-security.kubernetes.io/warn=restricted")
	apply("localhost", local())

	got := cluster.Kubectl(t, "get", "ingress", "-A", "-o", "jsonpath={.items[*].spec.rules[*].host}")
	if want := "cluster.localhost minio.localhost"; got != want {
		t.Errorf("hosts of the Ingresses in the cluster: got %q, want %q", got, want)
	}
}

// istioTypes returns the file of Istio's CustomResourceDefinitions, which its API module carries.
func istioTypes(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/api").Output()
	if err != nil {
		t.Fatalf("go list -m istio.io/api: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "kubernetes", "customresourcedefinitions.gen.yaml")
}
