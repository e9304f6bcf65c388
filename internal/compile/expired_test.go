package compile

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/problem"
)

// A certificate that has run out is told of, and shown all the same, as Istio does.
func TestExpiredCertificate(t *testing.T) {
	crt, key := testCertificate(t, "", "a.example.com")
	indent := func(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") }
	set := loadYAML(t, `apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {istio: gateway}, ports: [{name: https, port: 443}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec:
  selector: {istio: gateway}
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: cert}, hosts: [a.example.com]}]
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: istio-system}
stringData:
  tls.crt: |
    `+indent(crt)+`
  tls.key: |
    `+indent(key)+"\n")
	end := time.Unix(4000000000, 0)
	for _, c := range []struct {
		now  time.Time
		want bool
	}{{time.Time{}, false}, {end.Add(-time.Hour), false}, {end.Add(time.Hour), true}} {
		p, problems := Compile(set, Options{Now: c.now})
		told := false
		for _, found := range problems {
			told = told || found.Code == problem.GatewayCredentialInvalid && strings.Contains(found.Message, "expired on 2096-10-02")
		}
		if told != c.want {
			t.Errorf("at %v: got %v", c.now, problems)
		}
		if p.Listener("istio-system/gateway:443").CertificateFor("a.example.com") == nil {
			t.Errorf("at %v: no certificate is shown", c.now)
		}
	}
}
