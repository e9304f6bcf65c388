package compile

import (
	"crypto/tls"
	"fmt"
	"slices"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

func TestTLSLimits(t *testing.T) {
	crt, key := testCertificate(t, "app", "app.example.com")
	for _, c := range []struct {
		settings string
		closed   bool
		want     plan.TLSLimits
	}{
		{"", false, plan.TLSLimits{}},
		{"minProtocolVersion: TLSV1_0", false, plan.TLSLimits{}},
		{"minProtocolVersion: TLSV1_3", false, plan.TLSLimits{Min: tls.VersionTLS13}},
		{"maxProtocolVersion: TLSV1_2", false, plan.TLSLimits{Max: tls.VersionTLS12}},
		{"maxProtocolVersion: TLSV1_1", true, plan.TLSLimits{}},
		{"minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2", true, plan.TLSLimits{}},
		{"cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, AES128-SHA]", false, plan.TLSLimits{Ciphers: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}},
		{"cipherSuites: [AES128-SHA]", true, plan.TLSLimits{}},
	} {
		if c.settings != "" {
			c.settings = ", " + c.settings
		}
		yaml := "apiVersion: v1\nkind: Service\nmetadata: {name: gw, namespace: gw}\nspec: {selector: {istio: gw}, ports: [{name: https, port: 443}]}\n---\n" +
			fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: gw}\nstringData:\n  tls.crt: %q\n  tls.key: %q\n---\n", crt, key) +
			"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw, namespace: gw}\nspec:\n  selector: {istio: gw}\n  servers:\n" +
			"  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [\"*\"], tls: {mode: SIMPLE, credentialName: cert" + c.settings + "}}\n"
		p, _ := compileYAML(t, yaml)
		chain := p.Listener("gw/gw:443").Chains[0]
		if chain.Closed != c.closed {
			t.Errorf("%s: closed %v", c.settings, chain.Closed)
		}
		if got := chain.Limits; !c.closed && (got.Min != c.want.Min || got.Max != c.want.Max || !slices.Equal(got.Ciphers, c.want.Ciphers)) {
			t.Errorf("%s: got %+v, want %+v", c.settings, got, c.want)
		}
	}
}
