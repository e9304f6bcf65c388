package compile

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/source"
)

func namespaceYAML(name, labels string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: {" + labels + "}}"
}

func peerYAML(name, spec string) string {
	namespace, name, _ := strings.Cut(name, "/")
	return "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec: {" + spec + "}"
}

func deploymentYAML(own, labels, spec string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app, namespace: shop, labels: {" + own + "}}\nspec:\n  selector: {matchLabels: {app: app}}\n" +
		"  template:\n    metadata: {labels: {app: app" + labels + "}}\n    spec: {" + spec + "containers: [{name: app, image: app, ports: [{name: web, containerPort: 8080}]}]}"
}

// Each mistake about sidecars and mutual TLS is told once, at its field; what
// stands beside it and is none is not.
func TestMistakesAboutSidecars(t *testing.T) {
	const (
		injected = "istio-injection: enabled"
		ingress  = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: app, namespace: shop, annotations: {nginx.ingress.kubernetes.io/ssl-redirect: \"false\"}}\nspec:\n" +
			"  ingressClassName: nginx\n  rules: [{host: app.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]"
		strict = "mtls: {mode: STRICT}"
		vs     = "  - route: [{destination: {host: app}}]\n"
	)
	dr := func(mode string) string {
		return "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: app, namespace: shop}\nspec: {host: app, trafficPolicy: {tls: {mode: " + mode + "}}}"
	}
	for _, c := range []struct {
		name string
		yaml []string
		want string // severity, code, object, field; "" for no problem
		says string
	}{
		{"edge to STRICT", []string{namespaceYAML("shop", injected), ingress, peerYAML("shop/all", strict)},
			"error strict-mtls-plaintext-caller Ingress shop/app spec.rules[0].http.paths[0].backend", "PeerAuthentication shop/all"},
		{"edge to PERMISSIVE", []string{namespaceYAML("shop", injected), ingress, peerYAML("shop/all", "mtls: {mode: PERMISSIVE}")}, "", ""},
		{"edge to STRICT of the mesh", []string{namespaceYAML("shop", injected), ingress, peerYAML("istio-system/all", strict)},
			"error strict-mtls-plaintext-caller Ingress shop/app spec.rules[0].http.paths[0].backend", "the path answers 502"},
		{"edge to STRICT without a sidecar", []string{namespaceYAML("shop", "istio-injection: disabled"), ingress, peerYAML("istio-system/all", strict)}, "", ""},
		{"STRICT for nobody", []string{namespaceYAML("shop", "a: b"), deploymentYAML("", "", ""), peerYAML("shop/all", strict)},
			"warning strict-mtls-no-sidecar PeerAuthentication shop/all spec.mtls.mode", "Deployment shop/app"},
		{"STRICT for somebody", []string{namespaceYAML("shop", "a: b"), deploymentYAML("", ", sidecar.istio.io/inject: \"true\"", ""), peerYAML("shop/all", strict)}, "", ""},
		{"STRICT for others", []string{namespaceYAML("shop", "a: b"), deploymentYAML("", "", ""), peerYAML("shop/all", "selector: {matchLabels: {app: more}}, "+strict)}, "", ""},
		{"STRICT for a namespace that the files do not have", []string{deploymentYAML("", "", ""), peerYAML("shop/all", strict)}, "", ""},
		{"plain text to STRICT", []string{namespaceYAML("shop", injected), dr("DISABLE"), rulesYAML(vs), peerYAML("shop/all", strict)},
			"error dr-tls-conflict DestinationRule shop/app spec.trafficPolicy.tls.mode", "ISTIO_MUTUAL"},
		{"plain text to PERMISSIVE", []string{namespaceYAML("shop", injected), dr("DISABLE"), rulesYAML(vs)}, "", ""},
		{"ISTIO_MUTUAL to STRICT", []string{namespaceYAML("shop", injected), dr("ISTIO_MUTUAL"), rulesYAML(vs), peerYAML("shop/all", strict)}, "", ""},
		{"ISTIO_MUTUAL to nobody", []string{namespaceYAML("shop", "a: b"), dr("ISTIO_MUTUAL"), rulesYAML(vs)},
			"error dr-mtls-no-sidecar DestinationRule shop/app spec.trafficPolicy.tls.mode", "without a sidecar"},
		{"ISTIO_MUTUAL to DISABLE", []string{namespaceYAML("shop", injected), dr("ISTIO_MUTUAL"), rulesYAML(vs), peerYAML("shop/all", "mtls: {mode: DISABLE}")},
			"error dr-mtls-no-sidecar DestinationRule shop/app spec.trafficPolicy.tls.mode", "plain text only (PeerAuthentication shop/all)"},
		{"ports without a selector", []string{peerYAML("shop/all", "portLevelMtls: {8080: {mode: DISABLE}}")},
			"error peerauthn-port-without-selector PeerAuthentication shop/all spec.portLevelMtls", "matchLabels"},
		{"the Service's port", []string{"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: app}, ports: [{name: http, port: 81, targetPort: web}]}",
			namespaceYAML("shop", injected), deploymentYAML("", "", ""), peerYAML("shop/one", "selector: {matchLabels: {app: app}}, portLevelMtls: {81: {mode: DISABLE}, 8080: {mode: DISABLE}}")},
			"warning peerauthn-port-unknown PeerAuthentication shop/one spec.portLevelMtls[81]", "write 8080"},
		{"a selector in the root namespace", []string{peerYAML("istio-system/one", "selector: {matchLabels: {app: app}}, mtls: {mode: DISABLE}")},
			"warning schema PeerAuthentication istio-system/one spec.selector", "no effect"},

		{"webhook behind STRICT", []string{namespaceYAML("shop", injected), deploymentYAML("", "", ""), webhookYAML, peerYAML("shop/all", strict)},
			"error webhook-behind-strict ValidatingWebhookConfiguration hook webhooks[0].clientConfig.service", "excludeInboundPorts: \"80\""},
		{"webhook behind PERMISSIVE", []string{namespaceYAML("shop", injected), deploymentYAML("", "", ""), webhookYAML, peerYAML("shop/all", "mtls: {mode: PERMISSIVE}")}, "", ""},
		{"webhook past the sidecar", []string{namespaceYAML("shop", injected), strings.Replace(deploymentYAML("", "", ""), "metadata: {labels", "metadata: {annotations: {traffic.sidecar.istio.io/excludeInboundPorts: \"9, 80\"}, labels", 2), webhookYAML, peerYAML("shop/all", strict)}, "", ""},
		{"webhook without sidecar", []string{namespaceYAML("shop", "a: b"), webhookYAML}, "", ""},

		{"two labels", []string{namespaceYAML("shop", "istio-injection: enabled, istio.io/rev: canary")},
			"warning injection-label-conflict Namespace shop metadata.labels", "istio-injection=enabled and istio.io/rev=canary"},
		{"disabled, and a revision", []string{namespaceYAML("shop", "istio-injection: disabled, istio.io/rev: canary")}, "", ""},
		{"true", []string{namespaceYAML("shop", "istio-injection: \"true\"")},
			"warning injection-label-value Namespace shop metadata.labels.istio-injection", `write "enabled"`},
		{"the Pod's label on a Namespace", []string{namespaceYAML("shop", "sidecar.istio.io/inject: \"true\"")},
			"warning inject-label-misplaced Namespace shop metadata.labels.sidecar.istio.io/inject", "istio-injection"},
		{"the Namespace's label on a workload", []string{deploymentYAML("", ", istio-injection: enabled", "")},
			"warning inject-label-misplaced Deployment shop/app spec.template.metadata.labels.istio-injection", "Namespace"},
		{"on the Deployment itself", []string{deploymentYAML("sidecar.istio.io/inject: \"false\"", "", "")},
			"warning inject-label-misplaced Deployment shop/app metadata.labels.sidecar.istio.io/inject", "move it to spec.template"},
		{"on both", []string{deploymentYAML("sidecar.istio.io/inject: \"true\"", ", sidecar.istio.io/inject: \"true\"", "")}, "", ""},
		{"opted out", []string{namespaceYAML("shop", injected), deploymentYAML("", ", sidecar.istio.io/inject: \"false\"", "")},
			"info injection-overridden Deployment shop/app spec.template.metadata.labels.sidecar.istio.io/inject", "no policy is enforced"},
		{"opted in, in vain", []string{namespaceYAML("shop", "istio-injection: disabled"), deploymentYAML("", ", sidecar.istio.io/inject: \"true\"", "")},
			"info injection-overridden Deployment shop/app spec.template.metadata.labels.sidecar.istio.io/inject", "get no sidecar"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := Compile(loadYAML(t, append([]string{ground}, c.yaml...)...), Options{IngressClasses: []string{"nginx"}})
			var got []string
			for _, p := range problems {
				got = append(got, string(p.Severity)+" "+p.Code+" "+p.Object+" "+p.Field)
				if text := p.Message + " " + p.Remedy; !strings.Contains(text, c.says) || p.Line == 0 || p.Remedy == "" {
					t.Errorf("got %v, want %q in it", p, c.says)
				}
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Endpoints that differ in what security objects select by part, each behind its
// door; keys stay as they are where they do not.
func TestDoorsOfEndpoints(t *testing.T) {
	policy := func(labels string) string {
		return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {selector: {matchLabels: {" + labels + "}}}"
	}
	attached := func(labels ...string) (all []Attached) {
		for i, l := range labels {
			a := Attached{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:" + strconv.Itoa(i+1), Labels: map[string]string{}}
			for _, pair := range strings.Fields(l) {
				k, v, _ := strings.Cut(pair, "=")
				a.Labels[k] = v
			}
			all = append(all, a)
		}
		return all
	}
	const key = "outbound|80||app.shop.svc.cluster.local"
	for _, c := range []struct {
		name, namespace, policy string
		endpoints               []string
		want                    []string // key, door, number of endpoints
	}{
		{"no sidecar", "a: b", "app: app", []string{"", ""}, []string{key + "  2"}},
		{"one door", "istio-injection: enabled", "app: app", []string{"version=v1", "version=v2"}, []string{key + " workload shop/app:80 2"}},
		{"two doors", "istio-injection: enabled", "version: v1", []string{"version=v1", "version=v2", "version=v2"},
			[]string{key + "|version=v1 workload shop/app:80 version=v1 1", key + "|version=v2 workload shop/app:80 version=v2 2"}},
		{"some have none", "istio-injection: enabled", "app: app", []string{"", "sidecar.istio.io/inject=false"},
			[]string{key + "|with sidecar workload shop/app:80 1", key + "|without sidecar  1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first []string
			for _, reverse := range []bool{false, true} {
				texts := []string{ground, rulesYAML("  - route: [{destination: {host: app}}]\n"), namespaceYAML("shop", c.namespace), policy(c.policy)}
				if reverse {
					texts[0], texts[3] = texts[3], texts[0]
				}
				p, _ := Compile(loadYAML(t, texts...), Options{Endpoints: attached(c.endpoints...)})
				var got []string
				for _, b := range p.Backends() {
					if !strings.HasPrefix(b.Key, "outbound") || len(b.Split) > 0 {
						continue
					}
					door := ""
					if b.Sidecar != nil {
						door = b.Sidecar.Key
					}
					got = append(got, b.Key+" "+door+" "+strconv.Itoa(len(b.Endpoints)))
				}
				if first == nil {
					first = got
				}
				if !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(got, first) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

// The Pod behind an endpoint decides, not the template, nor the Service.
func TestThePodBehindAnEndpointDecides(t *testing.T) {
	pod := func(name, labels string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: shop, labels: {app: app" + labels + "}}\nspec: {containers: [{name: app, image: app}]}"
	}
	const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: app-1, namespace: shop, labels: {kubernetes.io/service-name: app}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [192.0.2.1], targetRef: {kind: Pod, name: in}}
- {addresses: [192.0.2.2], targetRef: {kind: Pod, name: out}}
- {addresses: [192.0.2.3], targetRef: {kind: Pod, name: gone}}
- {addresses: [192.0.2.4]}`
	p, _ := compileYAML(t, rulesYAML("  - route: [{destination: {host: app}}]\n"), namespaceYAML("shop", "istio-injection: enabled"), slice,
		pod("in", ""), pod("out", ", sidecar.istio.io/inject: \"false\""), deploymentYAML("", ", sidecar.istio.io/inject: \"no\"", ""))
	doors := map[string]bool{}
	for _, b := range p.Backends() {
		if strings.HasPrefix(b.Key, "outbound") && len(b.Split) == 0 {
			for _, e := range b.Endpoints {
				doors[e.Address] = b.Sidecar != nil
			}
		}
	}
	want := map[string]bool{"192.0.2.1:8080": true, "192.0.2.2:8080": false, "192.0.2.3:8080": false, "192.0.2.4:8080": false}
	if !reflect.DeepEqual(doors, want) {
		t.Errorf("got %v, want %v", doors, want)
	}
}

// The port of a Service before Pods with sidecars can be listened on, no other's.
func TestWhoHasADoor(t *testing.T) {
	p, _ := compileYAML(t, namespaceYAML("shop", "istio-injection: enabled"),
		"apiVersion: v1\nkind: Service\nmetadata: {name: outside, namespace: shop}\nspec: {type: ExternalName, externalName: example.org, ports: [{port: 80}]}",
		"apiVersion: v1\nkind: Service\nmetadata: {name: names, namespace: shop}\nspec: {selector: {app: names}, ports: [{name: dns, port: 53, protocol: UDP}, {name: http, port: 80}]}",
		"apiVersion: v1\nkind: Service\nmetadata: {name: app, namespace: bare}\nspec: {selector: {app: app}, ports: [{name: http, port: 80}]}")
	for key, want := range map[string]string{
		"shop/app:80": "service", "workload shop/app:80": "workload", "shop/names:80": "service", "shop/names:53": "none", "shop/outside:80": "none",
		"bare/app:80": "none", "istio-system/ingress:80": "gateway", "workload istio-system/ingress:80": "none",
	} {
		got := "none"
		if l := p.Listener(key); l != nil {
			got = l.Dialect.String()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

// Two thousand workloads with a policy each take no longer than need be.
func BenchmarkCompileDoors(b *testing.B) {
	var text strings.Builder
	text.WriteString(ground)
	text.WriteString("---\n" + namespaceYAML("shop", "istio-injection: enabled") + "\n")
	for i := range 2000 {
		n := strconv.Itoa(i)
		text.WriteString("---\napiVersion: v1\nkind: Service\nmetadata: {name: s" + n + ", namespace: shop}\nspec: {selector: {app: a" + n + "}, ports: [{name: http, port: 80}]}\n")
		text.WriteString("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p" + n + ", namespace: shop}\nspec: {selector: {matchLabels: {app: a" + n + "}}, rules: [{}]}\n")
		text.WriteString("---\n" + strings.NewReplacer("app: app", "app: a"+n, "name: app", "name: a"+n).Replace(deploymentYAML("", "", "")) + "\n")
	}
	set, _, err := source.Load(b.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(text.String())}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Compile(set, Options{})
	}
}

const webhookYAML = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- name: hook.example.com
  clientConfig: {service: {namespace: shop, name: app, port: 80}}
  sideEffects: None
  admissionReviewVersions: [v1]
`
