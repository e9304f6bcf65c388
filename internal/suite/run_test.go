package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/source"
)

// The tests of the examples pass, and touch every rule that examples/paas has.
func TestExamples(t *testing.T) {
	report := runAll(t, "../../examples")
	for i := range report.Files {
		f := &report.Files[i]
		if f.Err != nil {
			t.Errorf("%s: %v", f.Name, f.Err)
		}
		for _, r := range f.Results {
			for _, d := range r.Differences {
				t.Errorf("%s: %s: %s\n\t%s", f.Name, r.Name, d, r.Outcome.Reason)
			}
		}
	}
	for _, f := range report.Coverage.Files {
		if !strings.HasPrefix(f.File, "../../examples/paas/") {
			continue
		}
		for _, r := range f.Missed {
			t.Errorf("no test touches %s: %s", r.Origin, r.Text)
		}
	}
}

func runAll(t testing.TB, paths ...string) *Report {
	t.Helper()
	names, err := source.Tests(paths)
	if err != nil {
		t.Fatal(err)
	}
	files, err := ReadAll(names)
	if err != nil {
		t.Fatal(err)
	}
	return Run(t.Context(), files, Options{Cover: true, Serve: true})
}

// Files that name the same manifests share one plan.
func TestManifestsAreCompiledOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.yaml", platformOf(1))
	for i := range 3 {
		write(t, dir, fmt.Sprintf("tests/%d.yaml", i), "manifests: [../m.yaml]\ntests: [{request: GET http://a.example.com/app0/, via: istio-system/gw:80, expect: {status: 200}}]\n")
	}
	write(t, dir, "tests/other.yaml", "manifests: [../m.yaml]\ningressClasses: [public]\ntests: [{request: GET http://a.example.com/app0/, expect: {status: 404}}]\n")
	report := runAll(t, dir)
	if len(report.Files) != 4 || len(report.Sets) != 2 || report.Files[0].Set != report.Files[2].Set {
		t.Errorf("got %d files and %d sets of manifests, want 4 and 2", len(report.Files), len(report.Sets))
	}
	for i := range report.Files {
		if f := &report.Files[i]; f.Err != nil || f.Failed() > 0 || len(f.Results) != 1 {
			t.Errorf("%s: %v, %+v", f.Name, f.Err, f.Results)
		}
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// platformOf is a gateway with n applications, each under a prefix of its own.
func platformOf(n int) string {
	var b strings.Builder
	b.WriteString(`apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`)
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: app%[1]d}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: app%[1]d}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http:
  - match: [{uri: {exact: /app%[1]d}}]
    redirect: {uri: /app%[1]d/}
  - match: [{uri: {prefix: /app%[1]d/}}]
    rewrite: {uri: /}
    route: [{destination: {host: app}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: app, namespace: app%[1]d}
spec: {rules: [{}]}
`, i)
	}
	return b.String()
}

// BenchmarkRun reads and runs 1,000 tests: of ten applications, and of 1,000.
func BenchmarkRun(b *testing.B) {
	const tests = 1000
	for _, apps := range []int{10, 1000} {
		for _, cover := range []bool{false, true} {
			b.Run(fmt.Sprintf("applications=%d/coverage=%t", apps, cover), func(b *testing.B) {
				dir := b.TempDir()
				write(b, dir, "m.yaml", platformOf(apps))
				var text strings.Builder
				text.WriteString("manifests: [m.yaml]\ntests:\n")
				for i := range tests {
					fmt.Fprintf(&text, "- {name: t%d, request: GET http://a.example.com/app%d/x/%d, via: \"istio-system/gw:80\", expect: {status: 200, path: /x/%d, backend: \"app%d/app:80\"}}\n", i, i%apps, i, i, i%apps)
				}
				write(b, dir, "a_test.yaml", text.String())
				for b.Loop() {
					files, err := ReadAll([]string{filepath.Join(dir, "a_test.yaml")})
					if err != nil {
						b.Fatal(err)
					}
					report := Run(b.Context(), files, Options{Cover: cover})
					if f := &report.Files[0]; f.Err != nil || f.Failed() > 0 || len(f.Results) != tests {
						b.Fatalf("%v, %d failed of %d", f.Err, f.Failed(), len(f.Results))
					}
				}
				b.ReportMetric(tests, "tests/op")
			})
		}
	}
}

// The same over real sockets, with real tokens and an external authorizer that is asked.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.yaml", asked+platformOf(1))
	write(t, dir, "a_test.yaml", `
manifests: [m.yaml]
callers:
  alice: {user: alice@example.com, groups: [admins]}
  old: {claims: {iss: "https://login.example.com", sub: old, email: old@example.com, exp: 1000000000}}
tests:
- {name: nobody, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 302, backend: none}}
- {name: exempt, request: GET http://a.example.com/app0, via: "istio-system/gw:80", expect: {status: 301}}
- {name: alice, as: alice, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {headers: {x-user: alice@example.com, x-auth-request-groups: admins}}}
- {name: old, as: old, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {headers: {x-user: old@example.com}}}
- {name: from afar, from: 203.0.113.7, request: GET http://a.example.com/app0, via: "istio-system/gw:80", expect: {status: 301}}
- {name: nowhere, request: GET http://a.example.com/, via: "shop/web:80", expect: {status: 301}}
`)
	files, err := ReadAll([]string{filepath.Join(dir, "a_test.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	f := &Run(t.Context(), files, Options{Serve: true}).Files[0]
	if f.Err != nil || len(f.Results) != 6 || f.OnlyWalked() != 1 || f.Results[4].Unplayed == "" {
		t.Fatalf("%v, %d results, %d only walked", f.Err, len(f.Results), f.OnlyWalked())
	}
	for _, r := range f.Results[:5] {
		for _, d := range r.Differences {
			t.Errorf("%s: %s\n\t%s\n\t%s", r.Name, d, r.Outcome.Reason, r.Assumed)
		}
	}
	if d := f.Results[5].Differences; len(d) != 1 || d[0].Of != "via" {
		t.Errorf("a test at no listener: got %v", d)
	}
}

const asked = `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: oauth2-proxy
      envoyExtAuthzHttp:
        service: oauth2-proxy.login.svc.cluster.local
        port: 80
        includeRequestHeadersInCheck: [cookie]
        headersToUpstreamOnAllow: [authorization, x-auth-request-groups]
---
apiVersion: v1
kind: Service
metadata: {name: oauth2-proxy, namespace: login}
spec: {selector: {app: oauth2-proxy}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  action: CUSTOM
  provider: {name: oauth2-proxy}
  rules: [{to: [{operation: {notPaths: [/app0]}}]}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  jwtRules:
  - {issuer: "https://login.example.com", jwksUri: "https://login.example.com/keys", forwardOriginalToken: true, outputClaimToHeaders: [{header: x-user, claim: email}]}
---
`

// At the edge, too: auth-url asks the same stand-in, auth-type basic compares passwords.
func TestServeEdgeAuth(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.yaml", edgeAuth)
	write(t, dir, "a_test.yaml", `
manifests: [m.yaml]
ingressClasses: [public]
callers: {alice: {user: alice@example.com, groups: [admins]}}
tests:
- {name: nobody, request: GET http://a.example.com/, expect: {status: 401, backend: none}}
- {name: alice, as: alice, request: GET http://a.example.com/, expect: {backend: "shop/web:80", headers: {x-auth-request-groups: admins}}}
- {name: no password, request: GET http://b.example.com/, expect: {status: 401}}
- {name: a password, request: GET http://b.example.com/, headers: {authorization: "Basic Ym9iOnNlY3JldA=="}, expect: {backend: "shop/web:80"}}
- {name: a wrong one, request: GET http://b.example.com/, headers: {authorization: "Basic Ym9iOndyb25n"}, expect: {status: 401}}
`)
	f := &runAll(t, dir).Files[0]
	if f.Err != nil || len(f.Results) != 5 || f.OnlyWalked() != 0 {
		t.Fatalf("%v, %d results, %d only walked", f.Err, len(f.Results), f.OnlyWalked())
	}
	for _, r := range f.Results {
		for _, d := range r.Differences {
			t.Errorf("%s: %s\n\t%s\n\t%s", r.Name, d, r.Outcome.Reason, r.Assumed)
		}
	}
}

// The password of bob is "secret".
const edgeAuth = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: oauth2-proxy, namespace: login}
spec: {selector: {app: oauth2-proxy}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: asked
  namespace: shop
  annotations:
    nginx.ingress.kubernetes.io/auth-url: http://oauth2-proxy.login.svc.cluster.local/oauth2/auth
    nginx.ingress.kubernetes.io/auth-response-headers: X-Auth-Request-Groups
spec:
  ingressClassName: public
  rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: basic
  namespace: shop
  annotations:
    nginx.ingress.kubernetes.io/auth-type: basic
    nginx.ingress.kubernetes.io/auth-secret: users
spec:
  ingressClassName: public
  rules: [{host: b.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: shop}
stringData: {auth: "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}
`

const guarded = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  jwtRules:
  - {issuer: "https://login.example.com", jwksUri: "https://login.example.com/keys", forwardOriginalToken: true, outputClaimToHeaders: [{header: x-user, claim: email}]}
  - {issuer: "https://kubernetes.default.svc.cluster.local", jwksUri: "https://kubernetes.default.svc/openid/v1/jwks"}
---
apiVersion: doorward.dev/v1alpha1
kind: APIKeySet
metadata: {name: robots, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  secretName: robots
  keys: [{name: ci}]
---
apiVersion: v1
kind: Secret
metadata: {name: robots, namespace: istio-system}
stringData: {ci: "sha256:0000000000000000000000000000000000000000000000000000000000000001"}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admins, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  rules:
  - from: [{source: {requestPrincipals: ["apikey/ci"]}}]
  - from: [{source: {requestPrincipals: ["https://kubernetes.default.svc.cluster.local/system:serviceaccount:jobs:runner"]}}]
  - when: [{key: "request.auth.claims[groups]", values: [admins]}]
---
`

// Every kind of caller comes in by what it has, and by nothing else.
func TestCallers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.yaml", guarded+platformOf(1))
	write(t, dir, "a_test.yaml", `
manifests: [m.yaml]
callers:
  alice: {user: alice@example.com, groups: [admins]}
  bob: {user: bob@example.com, groups: [others]}
  carol: {claims: {iss: "https://login.example.com", sub: carol, email: carol@example.com, groups: [admins]}}
  mallory: {claims: {iss: "https://other.example.com", sub: mallory, groups: [admins]}}
  runner: {serviceAccount: jobs/runner}
  other: {serviceAccount: jobs/other}
  robot: {apiKey: istio-system/robots/ci}
tests:
- {name: nobody, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 403, noHeaders: [x-user]}}
- {name: alice, as: alice, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 200, headers: {x-user: alice@example.com}}}
- {name: bob, as: bob, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 403, because: "groups"}}
- {name: carol, as: carol, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 200, headers: {x-user: carol@example.com}}}
- {name: mallory, as: mallory, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 401}}
- {name: runner, as: runner, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 200, noHeaders: [authorization]}}
- {name: other, as: other, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 403}}
- {name: robot, as: robot, request: GET http://a.example.com/app0/, via: "istio-system/gw:80", expect: {status: 200, noHeaders: [authorization]}}
`)
	report := runAll(t, dir)
	f := &report.Files[0]
	if f.Err != nil || len(f.Results) != 8 || f.OnlyWalked() != 0 {
		t.Fatalf("%v, %d results", f.Err, len(f.Results))
	}
	for _, r := range f.Results {
		for _, d := range r.Differences {
			t.Errorf("%s: %s\n\t%s\n\t%s", r.Name, d, r.Outcome.Reason, r.Assumed)
		}
	}
	for _, f := range report.Coverage.Files {
		for _, r := range f.Missed {
			if r.Text != `host *, path exact "/app0"` {
				t.Errorf("no test touches %s %s: %s", r.What, r.Origin, r.Text)
			}
		}
	}
}
