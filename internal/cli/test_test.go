package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/explain"
	"github.com/doorward/doorward/internal/suite"
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

// The command that a test prints asks the same of explain, and the answer is the same:
// of all callers, listeners and headers.
func TestTestAndExplainAgree(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"m.yaml": keyed, "a_test.yaml": `
manifests: [m.yaml]
callers:
  alice: {user: alice@example.com, groups: [admins, others]}
  carol: {claims: {iss: "https://login.example.com", sub: carol, groups: ["it's"]}}
  runner: {serviceAccount: jobs/runner}
  robot: {apiKey: istio-system/robots/ci}
tests:
- {request: GET http://a/, as: alice, via: "istio-system/gw:80", expect: {status: 404}}
- {request: GET http://a/, as: carol, via: "istio-system/gw:80", expect: {status: 404}}
- {request: GET http://a/, as: runner, via: "istio-system/gw:80", expect: {status: 404}}
- {request: GET http://a/, as: robot, via: "istio-system/gw:80", expect: {status: 404}}
- {request: GET http://a/, via: "istio-system/gw:80", headers: {host: "b.example.com", x-a: [b, "c d"]}, navigate: true, from: 203.0.113.7, expect: {status: 404}}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := readTests([]string{"../../examples", dir})
	if err != nil {
		t.Fatal(err)
	}
	report := suite.Run(t.Context(), files, suite.Options{})
	for i := range report.Files {
		f := &report.Files[i]
		for _, r := range f.Results {
			command := f.Set.Explain(r.Test)
			var out, errOut strings.Builder
			code := Main(append(words(command)[1:], "-o", "json"), strings.NewReader(""), &out, &errOut)
			var e explain.Explanation
			if err := json.Unmarshal([]byte(out.String()), &e); err != nil || code == exitMisused {
				t.Errorf("%s\nexit code %d, %v\n%s", command, code, err, errOut.String())
				continue
			}
			status, backend := 200, ""
			if e.Forward != nil {
				backend = e.Forward.Backend
			} else {
				status = e.Answer.Status
			}
			if status != r.Outcome.Status || backend != r.Outcome.Backend || e.Reason != r.Outcome.Reason {
				t.Errorf("%s\nexplain says %d %q, %s\ntest says    %d %q, %s", command, status, backend, e.Reason, r.Outcome.Status, r.Outcome.Backend, r.Outcome.Reason)
			}
		}
	}
}

// docs/testing.md has every member of -o json.
func TestTestReportIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "## For programs\n")
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Slice, reflect.Pointer:
			look(of.Elem())
		case reflect.Struct:
			for i := range of.NumField() {
				name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
				if !strings.Contains(text, "`"+name+"`") {
					t.Errorf("docs/testing.md does not name the member %s", name)
				}
				look(of.Field(i).Type)
			}
		}
	}
	look(reflect.TypeFor[reportJSON]())
}

// words splits a command as a shell does, where it is quoted as ours are.
func words(command string) []string {
	var all []string
	var word strings.Builder
	quoted, some := false, false
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == '\'':
			quoted, some = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\':
			i++
			word.WriteByte(command[i])
		case c == ' ':
			if some {
				all = append(all, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteByte(c)
			some = true
		}
	}
	return append(all, word.String())
}

const keyed = `apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  jwtRules:
  - {issuer: "https://login.example.com", jwksUri: "https://login.example.com/keys"}
  - {issuer: "https://kubernetes.default.svc.cluster.local", jwksUri: "https://kubernetes.default.svc/openid/v1/jwks"}
---
apiVersion: doorward.dev/v1alpha1
kind: APIKeySet
metadata: {name: robots, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, secretName: robots, keys: [{name: ci}]}
---
apiVersion: v1
kind: Secret
metadata: {name: robots, namespace: istio-system}
stringData: {ci: "sha256:0000000000000000000000000000000000000000000000000000000000000001"}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: some, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]
`
