package compile

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/pki"
	"github.com/doorward/doorward/internal/plan"
)

// newPair makes a certificate that is its own authority, and its key, in PEM.
func newPair(t *testing.T) (cert, key string) {
	t.Helper()
	pair, err := pki.SelfSigned("app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	chain, private, err := pki.PEM(pair)
	if err != nil {
		t.Fatal(err)
	}
	return string(chain), string(private)
}

// secretYAML is a Secret NAMESPACE/NAME with keys and values, by turns.
func secretYAML(name string, data ...string) string {
	ns, name, _ := strings.Cut(name, "/")
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\ndata:\n", name, ns)
	for i := 0; i < len(data); i += 2 {
		fmt.Fprintf(&b, "  %s: %s\n", data[i], base64.StdEncoding.EncodeToString([]byte(data[i+1])))
	}
	return b.String()
}

func TestUpstreamTLS(t *testing.T) {
	cert, key := newPair(t)
	const host = "app.shop.svc.cluster.local"
	for _, c := range []struct {
		name, tls string
		secrets   []string
		want      *plan.UpstreamTLS // Roots and Certificate only say that there are some
		problem   string            // the one problem
		says      string
	}{
		{name: "none", tls: "null"},
		{name: "DISABLE", tls: "{mode: DISABLE, sni: a}"},
		{name: "ISTIO_MUTUAL is plain text", tls: "{mode: ISTIO_MUTUAL, sni: a}", problem: "info not-carried-out mode", says: "the Namespace of the destination is not among the files"},
		{name: "SIMPLE verifies with the system's authorities", tls: "{mode: SIMPLE}", want: &plan.UpstreamTLS{Name: host, Verify: true}},
		{name: "system", tls: "{mode: SIMPLE, caCertificates: system}", want: &plan.UpstreamTLS{Name: host, Verify: true}},
		{name: "names", tls: "{mode: SIMPLE, sni: a.example.com, subjectAltNames: [b.example.com, \"spiffe://cluster.local/ns/a/sa/b\"]}",
			want: &plan.UpstreamTLS{Name: "a.example.com", Names: []string{"b.example.com", "spiffe://cluster.local/ns/a/sa/b"}, Verify: true}},
		{name: "not verified", tls: "{mode: SIMPLE, insecureSkipVerify: true}", want: &plan.UpstreamTLS{Name: host}, problem: "info dr-no-ca insecureSkipVerify", says: "not verified"},
		{name: "authority of a Secret", tls: "{mode: SIMPLE, credentialName: c}", secrets: []string{secretYAML("istio-system/c", "ca.crt", cert)},
			want: &plan.UpstreamTLS{Name: host, Verify: true, Roots: x509.NewCertPool()}},
		{name: "authority of a Secret of its own", tls: "{mode: SIMPLE, credentialName: c}", secrets: []string{secretYAML("istio-system/c-cacert", "cacert", cert)},
			want: &plan.UpstreamTLS{Name: host, Verify: true, Roots: x509.NewCertPool()}},
		{name: "authority of a ConfigMap", tls: "{mode: SIMPLE, credentialName: \"configmap://c\"}",
			secrets: []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: istio-system}\ndata:\n  ca.crt: |\n    " + strings.ReplaceAll(cert, "\n", "\n    ") + "\n"},
			want:    &plan.UpstreamTLS{Name: host, Verify: true, Roots: x509.NewCertPool()}},
		{name: "MUTUAL", tls: "{mode: MUTUAL, credentialName: c}", secrets: []string{secretYAML("istio-system/c", "ca.crt", cert, "tls.crt", cert, "tls.key", key)},
			want: &plan.UpstreamTLS{Name: host, Verify: true, Roots: x509.NewCertPool(), Certificate: nil}},

		{name: "files", tls: "{mode: SIMPLE, caCertificates: /etc/ca.pem}", problem: "error not-carried-out caCertificates", says: "/etc/ca.pem"},
		{name: "revoked certificates", tls: "{mode: SIMPLE, caCrl: /etc/crl.pem}", problem: "error not-carried-out caCrl"},
		{name: "client certificate in files", tls: "{mode: MUTUAL, clientCertificate: /etc/c.pem, privateKey: /etc/k.pem}", problem: "error not-carried-out clientCertificate"},
		{name: "client certificate in files, not verified", tls: "{mode: MUTUAL, clientCertificate: /etc/c.pem, privateKey: /etc/k.pem, insecureSkipVerify: true}",
			problem: "error not-carried-out clientCertificate"},
		{name: "no Secret", tls: "{mode: SIMPLE, credentialName: cret}", secrets: []string{secretYAML("istio-system/cert", "ca.crt", cert)},
			problem: "error gateway-credential-not-found credentialName", says: `did you mean "cert"?`},
		{name: "Secret in the rule's namespace", tls: "{mode: SIMPLE, credentialName: c}", secrets: []string{secretYAML("shop/c", "ca.crt", cert)},
			problem: "error gateway-credential-not-found credentialName", says: "there is one in namespace shop"},
		{name: "Secret of another namespace", tls: "{mode: SIMPLE, credentialName: \"kubernetes://shop/c\"}", secrets: []string{secretYAML("shop/c", "ca.crt", cert)},
			problem: "error gateway-credential-not-found credentialName", says: "namespace istio-system"},
		{name: "Secret without an authority", tls: "{mode: SIMPLE, credentialName: c}", secrets: []string{secretYAML("istio-system/c", "tls.crt", cert)},
			problem: "error gateway-credential-invalid credentialName", says: "ca.crt"},
		{name: "Secret with a broken authority", tls: "{mode: SIMPLE, credentialName: c}", secrets: []string{secretYAML("istio-system/c", "ca.crt", "x")},
			problem: "error gateway-credential-invalid credentialName", says: "no certificate in PEM"},
		{name: "MUTUAL without a key", tls: "{mode: MUTUAL, credentialName: c}", secrets: []string{secretYAML("istio-system/c", "ca.crt", cert, "tls.crt", cert)},
			problem: "error gateway-credential-invalid credentialName", says: "tls.key"},
		{name: "no ConfigMap", tls: "{mode: SIMPLE, credentialName: \"configmap://c\"}", problem: "error gateway-credential-not-found credentialName", says: "ConfigMap istio-system/c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, problems := ruled(t, "trafficPolicy: {tls: "+c.tls+"}", c.secrets...)
			problems = slices.Clone(problems)
			var got []string
			for _, p := range problems {
				got = append(got, string(p.Severity)+" "+p.Code+" "+strings.TrimPrefix(p.Field, "spec.trafficPolicy.tls."))
				if text := p.Message + " " + p.Remedy; !strings.Contains(text, c.says) || p.Line == 0 || p.Remedy == "" {
					t.Errorf("got %v, want %q in it", p, c.says)
				}
			}
			if strings.Join(got, "\n") != c.problem {
				t.Errorf("got %q, want %q", got, c.problem)
			}
			if failed := strings.HasPrefix(c.problem, "error"); failed {
				if b.Missing == "" || b.TLS != nil || len(b.Endpoints) > 0 || b.Next != nil {
					t.Errorf("it is served in a weaker way: %+v", b)
				}
				return
			}
			if b.Missing != "" || (b.TLS == nil) != (c.want == nil) {
				t.Fatalf("got %q, %+v", b.Missing, b.TLS)
			}
			if c.want == nil {
				return
			}
			u := *b.TLS
			if u.Digest == "" {
				t.Error("there is no digest")
			}
			if (u.Roots == nil) != (c.want.Roots == nil) || (u.Certificate != nil) != strings.Contains(c.tls, "MUTUAL") {
				t.Errorf("got roots %v, certificate %v", u.Roots != nil, u.Certificate != nil)
			}
			if u.Name != c.want.Name || !slices.Equal(u.Names, c.want.Names) || u.Verify != c.want.Verify {
				t.Errorf("got %+v, want %+v", u, c.want)
			}
		})
	}
}

// Equal settings have equal digests, and whatever differs tells.
func TestDigest(t *testing.T) {
	one, oneKey := newPair(t)
	two, _ := newPair(t)
	seen := map[string]string{}
	for _, c := range []struct{ tls, ca string }{
		{"{mode: SIMPLE}", one},
		{"{mode: SIMPLE, sni: a}", one},
		{"{mode: SIMPLE, sni: a, subjectAltNames: [b]}", one},
		{"{mode: SIMPLE, sni: a, insecureSkipVerify: true}", one},
		{"{mode: SIMPLE, credentialName: c}", one},
		{"{mode: SIMPLE, credentialName: c}", two},
		{"{mode: MUTUAL, credentialName: c}", one},
	} {
		secret := secretYAML("istio-system/c", "ca.crt", c.ca, "tls.crt", one, "tls.key", oneKey)
		b, _ := ruled(t, "trafficPolicy: {tls: "+c.tls+"}", secret)
		again, _ := ruled(t, "trafficPolicy: {tls: "+c.tls+"}", secret)
		if b.TLS.Digest != again.TLS.Digest {
			t.Errorf("%s: two digests", c.tls)
		}
		if other, ok := seen[b.TLS.Digest]; ok {
			t.Errorf("%s has the digest of %s", c.tls, other)
		}
		seen[b.TLS.Digest] = c.tls
	}
}

// A gateway that an unusable rule stands before is not reached in-process either.
func TestUnusableTLSClosesTheWayToAGateway(t *testing.T) {
	b, _ := backendOf(t, "{host: ingress.istio-system.svc.cluster.local, port: {number: 80}}",
		ruleYAML("istio-system/ingress", "host: ingress\n  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /etc/ca.pem}}"))
	if b.Missing == "" || b.Next != nil {
		t.Errorf("got %+v", b)
	}
}
