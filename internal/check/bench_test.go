package check

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// BenchmarkApplications checks 1,000 applications behind one gateway: each has a
// Namespace, a Deployment, a Service, a VirtualService and a policy; all on one host,
// or each on a host of its own beside a wildcard.
func BenchmarkApplications(b *testing.B) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		host func(i int) string
	}{
		{"one-host", func(int) string { return "*" }},
		{"host-each", func(i int) string { return fmt.Sprintf("app-%d.example.com", i) }},
		{"half-each", func(i int) string { return []string{"*", fmt.Sprintf("app-%d.example.com", i)}[i%2] }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var text strings.Builder
			text.Write(platform)
			for i := range 1000 {
				fmt.Fprintf(&text, application, i, c.host(i))
			}
			set, problems, err := source.Load(b.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(text.String())}}})
			if err != nil || problems.HasErrors() {
				b.Fatal(problems, err)
			}
			p, _ := compile.Compile(set, compile.Options{})
			b.ResetTimer()
			for b.Loop() {
				Run(set, p)
			}
		})
	}
}

const application = `
---
apiVersion: v1
kind: Namespace
metadata: {name: app-%[1]d, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: app-%[1]d}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: app-%[1]d}
spec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: app-%[1]d}
spec:
  hosts: ["%[2]s"]
  gateways: [kubeflow/gateway]
  http:
  - match: [{uri: {exact: /app-%[1]d}}]
    redirect: {uri: /app-%[1]d/}
  - match: [{uri: {prefix: /app-%[1]d/}}]
    rewrite: {uri: /}
    headers: {request: {set: {X-Forwarded-Prefix: /app-%[1]d}}}
    route: [{destination: {host: app.app-%[1]d.svc.cluster.local, port: {number: 80}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: gateway, namespace: app-%[1]d}
spec:
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/istio-system/sa/istio-ingressgateway]}}]}]
`
