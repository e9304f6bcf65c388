package compile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

const classYAML = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: public}\nspec: {controller: k8s.io/ingress-nginx}\n"

// ingressYAML is an Ingress of namespace shop.
func ingressYAML(name, annotations, spec string) string {
	return "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: " + name + "\n  namespace: shop\n  annotations: {" + annotations + "}\nspec:\n" + spec
}

// servedYAML is an Ingress of a served class with one path of a host.
func servedYAML(name, annotations, host, path, backend string) string {
	return ingressYAML(name, annotations, "  ingressClassName: public\n  rules:\n"+pathYAML(host, path, backend))
}

func pathYAML(host, path, backend string) string {
	return "  - host: \"" + host + "\"\n    http: {paths: [{path: \"" + path + "\", pathType: Prefix, backend: {service: " + backend + "}}]}\n"
}

const appBackend = "{name: app, port: {number: 80}}"

// Each mistake is told once, at its field, with what there is and what to do.
func TestMistakesOfIngressesAreTold(t *testing.T) {
	of := func(annotation string) string { return servedYAML("i", annotation, "a.example.com", "/a", appBackend) }
	at := func(name string) string { return " Ingress shop/i metadata.annotations[" + name + "]" }
	const nginx = "nginx.ingress.kubernetes.io/"
	withTLS := func(annotation, section string, hosts ...string) string {
		s := "  ingressClassName: public\n  tls: [" + section + "]\n  rules:\n"
		for _, h := range hosts {
			s += pathYAML(h, "/", appBackend)
		}
		return ingressYAML("i", annotation, s)
	}
	config := func(name, data string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: ingress-nginx}\ndata: {" + data + "}\n"
	}
	for _, c := range []struct{ name, yaml, want, says string }{
		{"no Service", servedYAML("i", "", "a.example.com", "/", "{name: ap, port: {number: 80}}"),
			"error ingress-service-not-found Ingress shop/i spec.rules[0].http.paths[0].backend.service.name", `there is app, other; did you mean "app"?`},
		{"no Service for the rest", ingressYAML("i", "", "  ingressClassName: public\n  defaultBackend: {service: {name: ghost, port: {number: 80}}}\n"),
			"error ingress-service-not-found Ingress shop/i spec.defaultBackend.service.name", "no Service ghost"},
		{"no port", servedYAML("i", "", "a.example.com", "/", "{name: app, port: {number: 81}}"),
			"error ingress-port-not-found Ingress shop/i spec.rules[0].http.paths[0].backend.service.port", "it has 80 (http)"},
		{"no port of this name", servedYAML("i", "", "a.example.com", "/", "{name: app, port: {name: htp}}"),
			"error ingress-port-not-found Ingress shop/i spec.rules[0].http.paths[0].backend.service.port", "has no port htp"},
		{"an external name of this machine", "---\napiVersion: v1\nkind: Service\nmetadata: {name: self, namespace: shop}\nspec: {type: ExternalName, externalName: LocalHost.}\n" +
			servedYAML("i", "", "a.example.com", "/", "{name: self, port: {number: 80}}"),
			"error ingress-service-not-found Ingress shop/i spec.rules[0].http.paths[0].backend.service.name", "is this machine itself"},
		{"a resource", ingressYAML("i", "", "  ingressClassName: public\n  rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {resource: {kind: Bucket, name: b}}}]}}]\n"),
			"warning not-carried-out Ingress shop/i spec.rules[0].http.paths[0].backend", "404"},
		{"a path without slash", servedYAML("i", "", "a.example.com", "x", appBackend),
			"error schema Ingress shop/i spec.rules[0].http.paths[0].path", "begin"},
		{"a dangerous path", servedYAML("i", "", "a.example.com", "/x {alias /;", appBackend),
			"error schema Ingress shop/i spec.rules[0].http.paths[0].path", "dropped"},
		{"a dangerous host", withTLS("", "{hosts: [/var/run/secrets]}", "a.example.com"),
			"error schema Ingress shop/i spec.tls[0].hosts", "dropped"},
		{"an unknown class", strings.ReplaceAll(of(""), "public", "publik"),
			"warning ingress-class-not-found Ingress shop/i spec.ingressClassName", `served are public; did you mean "public"?`},
		{"no class", strings.ReplaceAll(of(""), "  ingressClassName: public\n", ""),
			"warning ingress-class-missing Ingress shop/i spec.ingressClassName", "set spec.ingressClassName to public"},
		{"the old annotation", strings.ReplaceAll(of("kubernetes.io/ingress.class: nginx"), "  ingressClassName: public\n", ""),
			"info ingress-class-deprecated" + at("kubernetes.io/ingress.class"), "public"},
		{"the old annotation with a class", strings.ReplaceAll(of("kubernetes.io/ingress.class: public"), "  ingressClassName: public\n", ""),
			"warning ingress-class-not-found" + at("kubernetes.io/ingress.class"), `only "nginx" counts`},
		{"the old annotation of another", strings.ReplaceAll(of("kubernetes.io/ingress.class: haproxy"), "  ingressClassName: public\n", ""),
			"info ingress-class-not-found" + at("kubernetes.io/ingress.class"), "ignored"},
		{"a path twice", servedYAML("j", "", "a.example.com", "/a", appBackend) + of(""),
			"error ingress-host-path-conflict Ingress shop/i spec.rules[0].http.paths[0]", "a.example.com/a is already taken by Ingress shop/j spec.rules[0].http.paths[0] (m.yaml:"},
		{"a path once with a slash", servedYAML("j", "", "a.example.com", "/a/", appBackend) + of(""),
			"error ingress-host-path-conflict Ingress shop/i spec.rules[0].http.paths[0]", "a.example.com/a/"},
		{"two catch-alls", ingressYAML("j", "", "  ingressClassName: public\n  defaultBackend: {service: "+appBackend+"}\n") + ingressYAML("i", "", "  ingressClassName: public\n  defaultBackend: {service: "+appBackend+"}\n"),
			"error ingress-host-path-conflict Ingress shop/i spec.defaultBackend", "catch-all"},
		{"a slip in a name", of(nginx + "ssl-redirct: \"true\""),
			"warning ingress-annotation-unknown" + at(nginx+"ssl-redirct"), `did you mean "ssl-redirect"?`},
		{"a slip in the prefix", of("nginx.ingres.kubernetes.io/ssl-redirect: \"true\""),
			"warning ingress-annotation-unknown" + at("nginx.ingres.kubernetes.io/ssl-redirect"), nginx + "ssl-redirect"},
		{"no truth value", of(nginx + "force-ssl-redirect: \"on\""),
			"warning ingress-annotation-value" + at(nginx+"force-ssl-redirect"), "true or false"},
		{"no size", of(nginx + "proxy-body-size: 10Mi"),
			"warning ingress-annotation-value" + at(nginx+"proxy-body-size"), "such as 8m"},
		{"no seconds", of(nginx + "proxy-read-timeout: 5s"),
			"warning ingress-annotation-value" + at(nginx+"proxy-read-timeout"), "without unit"},
		{"no protocol", of(nginx + "backend-protocol: SPDY"),
			"warning ingress-annotation-value" + at(nginx+"backend-protocol"), "AUTO_HTTP"},
		{"FastCGI", of(nginx + "backend-protocol: fcgi"),
			"error not-carried-out" + at(nginx+"backend-protocol"), "503"},
		{"a hash that takes hours", of(nginx+"auth-type: basic, "+nginx+"auth-secret: users") +
			"---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shop}\nstringData: {auth: \"alice:$2y$31$x\"}\n",
			"warning ingress-annotation-value" + at(nginx+"auth-secret"), "at a cost over 17"},
		{"a guard", of(nginx + "auth-url: http://x"),
			"error not-carried-out" + at(nginx+"auth-url"), "503"},
		{"a snippet", of(nginx + "server-snippet: x"),
			"error not-carried-out" + at(nginx+"server-snippet"), "dropped"},
		{"a convenience", of(nginx + "load-balance: ewma"),
			"warning not-carried-out" + at(nginx+"load-balance"), "served without"},
		{"ssl-redirect without tls", of(nginx + "ssl-redirect: \"true\""),
			"info ingress-ssl-redirect-without-tls" + at(nginx+"ssl-redirect"), "force-ssl-redirect"},
		{"a Secret that is not there", withTLS("", "{hosts: [a.example.com], secretName: cert}", "a.example.com"),
			"warning ingress-tls-secret-missing Ingress shop/i spec.tls[0].secretName", "default certificate"},
		{"a Secret that an issuer makes", withTLS("cert-manager.io/cluster-issuer: x", "{hosts: [a.example.com], secretName: cert}", "a.example.com"),
			"info not-carried-out Ingress shop/i spec.tls[0].secretName", "cert-manager"},
		{"a Secret that is none", "---\napiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: shop}\nstringData: {tls.crt: cert, tls.key: key}\n" +
			withTLS("", "{hosts: [a.example.com], secretName: cert}", "a.example.com"),
			"warning ingress-tls-secret-missing Ingress shop/i spec.tls[0].secretName", "no usable certificate"},
		{"a host that tls leaves out", withTLS("", "{hosts: [a.example.com]}", "a.example.com", "b.example.com"),
			"warning ingress-tls-host-mismatch Ingress shop/i spec.rules[1].host", "add the host"},
		{"an unknown key", config("ingress-nginx-controller", "proxy-bod-size: 1m"),
			"warning ingress-annotation-unknown ConfigMap ingress-nginx/ingress-nginx-controller data[proxy-bod-size]", "proxy-body-size"},
		{"a key with a bad value", config("ingress-nginx-controller", "hsts-max-age: year"),
			"warning ingress-annotation-value ConfigMap ingress-nginx/ingress-nginx-controller data[hsts-max-age]", "default"},
		{"a key that guards", config("ingress-nginx-controller", "block-cidrs: 10.0.0.0/8"),
			"error not-carried-out ConfigMap ingress-nginx/ingress-nginx-controller data[block-cidrs]", "503"},
		{"two ConfigMaps", config("ingress-nginx-controller", "hsts: \"true\"") + config("nginx-configuration", "hsts: \"false\""),
			"warning not-carried-out ConfigMap ingress-nginx/nginx-configuration ", "ingress-nginx/ingress-nginx-controller"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := compileYAML(t, classYAML+"---\n"+c.yaml)
			found := 0
			for _, p := range problems {
				if got := string(p.Severity) + " " + p.Code + " " + p.Object + " " + p.Field; got != c.want {
					if !strings.Contains(p.Message, " too;") { // a conflict is told on both
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

// What is right, or changes nothing, is not complained about.
// Files that declare no class at all belong to a platform that does so elsewhere.
func TestClassKeptElsewhere(t *testing.T) {
	text := "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: shop}\n" +
		"spec: {ingressClassName: nginx, rules: [{host: a.example.com}]}\n"
	_, problems := Compile(loadYAML(t, text), Options{})
	if len(problems) != 1 || problems[0].Code != problem.IngressClassNotFound || problems[0].Severity != problem.Info ||
		!strings.Contains(problems[0].Remedy, "--ingress-class nginx") {
		t.Errorf("got %v, want one remark that names --ingress-class nginx", problems)
	}
}

func TestNothingIsWrongWithIngresses(t *testing.T) {
	const n = "nginx.ingress.kubernetes.io/"
	_, problems := compileYAML(t, classYAML+"---\n"+servedYAML("i",
		n+"proxy-body-size: 100m, "+n+"proxy-read-timeout: \"600\", "+n+"proxy-buffer-size: 128k, "+n+"backend-protocol: HTTP, "+
			n+"enable-cors: \"false\", "+n+"rewrite-target: /, "+n+"auth-url: \"\", "+n+"satisfy: all, cert-manager.io/cluster-issuer: x, example.com/auth-url: x",
		"a.example.com", "/", appBackend)+
		servedYAML("j", "", "b.example.com", "/", "{name: other, port: {name: http}}")+
		strings.ReplaceAll(servedYAML("k", "", "a.example.com", "/", appBackend), "public", "foreign")+
		"---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: foreign}\nspec: {controller: example.com/x}\n")
	if len(problems) > 0 {
		t.Error(problems)
	}
}

// edgeRoutes are the routes of a host of the edge, in their order.
func edgeRoutes(t *testing.T, p *plan.Plan, host string) []*plan.Route {
	t.Helper()
	for _, h := range p.Listener(plan.Edge).Chains[0].Hosts {
		if h.Name == host {
			return h.Routes
		}
	}
	t.Fatalf("there is no host %s", host)
	return nil
}

func forwardOf(t *testing.T, r *plan.Route) *plan.Forward {
	t.Helper()
	f, ok := r.Action.(*plan.Forward)
	if !ok {
		t.Fatalf("the route answers with %+v", r.Action)
	}
	return f
}

func TestAnnotationsReachTheRoute(t *testing.T) {
	const n = "nginx.ingress.kubernetes.io/"
	p, _ := compileYAML(t, classYAML+"---\n"+
		servedYAML("plain", "", "plain.example.com", "/", appBackend)+
		servedYAML("set", n+"proxy-connect-timeout: \"7\", "+n+"proxy-send-timeout: \"8\", "+n+"proxy-read-timeout: \"9\", "+n+"proxy-body-size: 2G", "set.example.com", "/", appBackend)+
		servedYAML("none", n+"proxy-body-size: \"0\"", "none.example.com", "/", appBackend))
	for host, want := range map[string]struct {
		limits plan.Limits
		body   int64
	}{
		"plain.example.com": {plan.Limits{Connect: 5 * time.Second, Send: time.Minute, Read: time.Minute}, 1 << 20},
		"set.example.com":   {plan.Limits{Connect: 7 * time.Second, Send: 8 * time.Second, Read: 9 * time.Second}, 2 << 30},
		"none.example.com":  {plan.Limits{Connect: 5 * time.Second, Send: time.Minute, Read: time.Minute}, -1},
	} {
		r := edgeRoutes(t, p, host)[0]
		f := forwardOf(t, r)
		if f.Limits != want.limits {
			t.Errorf("%s: limits: got %+v, want %+v", host, f.Limits, want.limits)
		}
		body := int64(-1)
		for _, g := range r.Guards {
			if limit, ok := g.(*plan.BodyLimit); ok {
				body = limit.Bytes
			}
		}
		if body != want.body {
			t.Errorf("%s: body: got %d, want %d", host, body, want.body)
		}
		if x := f.Retry; x.Attempts != 2 || !x.IdempotentOnly || !x.SameEndpoint || x.On&plan.OnTimeout == 0 || x.On&plan.On5xx != 0 {
			t.Errorf("%s: retries: got %+v", host, x)
		}
	}
}

func TestBackendProtocols(t *testing.T) {
	for _, c := range []struct {
		value    string
		key      string
		protocol plan.Protocol
		tls      bool
		routes   int
	}{
		{"http", "shop-app-80", plan.HTTP1, false, 1},
		{"HTTPS", "shop-app-80-https", plan.HTTP1, true, 1},
		{"GRPC", "shop-app-80-grpc", plan.HTTP2, false, 1},
		{"grpcs", "shop-app-80-grpcs", plan.HTTP2, true, 1},
		{"AUTO_HTTP", "shop-app-80-https", plan.HTTP1, true, 2},
	} {
		p, _ := compileYAML(t, classYAML+"---\n"+servedYAML("i", "nginx.ingress.kubernetes.io/backend-protocol: "+c.value, "a.example.com", "/", appBackend))
		routes := edgeRoutes(t, p, "a.example.com")
		b := forwardOf(t, routes[0]).To[0].Backend
		if b.Key != c.key || b.Protocol != c.protocol || (b.TLS != nil) != c.tls || len(routes) != c.routes || b.Balance != plan.RoundRobin {
			t.Errorf("%s: got %s, %v, TLS %v, %d routes", c.value, b.Key, b.Protocol, b.TLS != nil, len(routes))
		}
		if c.tls && (b.TLS.Name != "" || b.TLS.Verify) {
			t.Errorf("%s: the edge neither names nor verifies: got %+v", c.value, b.TLS)
		}
		if c.routes == 2 && forwardOf(t, routes[1]).To[0].Backend.TLS != nil {
			t.Errorf("%s: plain requests go on in plain text", c.value)
		}
	}
}

// a-b/c and a/b-c are two Services, whatever their names look like joined:
// connections and counters hang on the key.
func TestKeysOfBackendsAreTheirOwn(t *testing.T) {
	service := func(ns, svc string) string {
		return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + svc + ", namespace: " + ns + "}\nspec: {ports: [{port: 80}]}\n"
	}
	in := func(ns, svc string) string {
		return strings.ReplaceAll(servedYAML("i", "", ns+".example.com", "/", "{name: "+svc+", port: {number: 80}}"), "namespace: shop", "namespace: "+ns)
	}
	p, problems := compileYAML(t, classYAML+service("a-b", "c")+service("a", "b-c")+in("a-b", "c")+in("a", "b-c"))
	x := forwardOf(t, edgeRoutes(t, p, "a-b.example.com")[0]).To[0].Backend
	y := forwardOf(t, edgeRoutes(t, p, "a.example.com")[0]).To[0].Backend
	if x.Key == y.Key || x.Service == y.Service {
		t.Errorf("got %s and %s; %v", x.Key, y.Key, problems)
	}
}

// A backend that is a gateway's Service goes on in-process.
func TestHandOverToAGateway(t *testing.T) {
	in := func(port string) *plan.Backend {
		p, _ := compileYAML(t, classYAML+strings.ReplaceAll(servedYAML("i", "", "a.example.com", "/", "{name: ingress, port: {"+port+"}}"), "namespace: shop", "namespace: istio-system"))
		return forwardOf(t, edgeRoutes(t, p, "a.example.com")[0]).To[0].Backend
	}
	for _, port := range []string{"number: 80", "name: http2", "number: 8080"} {
		if b := in(port); b.Next == nil || b.Next.Key != "istio-system/ingress:80" {
			t.Errorf("%s: got %+v", port, b)
		}
	}
}

func TestCertificatesOfTheEdge(t *testing.T) {
	secret := func(name string, hosts ...string) string {
		crt, key := testCertificate(t, "", hosts...)
		return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: shop}\nstringData:\n  tls.crt: %q\n  tls.key: %q\n", name, crt, key)
	}
	crt, key := testCertificate(t, "named.example.com")
	byName := fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: named, namespace: shop}\nstringData:\n  tls.crt: %q\n  tls.key: %q\n", crt, key)
	with := func(name, section string, hosts ...string) string {
		s := "  ingressClassName: public\n  tls: [" + section + "]\n  rules:\n"
		for _, h := range hosts {
			s += pathYAML(h, "/"+name, appBackend)
		}
		return ingressYAML(name, "", s)
	}
	standard := &tls.Certificate{}
	set := loadYAML(t, ground, classYAML+
		secret("a", "a.example.com")+secret("wild", "*.example.org", "*.example.net")+byName+
		strings.ReplaceAll(secret("far", "far.example.com"), "namespace: shop", "namespace: elsewhere")+
		with("a", "{hosts: [a.example.com], secretName: a}", "a.example.com")+
		with("b", "{hosts: [b.example.com], secretName: a}", "b.example.com")+
		with("cover", "{hosts: [elsewhere.example.org], secretName: wild}", "y.example.net")+
		with("far", "{hosts: [far.example.com], secretName: far}", "far.example.com")+
		with("gone", "{hosts: [gone.example.org], secretName: ghost}", "gone.example.org")+
		with("named", "{hosts: [named.example.com], secretName: named}", "named.example.com")+
		with("wild", "{hosts: [\"*.example.org\"], secretName: wild}", "*.example.org")+
		servedYAML("plain", "", "plain.example.org", "/", appBackend)+
		// z-first comes before z-early by name: it decides for the host.
		with("z-early", "{hosts: [late.example.com], secretName: a}", "late.example.com")+
		with("z-first", "{}", "late.example.com"))
	p, _ := Compile(set, Options{DefaultCertificate: standard})
	for sni, want := range map[string]string{
		"a.example.com": "a.example.com", "A.Example.Com.": "a.example.com",
		"b.example.com":     "", // the certificate is for another host
		"y.example.net":     "*.example.org",
		"far.example.com":   "", // in another namespace
		"gone.example.org":  "", // its own TLS, not that of the wildcard
		"named.example.com": "named.example.com",
		"x.example.org":     "*.example.org",
		"plain.example.org": "*.example.org",
		"x.y.example.org":   "",
		"late.example.com":  "",
		"":                  "",
	} {
		cert := p.Listener(plan.Edge).CertificateFor(sni)
		switch {
		case cert == nil:
			t.Errorf("%s: there is no certificate", sni)
		case want == "":
			if cert != standard {
				t.Errorf("%s: got %v, want the default certificate", sni, cert.Leaf.DNSNames)
			}
		case cert == standard:
			t.Errorf("%s: got the default certificate, want %s", sni, want)
		default:
			if got := append(cert.Leaf.DNSNames, cert.Leaf.Subject.CommonName)[0]; got != want {
				t.Errorf("%s: got %s, want %s", sni, got, want)
			}
		}
	}
}

// testCertificate makes a self-signed certificate in PEM, for hosts or, without
// any, for a common name alone.
func testCertificate(t *testing.T, name string, hosts ...string) (crt, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: hosts, NotAfter: time.Unix(4000000000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"0": -1, "0m": -1, "1": 1, "1k": 1 << 10, "8M": 8 << 20, "3g": 3 << 30, "1048576": 1 << 20} {
		var got int64
		if !size(in, &got) || got != want {
			t.Errorf("%s: got %d, want %d", in, got, want)
		}
	}
	for _, in := range []string{"", "ten", "1Mi", "1mb", "-1", " 1m", "1.5m", "99999999999999999999", "9999999999999g", "m", "1\n"} {
		got := int64(7)
		if size(in, &got) || got != 7 {
			t.Errorf("%q: got %d, want it refused", in, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"0", "1m", "9223372036854775807", "4611686018427387904g"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n int64
		if size(s, &n) && (n == 0 || n < -1) {
			t.Errorf("%q is %d", s, n)
		}
	})
}

// A dropped Ingress drops out entirely, and no key of the table is in two rows.
func TestTableOfAnnotations(t *testing.T) {
	for _, rows := range [][]annotationRow{annotationRows(), configKeys()} {
		seen := map[string]bool{}
		for _, row := range rows {
			for _, n := range strings.Fields(row.names) {
				if seen[n] {
					t.Errorf("%s is in two rows", n)
				}
				seen[n] = true
			}
		}
	}
	values := []string{"true", "error", "503", "1", "8m", "4 8k", "10.0.0.0/8", "308", "HTTPS"}
	for key, row := range byName(configKeys()) {
		r := configReader{edgeConfig: &edgeConfig{}}
		if got := slices.ContainsFunc(values, func(v string) bool { return r.carry(key, v) }); got != (row.how == carried) {
			t.Errorf("the key %s is carried out: got %v", key, got)
		}
	}
	for _, row := range annotationRows() {
		for _, n := range strings.Fields(row.names) {
			p, problems := compileYAML(t, classYAML+"---\n"+servedYAML("i", annotationPrefix+n+": \"7x #\"", "a.example.com", "/a", appBackend))
			host := false
			for _, h := range p.Listener(plan.Edge).Chains[0].Hosts {
				host = host || h.Name == "a.example.com"
			}
			how := row.how
			if how == carried {
				how = badValue(n)
			}
			told := len(problems) == 1 && (how == closes || how == drops) == (problems[0].Severity == problem.Error)
			if row.how == accepted {
				told = len(problems) == 0
			}
			if !told || host == (how == drops) {
				t.Errorf("%s: host %v, %v", n, host, problems)
			}
			if how != closes {
				continue
			}
			for _, r := range edgeRoutes(t, p, "a.example.com") {
				if d, ok := r.Action.(*plan.Direct); !ok || d.Status != 503 {
					t.Errorf("%s: %v is open", n, r.Rule.Path)
				}
			}
		}
	}
}

// Who judges a part of a platform sees its Ingresses served, unless classes are declared.
func TestUndeclaredClasses(t *testing.T) {
	const ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: shop}\nspec: {ingressClassName: public, rules: [{host: h.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}"
	const class = "\n---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: k8s.io/ingress-nginx}"
	for _, c := range []struct {
		yaml string
		any  bool
		want int
	}{{ingress, true, 1}, {ingress, false, 0}, {ingress + class, true, 0}} {
		p, _ := Compile(loadYAML(t, c.yaml), Options{UndeclaredClasses: c.any})
		got := 0
		if edge := p.Listener(plan.Edge); edge != nil {
			for _, h := range edge.Chains[0].Hosts {
				if h.Name == "h.example.com" {
					got++
				}
			}
		}
		if got != c.want {
			t.Errorf("any class %v: got %d hosts, want %d of\n%s", c.any, got, c.want, c.yaml)
		}
	}
}

func TestNextUpstream(t *testing.T) {
	for _, c := range []struct {
		value string
		ok    bool
		want  plan.Retry
	}{
		{"error timeout", true, plan.Retry{IdempotentOnly: true, On: plan.OnConnectFailure | plan.OnReset | plan.OnResetBeforeRequest | plan.OnTimeout}},
		{"off", true, plan.Retry{IdempotentOnly: true}},
		{"http_502 http_429 non_idempotent", true, plan.Retry{On: plan.OnRetriableStatus, Codes: []int{502, 429}}},
		{"error http_401", false, plan.Retry{IdempotentOnly: true}},
	} {
		got := plan.Retry{IdempotentOnly: true}
		if ok := nextUpstream(c.value, &got); ok != c.ok || got.On != c.want.On || got.IdempotentOnly != c.want.IdempotentOnly || !slices.Equal(got.Codes, c.want.Codes) {
			t.Errorf("%s: got %v %+v, want %v %+v", c.value, ok, got, c.ok, c.want)
		}
	}
}
