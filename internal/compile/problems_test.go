package compile

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/problem"
)

// Each mistake is told once, at its field, with what there is and what to do.
func TestMistakesAreTold(t *testing.T) {
	gatewayYAML := func(name, rest string) string {
		return "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: " + name + ", namespace: shop}\nspec:\n" + rest
	}
	vsYAML := func(name, spec string) string {
		return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name + ", namespace: shop}\nspec:\n" + spec
	}
	const route = "  http: [{route: [{destination: {host: app}}]}]\n"
	for _, c := range []struct {
		name, yaml string
		want       string // code, object, field
		says       string
	}{
		{"a Gateway of the same name elsewhere", vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [gateway]\n"+route),
			"error gateway-not-found VirtualService shop/vs spec.gateways[0]", "write kubeflow/gateway"},
		{"a Gateway with a slip", vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [mesh, kubeflow/gatway]\n"+route),
			"error gateway-not-found VirtualService shop/vs spec.gateways[1]", "there is kubeflow/gateway"},
		{"a host that the Gateway does not serve", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [b.example.com]}]\n") +
			"---\n" + vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [gw]\n"+route),
			"warning vs-host-not-in-gateway VirtualService shop/vs spec.hosts", "it serves b.example.com"},
		{"a host for another namespace", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"kubeflow/*\"]}]\n") +
			"---\n" + vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [gw]\n"+route),
			"warning vs-host-not-in-gateway VirtualService shop/vs spec.hosts", "for namespace shop"},
		{"a selector that nothing has", gatewayYAML("gw", "  selector: {istio: ingress-gateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}]\n"),
			"error gateway-selects-nothing Gateway shop/gw spec.selector", "there is Service istio-system/ingress with istio: ingressgateway"},
		{"Pods without a Service", gatewayYAML("gw", "  selector: {app: lone}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"]}]\n") +
			"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: lone, namespace: shop}\nspec:\n  selector: {matchLabels: {app: lone}}\n  template:\n    metadata: {labels: {app: lone}}\n    spec: {containers: [{name: c, image: c}]}\n",
			"error gateway-selects-nothing Gateway shop/gw spec.selector", "no Service leads to the Pods of shop/lone"},
		{"a port that the gateway does not have", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 8081, name: http, protocol: HTTP}, hosts: [\"*\"]}]\n"),
			"warning gateway-port-not-on-service Gateway shop/gw spec.servers[0].port.number", "80 (http2), 443 (https)"},
		{"a Secret that is not there", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: {mode: SIMPLE, credentialName: cert}}]\n"),
			"error gateway-credential-not-found Gateway shop/gw spec.servers[0].tls.credentialName", "namespace istio-system"},
		{"a Secret in the Gateway's namespace", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: {mode: SIMPLE, credentialName: cert}}]\n") +
			"---\napiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: shop}\n",
			"error gateway-credential-not-found Gateway shop/gw spec.servers[0].tls.credentialName", "there is one in namespace shop"},
		{"a Secret without a certificate", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: {mode: SIMPLE, credentialName: cert}}]\n") +
			"---\napiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: istio-system}\nstringData: {tls.crt: a, tls.key: b}\n",
			"error gateway-credential-invalid Gateway shop/gw spec.servers[0].tls.credentialName", "no usable certificate"},
		{"client certificates", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: {mode: MUTUAL, credentialName: cert}}]\n"),
			"warning not-carried-out Gateway shop/gw spec.servers[0].tls.mode", "refuses every connection"},
		{"TCP", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 443, name: tcp, protocol: TCP}, hosts: [\"*\"]}]\n"),
			"warning not-carried-out Gateway shop/gw spec.servers[0].port.protocol", "refuses every connection"},
		{"HTTP and TLS on one port", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: tls, protocol: TLS}, hosts: [\"*\"], tls: {mode: PASSTHROUGH}}]\n"),
			"error gateway-conflict Gateway shop/gw spec.servers[0].port.protocol", "Gateway kubeflow/gateway"},
		{"one host with TLS twice", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers:\n"+
			"  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [a.example.com], tls: {mode: PASSTHROUGH}}\n"+
			"  - {port: {number: 443, name: tls2, protocol: TLS}, hosts: [b.example.com, a.example.com], tls: {mode: PASSTHROUGH}}\n"),
			"error gateway-conflict Gateway shop/gw spec.servers[1].hosts", "a.example.com"},
		{"a rule behind one that takes everything", rulesYAML("  - route: [{destination: {host: app}}]\n  - match: [{uri: {prefix: /x}}]\n    route: [{destination: {host: app}}]\n"),
			"warning rule-unreachable VirtualService shop/vs spec.http[1]", "takes every request"},
		{"a condition twice", rulesYAML("  - match: [{uri: {prefix: /x}}]\n    route: [{destination: {host: app}}]\n  - match: [{uri: {prefix: /y}}, {uri: {prefix: /x}}]\n    route: [{destination: {host: other}}]\n"),
			"info match-duplicate VirtualService shop/vs spec.http[1].match[1]", "spec.http[0].match[0]"},
		{"a delegate that is not there", rulesYAML("  - match: [{uri: {prefix: /x}}]\n    delegate: {name: ghost}\n"),
			"error delegate-not-found VirtualService shop/vs spec.http[0].delegate", "shop/ghost"},
		{"hidden from the gateway", vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [kubeflow/gateway]\n  exportTo: [\".\"]\n"+route),
			"error not-exported VirtualService shop/vs spec.exportTo", `add "istio-system"`},
		{"an unknown Service", rulesYAML("  - route: [{destination: {host: ap}}]\n"),
			"error host-not-found VirtualService shop/vs spec.http[0].route[0].destination.host", `did you mean "app.shop.svc.cluster.local"`},
		{"an invalid regex", rulesYAML("  - match: [{uri: {regex: \"/a(\"}}]\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].match[0].uri", "503"},
		{"an invalid regex of a header", rulesYAML("  - match: [{headers: {x-a: {regex: \"(\"}}}]\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].match[0].headers.x-a", "503"},
		{"a group that the regex lacks", rulesYAML("  - rewrite: {uriRegexRewrite: {match: a, rewrite: '\\1'}}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].rewrite.uriRegexRewrite.rewrite", `\1`},
		{"a lone percent sign", rulesYAML("  - headers: {request: {set: {x-a: \"5%\"}}}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].headers.request.set.x-a", "%%"},
		{"an unknown condition to retry on", rulesYAML("  - retries: {attempts: 1, retryOn: \"5xx,conect-failure\"}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].retries.retryOn", `did you mean "connect-failure"`},
		{"a header that is none", rulesYAML("  - headers: {request: {set: {\"x a\": b}}}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].headers.request.set.x a", "no name of a header"},
		{"a header that would split the message", rulesYAML("  - headers: {response: {add: {x-a: \"b\\r\\nset-cookie: c\"}}}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].headers.response.add.x-a", "control character"},
		{"a path that would split the request line", rulesYAML("  - rewrite: {uri: \"/a HTTP/1.1\\r\\nx: y\"}\n    route: [{destination: {host: app}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].rewrite.uri", "control character"},
		{"a Location that would split the answer", rulesYAML("  - redirect: {uri: \"/a\\r\\nx: y\"}\n"),
			"error schema VirtualService shop/vs spec.http[0].redirect.uri", "control character"},
		{"no weight at all", rulesYAML("  - route: [{destination: {host: app}}, {destination: {host: other}}]\n"),
			"error schema VirtualService shop/vs spec.http[0].route", "weights"},
		{"a host with a port", vsYAML("vs", "  hosts: [\"a.example.com:80\"]\n  gateways: [kubeflow/gateway]\n"+route),
			"error schema VirtualService shop/vs spec.hosts", "no host name"},
		{"TLS on a plain port", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"], tls: {mode: SIMPLE, credentialName: cert}}]\n"),
			"error schema Gateway shop/gw spec.servers[0].tls", "use protocol HTTPS"},
		{"a server for loopback", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [\"*\"], bind: 127.0.0.1}]\n"),
			"warning not-carried-out Gateway shop/gw spec.servers[0].bind", "left out"},
		{"a server without hosts", gatewayYAML("gw", "  selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}}]\n"),
			"error schema Gateway shop/gw spec.servers[0].hosts", "no hosts"},
		{"tcp routes", vsYAML("vs", "  hosts: [a.example.com]\n  gateways: [kubeflow/gateway]\n  tcp: [{route: [{destination: {host: app}}]}]\n"+route),
			"warning not-carried-out VirtualService shop/vs spec.tcp", "not carried out"},
		{"mistakes of a VirtualService on no gateway", vsYAML("vs", "  hosts: [a.example.com]\n  http: [{match: [{uri: {regex: \"(\"}}], route: [{destination: {host: app}}]}]\n"),
			"error schema VirtualService shop/vs spec.http[0].match[0].uri", "RE2"},
		{"an unknown field of MeshConfig", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    pathNormalisation: {normalization: NONE}\n",
			"error unknown-field ConfigMap istio-system/istio data.mesh.pathNormalisation", `did you mean "pathNormalization"`},
		{"a MeshConfig that is none", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: \"trustDomain: [a]\"}\n",
			"error schema ConfigMap istio-system/istio data.mesh", "Istio's defaults are used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := compileYAML(t, c.yaml)
			found := 0
			for _, p := range problems {
				if got := string(p.Severity) + " " + p.Code + " " + p.Object + " " + p.Field; got != c.want {
					if other := p.Code == problem.GatewayConflict && strings.Contains(c.want, p.Code); !other && (p.Severity == problem.Error || p.Code != problem.NotCarriedOut) {
						t.Errorf("got also %v", p)
					}
					continue
				}
				found++
				if text := p.Message + " " + p.Remedy; !strings.Contains(text, c.says) {
					t.Errorf("got %q, want %q in it", text, c.says)
				}
				if p.File != "m.yaml" || p.Line == 0 || p.Remedy == "" {
					t.Errorf("the problem lacks its place or remedy: %v", p)
				}
			}
			if found != 1 {
				t.Errorf("got %d times %s\n%v", found, c.want, problems)
			}
		})
	}
}

// The ground itself, and what is right, is not complained about.
func TestNothingIsWrong(t *testing.T) {
	_, problems := compileYAML(t, rulesYAML("  - match: [{uri: {prefix: /a}}, {uri: {prefix: /a}, method: {exact: PUT}}]\n    route: [{destination: {host: app}}]\n  - route: [{destination: {host: other.shop.svc.cluster.local, port: {number: 80}}}]\n"))
	if len(problems) > 0 {
		t.Error(problems)
	}
}
