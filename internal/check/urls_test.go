package check

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/doorward/doorward/internal/compile"
)

// What shows on the requests of a route carries an address at which it shows.
func TestFindingsOfRoutesHaveAddresses(t *testing.T) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"redirect-loop-self", "rewrite-slash-mismatch", "vs-route-conflict", "prefix-catches-siblings", "forwarded-prefix-missing",
		"vs-host-hides-wildcard", "vs-host-not-at-edge", "edge-path-not-forwarded", "redirect-loop-tls", "prefix-redirect-missing",
		"rule-shadowed", "rule-unreachable", "match-duplicate", "timeout-order"} {
		a, err := txtar.ParseFile("testdata/" + code + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{string(platform), string(a.Files[0].Data)}
		if a.Files[0].Name == "platform.yaml" {
			texts = []string{string(a.Files[0].Data), string(a.Files[1].Data)}
		}
		set, found := run(t, texts...)
		p, _ := compile.Compile(set, compile.Options{IngressClasses: []string{"nginx"}})
		Locate(found, set, p)
		for _, p := range of(code, found) {
			if streams := strings.HasPrefix(p.Field, "spec.tcp") || strings.HasPrefix(p.Field, "spec.tls"); (p.URL == "") != streams {
				t.Errorf("URL %q: %s", p.URL, p)
			}
		}
	}
}

// What is wrong with a Service shows where a route leads to it, on the port that it is
// about.
func TestFindingsOfServicesHaveAddresses(t *testing.T) {
	platform, err := os.ReadFile("testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const app = `
apiVersion: v1
kind: Service
metadata: {name: late, namespace: shop}
spec:
  selector: {app: late}
  ports: [{name: http, port: 80, targetPort: web}, {name: http-admin, port: 81, targetPort: admin}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: late, namespace: shop}
spec:
  selector: {matchLabels: {app: late}}
  template:
    metadata: {labels: {app: late}}
    spec: {containers: [{name: late, image: late, ports: [{name: web, containerPort: 8080}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: late, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [kubeflow/gateway]
  http:
  - match: [{uri: {prefix: /late/}}]
    route: [{destination: {host: late, port: {number: 80}}}]
  - match: [{uri: {prefix: /late-admin/}}]
    route: [{destination: {host: late, port: {number: 81}}}]
`
	set, found := run(t, string(platform), app)
	p, _ := compile.Compile(set, compile.Options{IngressClasses: []string{"nginx"}})
	Locate(found, set, p)
	hits := of("target-port-not-found", found)
	if len(hits) != 1 || !strings.HasSuffix(hits[0].URL, "/late-admin/") {
		t.Errorf("got %v, want one at /late-admin/", hits)
	}
}
