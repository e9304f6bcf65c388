package diff

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkCompare compares plans of 1,000 applications behind a login: with one more
// exempt, and with the login taken away, which changes every request.
func BenchmarkCompare(b *testing.B) {
	var apps strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&apps, application, i)
	}
	before := side(b, text("old.yaml", platform+apps.String()))
	for _, c := range []struct{ name, from, to string }{
		{"nothing", "", ""},
		{"one-exempt", "notPaths: [/dex/*]", "notPaths: [/dex/*, /app-7/*]"},
		{"login-away", "action: CUSTOM\n  provider: {name: login}", "action: AUDIT"},
	} {
		b.Run(c.name, func(b *testing.B) {
			after := side(b, text("new.yaml", strings.ReplaceAll(platform, c.from, c.to)+apps.String()))
			n := 0
			for b.Loop() {
				n = Compare(before, after).Examples
			}
			b.ReportMetric(float64(n), "examples")
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
spec: {selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}}, spec: {containers: [{name: app, image: app}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: app-%[1]d}
spec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: app-%[1]d}
spec:
  hosts: ["*"]
  gateways: [kubeflow/gateway]
  http:
  - match: [{uri: {exact: /app-%[1]d}}]
    redirect: {uri: /app-%[1]d/}
  - match: [{uri: {prefix: /app-%[1]d/}}]
    rewrite: {uri: /}
    headers: {request: {set: {X-Forwarded-Prefix: /app-%[1]d}}}
    route: [{destination: {host: app, port: {number: 80}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: gateway, namespace: app-%[1]d}
spec: {action: ALLOW, rules: [{from: [{source: {principals: ["*"]}}]}]}
`
