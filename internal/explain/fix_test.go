package explain

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/caller"
)

// allow is an ALLOW policy at the platform's gateway with this rule.
func allow(rule string) string {
	return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: allow, namespace: istio-system}\nspec:\n  selector: {matchLabels: {istio: gw}}\n  rules:\n" + rule
}

const (
	web = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: [istio-system/gw]
  http:
  - match:
    - uri: {prefix: /web/}
    route: [{destination: {host: web}}]
`
	webService = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n  SELECTOR\n  ports: [{name: http, port: 80, targetPort: http}]\n"
	webPods    = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]}
`
	ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: istio-system}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http:
      paths:
      - {path: /web, pathType: Prefix, backend: {service: {name: gw, port: {number: 80}}}}
`
)

// The edit that is told lets the request in: it is made, and the request asked about
// again. EDIT stands where it goes, with its indent, or what it replaces.
func TestEditsLetIn(t *testing.T) {
	service := strings.Replace(webService, "SELECTOR", "selector: {app: web}", 1)
	pods := strings.Replace(webPods, "  REPLICAS\n", "", 1)
	denies := func(rule string) string {
		return strings.Replace(allow(rule), "  rules:", "  action: DENY\n  rules:", 1)
	}
	for _, c := range []struct {
		name string
		q    Question
		more string
		// What stands in the manifests for EDIT, and is replaced by the edit.
		before string
		says   string
		place  string // the field
	}{
		{"a method", Question{URL: "http://shop.example.com/web/", Method: "POST"},
			allow("  - to:\n    - operation:\n        EDIT"), `methods: ["GET"]`, `method is "POST"; the rule would let it in with`, "spec.rules[0].to[0].operation"},
		{"the nearest of two rules", Question{URL: "http://shop.example.com/web/x"},
			allow("  - to: [{operation: {methods: [POST], paths: [/other]}}]\n  - to:\n    - operation:\n        EDIT"), `paths: ["/web/y"]`, `path is "/web/x"`, "spec.rules[1].to[0].operation"},
		{"a path that is left out", Question{URL: "http://shop.example.com/web/x"},
			allow("  - to:\n    - operation:\n        methods: [GET]\n        EDIT"), `notPaths: ["/web/*", "/b"]`, `path is "/web/x"`, "spec.rules[0].to[0].operation"},
		{"a header", Question{URL: "http://shop.example.com/web/", Headers: []string{"x-team: b"}},
			allow("  - when:\n    - EDIT"), "key: request.headers[x-team]\nvalues: [\"a\"]", `request.headers[x-team] is "b"`, "spec.rules[0].when[0]"},
		{"a claim", Question{URL: "http://shop.example.com/web/", As: caller.Spec{Claims: map[string]any{"iss": "https://issuer.example", "sub": "a", "plan": "free"}}},
			allow("  - when:\n    - EDIT"), "key: request.auth.claims[plan]\nvalues: [\"paid\"]", `request.auth.claims[plan] is "free"`, "spec.rules[0].when[0]"},
		{"an address", Question{URL: "http://shop.example.com/web/", From: "203.0.113.7"},
			allow("  - from:\n    - source:\n        EDIT"), `ipBlocks: ["10.0.0.0/8"]`, `source.ip is "203.0.113.7"`, "spec.rules[0].from[0].source"},
		{"a DENY rule", Question{URL: "http://shop.example.com/web/x"},
			denies("  - to:\n    - operation:\n        EDIT"), `paths: ["/web/*"]`, "make an exception of the path", "spec.rules[0].to[0].operation"},
		{"a DENY rule about everything", Question{URL: "http://shop.example.com/web/x"},
			denies("  - EDIT"), "from: [{source: {notNamespaces: [a]}}]", "", ""},
		{"a slash", Question{URL: "http://shop.example.com/web"},
			"", "", "ask for /web/ with the slash", "spec.http"},
		{"another path", Question{URL: "http://shop.example.com/wet/x"},
			"", "", "the nearest takes path prefix", "spec.http[0].match"},
		{"another host", Question{URL: "http://shopp.example.com/web/"},
			"", "", "did you mean shop.example.com?", "spec.hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.q.As.Claims == nil {
				c.q.As.User = "alice"
			}
			c.q.Via = "istio-system/gw:80"
			more := strings.Replace(c.more, "EDIT", indented(c.more, c.before), 1)
			e := ask(t, ground(t, append([]string{platform, web, service, pods}, some(more)...)...), c.q)
			if e.Served || len(e.Fixes) == 0 {
				t.Fatalf("it is %s, with %v", e.Outcome, e.Fixes)
			}
			if c.says == "" {
				return // it says what the rule wants; nothing is to be pasted
			}
			f := e.Fixes[0]
			if !strings.Contains(f.What, c.says) || f.Place == nil || f.Place.Field != c.place {
				t.Fatalf("it says %q at %+v, want %q at %q", f.What, f.Place, c.says, c.place)
			}
			vs := web
			switch c.place {
			case "spec.http":
				vs = strings.Replace(vs, "  http:\n", "  http:\n  "+strings.ReplaceAll(f.YAML, "\n", "\n  ")+"\n", 1)
			case "spec.http[0].match":
				vs = strings.Replace(vs, "  - match:\n", "  - match:\n    "+f.YAML+"\n", 1)
			case "spec.hosts":
				vs = strings.Replace(vs, "  hosts: [shop.example.com]\n", "  hosts:\n  - shop.example.com\n  "+f.YAML+"\n", 1)
			default:
				if !f.Proven {
					t.Error("the edit was not tried")
				}
				more = strings.Replace(c.more, "EDIT", indented(c.more, f.YAML), 1)
			}
			if e := ask(t, ground(t, append([]string{platform, vs, service, pods}, some(more)...)...), c.q); !e.Served {
				t.Errorf("after the edit\n%s\nit is %s: %s", f.YAML, e.Outcome, e.Reason)
			}
		})
	}
}

func some(manifest string) []string {
	if manifest == "" {
		return nil
	}
	return []string{manifest}
}

// indented gives the lines of an edit the indent of the line that EDIT is on.
func indented(manifest, edit string) string {
	before, _, _ := strings.Cut(manifest, "EDIT")
	column := len(before) - strings.LastIndexByte(before, '\n') - 1
	return strings.ReplaceAll(strings.TrimRight(edit, "\n"), "\n", "\n"+strings.Repeat(" ", column))
}

// For a Service that nobody is behind it is told what does not fit.
func TestNobodyBehind(t *testing.T) {
	named := strings.Replace(webService, "targetPort: http", "targetPort: htpp", 1)
	for _, c := range []struct {
		name, service, pods string
		says, place, yaml   string
	}{
		{"another selector", "selector: {app: wep}", "", "no Pods have the Service's labels; those of Deployment shop/web have", "Service shop/web spec.selector", "selector: {app: web}"},
		{"no selector", "clusterIP: None", "", "the Service selects no Pods", "Service shop/web spec", ""},
		{"none wanted", "selector: {app: web}", "replicas: 0", "Deployment shop/web is scaled to none", "Deployment shop/web spec.replicas", "replicas: 1"},
		{"no such port", "", "", "no container port of Deployment shop/web is named htpp; there is 8080 http", "Service shop/web spec.ports[0].targetPort", ""},
	} {
		service := strings.Replace(webService, "SELECTOR", c.service, 1)
		if c.service == "" {
			service = strings.Replace(named, "SELECTOR", "selector: {app: web}", 1)
		}
		pods := strings.Replace(webPods, "REPLICAS\n", c.pods+"\n", 1)
		e := ask(t, ground(t, platform, web, service, pods), Question{URL: "http://shop.example.com/web/", Via: "istio-system/gw:80", As: caller.Spec{User: "alice"}})
		if len(e.Fixes) != 1 || !strings.Contains(e.Fixes[0].What, c.says) || e.Fixes[0].Place.Object+" "+e.Fixes[0].Place.Field != c.place || e.Fixes[0].YAML != c.yaml || e.Answer.Status != 503 {
			t.Errorf("%s: %+v", c.name, e.Fixes)
		}
	}
}

// The edge's routes and bounds have edits, too.
func TestEditsAtTheEdge(t *testing.T) {
	g := ground(t, platform, ingress)
	e := ask(t, g, Question{URL: "http://shop.example.com/other"})
	if len(e.Fixes) != 1 || e.Fixes[0].Place.Field != "spec.rules[0].http.paths" || !strings.HasPrefix(e.Fixes[0].YAML, "- path: /other\n") {
		t.Errorf("no route: %+v", e.Fixes)
	}
	e = ask(t, g, Question{URL: "http://shoq.example.com/web"})
	if len(e.Fixes) != 1 || !strings.Contains(e.Fixes[0].What, "did you mean shop.example.com?") || e.Fixes[0].Place.Field != "spec.rules" {
		t.Errorf("no host: %+v", e.Fixes)
	}
}

// A port takes plain text or TLS, and says who asks for the other.
func TestConnectionsThatAreNotTaken(t *testing.T) {
	g := ground(t, platform)
	for _, c := range []struct{ url, via, want string }{
		{"https://shop.example.com/a?b", "istio-system/gw:80", "the port takes plain HTTP alone: ask for http://shop.example.com/a?b, or --via istio-system/gw:443"},
		{"http://shop.example.com/", "istio-system/gw:443", "the port takes TLS alone: ask for https://shop.example.com/, or --via istio-system/gw:80"},
		{"https://shop.example.com/", "istio-system/gw:443", "create the Secret in namespace istio-system"},
	} {
		e := ask(t, g, Question{URL: c.url, Via: c.via})
		if len(e.Fixes) != 1 || e.Fixes[0].What != c.want || e.Served {
			t.Errorf("%s via %s: %+v, want %q", c.url, c.via, e.Fixes, c.want)
		}
	}
}

// A workload that takes mutual TLS alone says so, with who asks for it.
func TestStrictWorkloads(t *testing.T) {
	const strict = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}\n---\n" +
		"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: strict, namespace: shop}\nspec: {mtls: {mode: STRICT}}\n"
	const plain = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: plain, namespace: shop}\nspec: {host: web, trafficPolicy: {tls: {mode: DISABLE}}}\n"
	service := strings.Replace(webService, "SELECTOR", "selector: {app: web}", 1)
	pods := strings.Replace(webPods, "  REPLICAS\n", "", 1)
	g := ground(t, platform, web, service, pods, strict, plain)
	for _, c := range []struct {
		q     Question
		first string
		place string // of the last
	}{
		{Question{URL: "http://web.shop/", Via: "shop/web:80"}, "", "PeerAuthentication shop/strict spec.mtls.mode"},
		{Question{URL: "http://shop.example.com/web/", Via: "istio-system/gw:80", As: caller.Spec{User: "alice"}}, "DestinationRule shop/plain spec.trafficPolicy.tls.mode", "PeerAuthentication shop/strict spec.mtls.mode"},
	} {
		e := ask(t, g, c.q)
		if e.Served || len(e.Fixes) < 2 {
			t.Fatalf("%s: %s, %+v", c.q.URL, e.Outcome, e.Fixes)
		}
		first, last := e.Fixes[0], e.Fixes[len(e.Fixes)-1].Place
		if last.Object+" "+last.Field != c.place {
			t.Errorf("%s: the last edit is in %+v", c.q.URL, last)
		}
		if c.first == "" && !strings.HasPrefix(first.What, "come from a Pod with a sidecar") || c.first != "" && first.Place.Object+" "+first.Place.Field != c.first {
			t.Errorf("%s: the first edit is %+v", c.q.URL, first)
		}
	}
	e := ask(t, g, Question{URL: "http://web.shop/", Via: "shop/web:80", As: caller.Spec{ServiceAccount: "jobs/runner"}})
	if !e.Served || len(e.Assumed) != 1 || !strings.Contains(e.Assumed[0], "as cluster.local/ns/jobs/sa/runner") {
		t.Errorf("a peer is %s, %q", e.Outcome, e.Assumed)
	}
}

// What a rule must not be told of, no edit tells.
func TestEditsKeepSecrets(t *testing.T) {
	rule := "  - when: [{key: \"request.headers[x-api-key]\", values: [right]}]\n"
	e := ask(t, ground(t, platform, web, strings.Replace(webService, "SELECTOR", "selector: {app: web}", 1), allow(rule)),
		Question{URL: "http://shop.example.com/web/", Via: "istio-system/gw:80", As: caller.Spec{User: "alice"}, Headers: []string{"x-api-key: hunter2"}})
	for _, f := range e.Fixes {
		if strings.Contains(f.What+f.YAML, "hunter2") {
			t.Errorf("the edit tells the key: %+v", f)
		}
	}
	if len(e.Fixes) != 1 || e.Fixes[0].What != `request.headers[x-api-key] must be "right"` {
		t.Errorf("edits are %+v", e.Fixes)
	}
}
