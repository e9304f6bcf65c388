package compile

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// ground is a gateway with a Gateway, and two Services.
const ground = `
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  ports: [{name: http2, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {selector: {app: other}, ports: [{name: http, port: 80}]}
`

// loadYAML reads manifests that must be readable.
func loadYAML(t *testing.T, texts ...string) *object.Set {
	t.Helper()
	set, problems, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(strings.Join(texts, "\n---\n"))}}})
	if err != nil {
		t.Fatal(err)
	}
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	return set
}

// compileYAML compiles the ground with further manifests.
func compileYAML(t *testing.T, texts ...string) (*plan.Plan, problem.List) {
	t.Helper()
	return Compile(loadYAML(t, append([]string{ground}, texts...)...), Options{})
}

// rulesYAML is a VirtualService shop/vs on the ground's Gateway with these http rules.
func rulesYAML(http string) string {
	return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs, namespace: shop}
spec:
  hosts: [app.example.com]
  gateways: [kubeflow/gateway]
  http:
` + http
}

// routeOf is the first route of the one VirtualService on the ground's gateway.
func routeOf(t *testing.T, http string) *plan.Route {
	t.Helper()
	p, problems := compileYAML(t, rulesYAML(http))
	l := p.Listener("istio-system/ingress:80")
	if l == nil || len(l.Chains) != 1 || len(l.Chains[0].Hosts) != 1 || len(l.Chains[0].Hosts[0].Routes) == 0 {
		t.Fatalf("there is no route; problems: %v", problems)
	}
	return l.Chains[0].Hosts[0].Routes[0]
}
