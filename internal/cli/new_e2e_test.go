//go:build e2e

package cli

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
	"github.com/doorward/doorward/internal/scaffold"
)

// A real API server with Istio's types must take what doorward new writes, as kubectl
// apply -k sends it: without a field that it does not know and without a warning, with the
// strictest pod security asked for.
func TestE2EKubernetesAcceptsNewApplications(t *testing.T) {
	types, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/api").Output()
	if err != nil {
		t.Fatalf("go list -m istio.io/api: %v", err)
	}
	cluster := peer.StartKubernetes(t)
	inSite(t)
	cluster.Kubectl(t, "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(types)), "kubernetes", "customresourcedefinitions.gen.yaml"))
	cluster.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")

	apply := func(name string, flags ...string) {
		doorward(t, append([]string{"new", name, "--yes", "-k", "examples/login"}, flags...)...)
		// The namespace first, so that it asks for pod security before there are workloads.
		base := filepath.Join("paas", name, "base")
		cluster.Kubectl(t, "apply", "--server-side", "-f", filepath.Join(base, "ns.yaml"))
		cluster.Kubectl(t, "label", "namespace", "--all", "pod-security.kubernetes.io/warn=restricted", "--overwrite")
		out := cluster.Kubectl(t, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-k", filepath.Join("paas", name, "overlays", "production"))
		files, err := filepath.Glob(filepath.Join(base, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got, least := strings.Count(out, "serverside-applied"), len(files)-1; got < least {
			t.Errorf("%s: %d objects were applied, want at least the %d files of its base:\n%s", name, got, least, out)
		}
	}
	apply("plain", "--image", "ghcr.io/acme/plain:1.0")
	apply("hosted", "--image", "ghcr.io/acme/hosted:1.0", "--host", "hosted.example.com", "--access", "public", "--sidecar", "yes")
	for _, p := range scaffold.Presets() {
		apply("my-"+p.Name, append([]string{"--preset", p.Name}, presetFlags(p.Name)...)...)
	}
}
