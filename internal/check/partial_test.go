package check

import (
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// One application's files name what the platform's have; beside them the same names
// are mistakes.
func TestPartial(t *testing.T) {
	const application = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [kubeflow/ghost]
  http: [{route: [{destination: {host: ghost}}]}]
`
	const platform = `
---
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {istio: gateway}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec: {selector: {istio: gateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`
	for _, c := range []struct {
		yaml string
		want problem.Severity
	}{{application, problem.Info}, {application + platform, problem.Error}} {
		set, _, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(c.yaml)}}})
		if err != nil {
			t.Fatal(err)
		}
		_, problems := compile.Compile(set, compile.Options{})
		l := Partial(problems, set)
		for _, code := range []string{problem.GatewayNotFound, problem.HostNotFound} {
			if found := of(code, l); len(found) != 1 || found[0].Severity != c.want {
				t.Errorf("%s: got %v, want severity %s", code, found, c.want)
			}
		}
	}
}

// An application lets in who comes from the gateway's namespace, which the platform's
// files declare.
func TestPartialSource(t *testing.T) {
	const application = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: shop}
spec: {template: {metadata: {labels: {app: app}}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: app, namespace: shop}
spec: {rules: [{from: [{source: {namespaces: [ghosts]}}]}]}
`
	const gateway = `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec: {selector: {istio: gateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`
	for _, c := range []struct {
		yaml string
		want problem.Severity
	}{{application, problem.Info}, {application + gateway, problem.Error}} {
		set, _, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(c.yaml)}}})
		if err != nil {
			t.Fatal(err)
		}
		p, problems := compile.Compile(set, compile.Options{})
		l := Partial(append(problems, Run(set, p)...), set)
		if found := of(problem.AuthzSourceNotFound, l); len(found) != 1 || found[0].Severity != c.want {
			t.Errorf("got %v, want severity %s", found, c.want)
		}
	}
}
