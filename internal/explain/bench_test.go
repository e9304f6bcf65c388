package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// BenchmarkExplain answers one question about 1,000 applications on one host, each in a
// file of its own: reading, compiling and explaining, as the command does.
func BenchmarkExplain(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write("platform.yaml", platform)
	for i := range 1000 {
		write(fmt.Sprintf("app-%d.yaml", i), strings.ReplaceAll(application, "NUMBER", fmt.Sprint(i)))
	}
	b.ResetTimer()
	for b.Loop() {
		src := source.Options{Files: []string{dir}}
		set, problems, err := source.Load(b.Context(), src)
		if err != nil || problems.HasErrors() {
			b.Fatal(err, problems)
		}
		p, more := compile.Compile(set, compile.Options{AssumePods: true})
		e, err := Explain(Ground{Plan: p, Set: set, Problems: more, Source: src}, Question{
			URL: "http://cluster.example.com/app-999/x", Via: "istio-system/gw:80", As: caller.Spec{User: "alice@example.com"}})
		if err != nil || !e.Served || e.Forward.Backend != "app-999/app:80" {
			b.Fatal(err, e)
		}
	}
}

const platform = `
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}, {name: https, port: 443}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: gw}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: gw-tls}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  jwtRules: [{issuer: "https://issuer.example", jwksUri: "https://issuer.example/keys", outputClaimToHeaders: [{header: x-user, claim: email}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, action: DENY, rules: [{from: [{source: {notRequestPrincipals: ["*"]}}]}]}
`

const application = `
apiVersion: v1
kind: Namespace
metadata: {name: app-NUMBER, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: app-NUMBER}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: app-NUMBER}
spec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: app-NUMBER}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http:
  - match: [{uri: {exact: /app-NUMBER}}]
    redirect: {uri: /app-NUMBER/}
  - match: [{uri: {prefix: /app-NUMBER/}}]
    rewrite: {uri: /}
    route: [{destination: {host: app}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: gateway, namespace: app-NUMBER}
spec: {action: ALLOW, rules: [{from: [{source: {principals: [cluster.local/ns/istio-system/sa/default]}}]}]}
`
