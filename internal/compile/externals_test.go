package compile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// meshYAML is a MeshConfig with these extensionProviders.
func meshYAML(providers string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    extensionProviders:\n" +
		"    " + strings.ReplaceAll(strings.TrimSpace(providers), "\n", "\n    ") + "\n"
}

// customYAML is a CUSTOM policy for the gateway.
func customYAML(name, provider string) string {
	return "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: " + name + ", namespace: istio-system}\n" +
		"spec: {selector: {matchLabels: {istio: ingressgateway}}, action: CUSTOM, rules: [{}]" + provider + "}\n"
}

// external is the gateway's guard that asks.
func external(t *testing.T, p *plan.Plan) *plan.External {
	t.Helper()
	for _, l := range p.Listeners() {
		for _, g := range l.Guards {
			if x, ok := g.(*plan.External); ok {
				return x
			}
		}
	}
	t.Fatal("nobody is asked")
	return nil
}

const plainGatewayYAML = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs, namespace: shop}\n" +
	"spec: {hosts: [a.example.com], gateways: [kubeflow/gateway], http: [{route: [{destination: {host: app}}]}]}\n"

func TestProviders(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"the least", "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80}",
			"outbound|80||app.shop.svc.cluster.local 10m0s 403 false false [] [] [] [] [] 0"},
		{"everything", `
- name: p
  envoyExtAuthzHttp:
    service: shop/app.shop.svc.cluster.local
    port: 80
    timeout: 1.5s
    pathPrefix: /check
    failOpen: true
    clearRouteCache: true
    statusOnError: "503"
    includeRequestHeadersInCheck: [X-A, b-*, "*-c"]
    includeHeadersInCheck: [ignored]
    includeAdditionalHeadersInCheck: {X-B: b, X-A: a}
    includeRequestBodyInCheck: {maxRequestBytes: 10, allowPartialMessage: true}
    headersToUpstreamOnAllow: [x-u]
    headersToDownstreamOnAllow: [x-d]
    headersToDownstreamOnDeny: [x-n]
`, `outbound|80||app.shop.svc.cluster.local 1.5s 503 true true [exact "x-a" prefix "b-" suffix "-c"] [{x-a a} {x-b b}] [exact "x-u"] [exact "x-d"] [exact "x-n"] 10`},
		{"the older name of a field", "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80, includeHeadersInCheck: [x-a]}",
			`outbound|80||app.shop.svc.cluster.local 10m0s 403 false false [exact "x-a"] [] [] [] [] 0`},
	} {
		p, problems := compileYAML(t, meshYAML(c.yaml), customYAML("ask", ", provider: {name: p}"), plainGatewayYAML)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.name, problems)
		}
		x := external(t, p)
		if x.Broken != "" {
			t.Errorf("%s: %s", c.name, x.Broken)
			continue
		}
		a := x.Provider
		if got := fmt.Sprint(a.Backend.Key, " ", a.Timeout, " ", a.StatusOnError, " ", a.FailOpen, " ", a.Reroute, " ", a.SendHeaders, " ", a.AddHeaders, " ",
			a.UpstreamOnAllow, " ", a.DownstreamOnAllow, " ", a.DownstreamOnDeny, " ", a.Body); got != c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.want)
		}
		found := false
		for _, b := range p.Backends() {
			found = found || b == a.Backend
		}
		if !found {
			t.Errorf("%s: the plan does not know the authorizer's backend", c.name)
		}
	}
}

func TestProviderOverGRPC(t *testing.T) {
	p, problems := compileYAML(t, meshYAML("- name: p\n  envoyExtAuthzGrpc: {service: auth.shop.svc.cluster.local, port: 9000, timeout: 2s, failOpen: true, includeRequestBodyInCheck: {maxRequestBytes: 5, packAsBytes: true}}"),
		customYAML("ask", ", provider: {name: p}"), plainGatewayYAML,
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: auth, namespace: shop}\nspec: {selector: {app: auth}, ports: [{name: grpc, port: 9000}]}\n")
	x := external(t, p)
	if len(problems) > 0 || x.Provider == nil {
		t.Fatalf("%v %s", problems, x.Broken)
	}
	a := x.Provider
	if !a.GRPC || a.Host != "outbound_.9000_._.auth.shop.svc.cluster.local" || a.Timeout != 2*time.Second || !a.FailOpen || a.Body != 5 || !a.PackAsBytes || a.Backend.Protocol != plan.HTTP2 {
		t.Errorf("got %+v", a)
	}
}

// Whom nobody can ask denies, and says why.
func TestBrokenProviders(t *testing.T) {
	good := "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80}\n"
	field := func(text string) string {
		return "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80, " + text + "}"
	}
	policy := customYAML("ask", ", provider: {name: p}")
	const provider, policyObject = " ConfigMap istio-system/istio data.mesh.extensionProviders[0]", " AuthorizationPolicy istio-system/ask "
	for _, c := range []struct {
		name, mesh, policies string
		want, says           string // problem; what it says
		asks                 bool
	}{
		{"no such provider", strings.Replace(good, "p", "oauth2-proxy", 1), customYAML("ask", ", provider: {name: oauth2proxy}"),
			"error authz-provider-not-found" + policyObject + "spec.provider.name", `did you mean "oauth2-proxy"?`, false},
		{"a provider of another kind", "- name: p\n  opentelemetry: {service: otel.example.com, port: 4317}", policy, "error authz-provider-not-found" + policyObject + "spec.provider.name", "there is none", false},
		{"no provider", good, customYAML("ask", ""), "error authz-provider-not-found" + policyObject + "spec.provider", "there is p", false},
		{"two providers", good + "- name: q\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80}", policy + customYAML("other", ", provider: {name: q}"),
			"error authz-provider-not-found AuthorizationPolicy istio-system/other spec.provider.name", "names the provider p", false},
		{"two of one name", good + good, policy, "error schema ConfigMap istio-system/istio data.mesh.extensionProviders[1].name", "two providers are called p", false},
		{"no such Service", "- name: p\n  envoyExtAuthzHttp: {service: ap.shop.svc.cluster.local, port: 80}", policy,
			"error authz-provider-service-not-found" + provider + ".envoyExtAuthzHttp.service", `did you mean "app.shop.svc.cluster.local"?`, false},
		{"a short name", "- name: p\n  envoyExtAuthzHttp: {service: shop/app, port: 80}", policy,
			"error authz-provider-service-not-found" + provider + ".envoyExtAuthzHttp.service", "write app.shop.svc.cluster.local", false},
		{"another namespace", "- name: p\n  envoyExtAuthzHttp: {service: other/app.shop.svc.cluster.local, port: 80}", policy,
			"error authz-provider-service-not-found" + provider + ".envoyExtAuthzHttp.service", "there is no Service", false},
		{"no such port", "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 81}", policy,
			"error authz-provider-service-not-found" + provider + ".envoyExtAuthzHttp.port", "every check fails", true},
		{"no port", "- name: p\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local}", policy, "error schema" + provider + ".envoyExtAuthzHttp.port", "use a port of the Service", false},
		{"a status that is none", field("statusOnError: Forbidden"), policy, "error schema" + provider + ".envoyExtAuthzHttp.statusOnError", "no status", false},
		{"a timeout that is none", field("timeout: 0s"), policy, "error schema" + provider + ".envoyExtAuthzHttp.timeout", "needs time", false},
		{"a path that is none", field("pathPrefix: check"), policy, "error schema" + provider + ".envoyExtAuthzHttp.pathPrefix", `write "/check"`, false},
		{"a star alone", field(`headersToUpstreamOnAllow: ["*"]`), policy, "error schema" + provider + ".envoyExtAuthzHttp.headersToUpstreamOnAllow[0]", "name the headers", false},
		{"a body without a bound", field("includeRequestBodyInCheck: {}"), policy, "error schema" + provider + ".envoyExtAuthzHttp.includeRequestBodyInCheck.maxRequestBytes", "a bound", false},
		{"gRPC over HTTP/1.1", "- name: p\n  envoyExtAuthzGrpc: {service: app.shop.svc.cluster.local, port: 80}", policy, "warning backend-protocol-mismatch" + provider + ".envoyExtAuthzGrpc.port", "every check fails", true},
	} {
		p, problems := compileYAML(t, meshYAML(c.mesh), c.policies, plainGatewayYAML)
		x := external(t, p)
		if asks := x.Broken == ""; asks != c.asks || asks != (x.Provider != nil) {
			t.Errorf("%s: asks %v, want %v: %s", c.name, asks, c.asks, x.Broken)
		}
		found := 0
		for _, got := range problems {
			if s := fmt.Sprint(got.Severity, " ", got.Code, " ", got.Object, " ", got.Field); s != c.want {
				t.Errorf("%s: got also %v", c.name, got)
			} else if found++; !strings.Contains(got.Message+" "+got.Remedy, c.says) || got.Line == 0 {
				t.Errorf("%s: got %v, want %q in it", c.name, got, c.says)
			}
		}
		if found != 1 {
			t.Errorf("%s: got %d times %s", c.name, found, c.want)
		}
	}
}

// Mistakes in a provider that no policy names hurt nobody, nor does a dry run.
func TestProvidersThatNobodyAsks(t *testing.T) {
	dry := strings.Replace(customYAML("ask", ", provider: {name: ghost}"), "name: ask", `annotations: {istio.io/dry-run: "true"}, name: ask`, 1)
	p, problems := compileYAML(t, meshYAML("- name: p\n  envoyExtAuthzHttp: {service: ghost}\n- name: q\n  envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80}"),
		dry, customYAML("real", ", provider: {name: q}"), plainGatewayYAML)
	if x := external(t, p); x.Broken != "" || x.Provider.Name != "q" {
		t.Errorf("got %+v", x)
	}
	for _, got := range problems {
		if got.Code != "dry-run-policy" && got.Code != "authz-provider-not-found" {
			t.Error(got)
		}
	}
}
