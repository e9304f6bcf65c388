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
