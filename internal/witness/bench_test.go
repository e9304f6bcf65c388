package witness

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkExamples makes the examples of 1,000 applications behind one gateway with a
// login: each has a Deployment, a Service, a VirtualService with a redirect and a rewrite,
// and a policy; all on one host, or each on a host of its own.
func BenchmarkExamples(b *testing.B) {
	for _, c := range []struct {
		name string
		host func(i int) string
	}{
		{"one-host", func(int) string { return "*" }},
		{"host-each", func(i int) string { return fmt.Sprintf("app-%d.example.com", i) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var m strings.Builder
			m.WriteString(platform)
			for i := range 1000 {
				fmt.Fprintf(&m, application, i, c.host(i))
			}
			p := load(b, text(m.String()))
			n := 0
			for b.Loop() {
				n = len(Examples(p))
			}
			b.ReportMetric(float64(n), "examples")
		})
	}
}

const platform = `
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {istio: gateway}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: login, namespace: istio-system}
spec: {selector: {app: login}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec: {selector: {istio: gateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge, namespace: istio-system}
spec:
  ingressClassName: public
  defaultBackend: {service: {name: gateway, port: {number: 80}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: login
      envoyExtAuthzHttp:
        service: login.istio-system.svc.cluster.local
        port: 80
        includeRequestHeadersInCheck: [cookie]
        headersToUpstreamOnAllow: [authorization]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  jwtRules: [{issuer: https://login.example.com, jwksUri: 'https://login.example.com/keys', outputClaimToHeaders: [{header: kubeflow-userid, claim: email}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: CUSTOM
  provider: {name: login}
  rules:
  - to: [{operation: {notPaths: [/dex/*, /oauth2/*]}}]
    when: [{key: "request.headers[authorization]", notValues: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require-jwt, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: DENY
  rules:
  - from: [{source: {notRequestPrincipals: ["*"]}}]
    to: [{operation: {notPaths: [/dex/*, /oauth2/*]}}]
`

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
  rules:
  - from: [{source: {principals: ["*"]}}]
    to: [{operation: {paths: [/public/*, /api/*], methods: [GET]}}]
`
