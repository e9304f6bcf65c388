package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/scaffold"
)

// site makes a directory with a platform that asks for a login, and changes to it.
func inSite(t *testing.T) {
	t.Helper()
	login, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(login)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

// doorward runs the program and wants it to succeed.
func doorward(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut strings.Builder
	if code := Main(args, strings.NewReader(""), &out, &errOut); code != exitOK {
		t.Fatalf("doorward %s: exit code %d\n%s%s", strings.Join(args, " "), code, out.String(), errOut.String())
	}
	return out.String()
}

// presetFlags are the flags that a preset needs beside its name.
func presetFlags(preset string) []string {
	if preset == "streamlit" {
		return []string{"--image", "ghcr.io/acme/dash:1.0"}
	}
	return nil
}

// What each preset must have, as an application called my-PRESET, of its application's documentation, in its manifests. "!" is
// what it must not have.
func presetNeeds() map[string][]string {
	return map[string][]string{
		"argocd":    {"server.rootpath: /my-argocd", `server.insecure: "true"`, "url: https://cluster.localhost/my-argocd", "prefix: /my-argocd/", "host: argocd-server.argocd.svc", "istio-injection: disabled", "!rewrite:", "!kind: Deployment"},
		"grafana":   {"value: https://cluster.localhost/my-grafana/", "GF_SERVER_SERVE_FROM_SUB_PATH\n              value: \"true\"", "GF_AUTH_PROXY_HEADER_NAME\n              value: kubeflow-userid", "path: /my-grafana/api/health", "!rewrite:"},
		"jupyter":   {"--ServerApp.base_url=/my-jupyter/", "--IdentityProvider.token=", "runAsUser: 1000", "path: /my-jupyter/api", "!rewrite:", "!JUPYTER_TOKEN"},
		"kserve":    {"prefix: /serving/my-kserve/", "uri: /", "!timeout:", "istio-system/cluster-local-gateway", "host: my-kserve-predictor.my-kserve.svc", "!redirect:", "!kind: Deployment"},
		"minio":     {"host: my-minio.localhost", "host: s3.my-minio.localhost", "value: https://my-minio.localhost ", "value: https://s3.my-minio.localhost ", `proxy-body-size: "0"`, "proxy-body-size: 100m", `proxy-read-timeout: "3600"`, "!rewrite-target", "!kind: VirtualService"},
		"mlflow":    {"--allowed-hosts=cluster.localhost,my-mlflow-service.my-mlflow,my-mlflow-service.my-mlflow.svc.cluster.local", "--cors-allowed-origins=https://cluster.localhost", "X-Forwarded-Prefix: /my-mlflow", "uri: /", "!--static-prefix="},
		"streamlit": {"STREAMLIT_SERVER_BASE_URL_PATH\n              value: my-streamlit ", "path: /my-streamlit/_stcore/health", "containerPort: 8501", "!rewrite:"},
		"vllm":      {"--model=Qwen/Qwen3-0.6B", "--root-path=/serving/my-vllm", "prefix: /serving/my-vllm/", "!timeout:", "VLLM_API_KEY", "nvidia.com/gpu: 1", "medium: Memory", "startupProbe", "!redirect:"},
	}
}

// Each preset is true to its application, and check has nothing against it: beside the
// platform, and alone.
func TestPresets(t *testing.T) {
	inSite(t)
	comment := regexp.MustCompile(`(?m)^ *#.*\n`)
	for _, p := range scaffold.Presets() {
		name := "my-" + p.Name // the examples have some of the others
		doorward(t, append([]string{"new", name, "--preset", p.Name, "--yes", "-k", "examples/login"}, presetFlags(p.Name)...)...)
		overlay := filepath.Join("paas", name, "overlays", "production")
		together := []string{"-k", "examples/login"}
		if p.Fixed["runs"] == "service" {
			together = append(together, "-f", filepath.Join("paas", name, "tests", "service.yaml"))
		}
		for _, beside := range [][]string{nil, together} {
			if out := doorward(t, append([]string{"check", "--severity", "warning", "-k", overlay, "--ingress-class", "public"}, beside...)...); strings.Contains(out, "warning: ") {
				t.Errorf("%s: check says\n%s", p.Name, out)
			}
		}
		var text strings.Builder
		files, err := filepath.Glob(filepath.Join("paas", name, "base", "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(comment.ReplaceAll(data, nil))
		}
		for _, need := range presetNeeds()[p.Name] {
			not, no := strings.CutPrefix(need, "!")
			if strings.Contains(text.String(), not) == no {
				t.Errorf("%s: %q is missing, or should be missing, in\n%s", p.Name, need, text.String())
			}
		}
		if len(presetNeeds()[p.Name]) == 0 {
			t.Errorf("nothing is said of what %s needs", p.Name)
		}
	}
}

// Without a login in front of them, or with others who may call them, applications keep
// their own.
func TestPresetsKeepTheirOwnDoor(t *testing.T) {
	inSite(t)
	for _, c := range []struct{ preset, has, not string }{{"jupyter", "JUPYTER_TOKEN", "--IdentityProvider.token="}, {"grafana", "GF_SECURITY_ADMIN_PASSWORD", "GF_AUTH_PROXY"}} {
		for _, flags := range [][]string{
			{"-k", "examples/localhost"}, // has no login
			{"--dir", "elsewhere"},       // nothing is known of the platform
			{"-k", "examples/login", "--sidecar", "no"},
			{"-k", "examples/login", "--access", "public"},
		} {
			out := doorward(t, append([]string{"new", "app", "--preset", c.preset, "--dry-run"}, flags...)...)
			if !strings.Contains(out, c.has) || strings.Contains(out, c.not) {
				t.Errorf("%s %v: want %s and no %s in\n%s", c.preset, flags, c.has, c.not, out)
			}
		}
	}
}

func TestPresetsAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/new.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|.*$").FindAllStringSubmatch(text, -1) {
		rows = append(rows, m[1])
		p := scaffold.PresetOf(m[1])
		if p == nil {
			t.Errorf("docs/new.md has a preset %s", m[1])
			continue
		}
		for _, want := range []string{p.Default["image"], p.Default["service"]} {
			if want != "" && !strings.Contains(m[0], "`"+strings.ReplaceAll(want, "%(name)", "NAME")+"`") {
				t.Errorf("docs/new.md: the row of %s does not have %s", p.Name, want)
			}
		}
	}
	if !slices.Equal(rows, presetNames()) {
		t.Errorf("docs/new.md has the presets %v, there are %v", rows, presetNames())
	}
	for _, q := range questions() {
		if !strings.Contains(text, "`--"+q.key+"`") {
			t.Errorf("docs/new.md does not have --%s", q.key)
		}
	}
}

// The files and the edits of policies are one: where the files cannot be written, the
// edits are taken back.
func TestNewWritesAllOrNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", "old\n")
	m := &made{files: []scaffold.File{{Name: "base/ns.yaml", Text: "a\n"}}, edits: []rewriting{{"policies.yaml", []byte("old\n"), []byte("new\n")}}}
	write(t, "paas/app/there", "kept\n") // somebody made it while a person was reading
	if err := m.write("paas/app"); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("got error %v", err)
	}
	if got := read(t, "policies.yaml"); got != "old\n" {
		t.Errorf("policies.yaml is left as %q", got)
	}
	if err := m.write("paas/other"); err != nil {
		t.Error(err)
	}
	if got := read(t, "policies.yaml") + read(t, "paas/other/base/ns.yaml"); got != "new\na\n" {
		t.Errorf("got %q", got)
	}
}
