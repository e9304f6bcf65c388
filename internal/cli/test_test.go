package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Manifests from standard input are there for every file of tests, with what each names.
func TestTestReadsStdinOnce(t *testing.T) {
	manifests, err := os.ReadFile("../../examples/paas/platform/base/kubeflow-gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	services, err := os.ReadFile("../../examples/paas/platform/base/gateway-services.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"a_test.yaml": "", "b_test.yaml": "ingressClasses: [public]\n"} {
		text += "tests: [{request: GET http://a/, via: \"istio-system/istio-ingressgateway:80\", expect: {status: 404}}]\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out, errOut strings.Builder
	in := strings.NewReader(string(manifests) + "---\n" + string(services))
	if code := Main([]string{"test", dir, "-f", "-"}, in, &out, &errOut); code != exitOK || !strings.Contains(out.String(), "2 tests in 2 files, 0 failed") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errOut.String())
	}
}
