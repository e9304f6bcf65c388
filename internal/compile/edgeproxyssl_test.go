package compile

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

// Backends under other TLS settings are others, and have what the Secret holds.
func TestProxySSL(t *testing.T) {
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: own, namespace: shop}\ndata:\n  tls.crt: %CRT\n  tls.key: %KEY\n  ca.crt: %CRT\n---\n"
	crt, key := testCertificate(t, "own", "own.example.com")
	yaml := classYAML + "---\n" + strings.NewReplacer("%CRT", base64.StdEncoding.EncodeToString([]byte(crt)), "%KEY", base64.StdEncoding.EncodeToString([]byte(key))).Replace(secret)
	https := annotationPrefix + "backend-protocol: HTTPS"
	with := https + ", " + annotationPrefix + "proxy-ssl-secret: shop/own, " + annotationPrefix
	for i, a := range []string{https, with + "proxy-ssl-verify: \"on\"", with + "proxy-ssl-name: inner, " + annotationPrefix + "proxy-ssl-server-name: \"on\", " + annotationPrefix + "proxy-ssl-verify: \"on\""} {
		name := string(rune('a' + i))
		yaml += "---\n" + servedYAML(name, a, name+".example.com", "/", appBackend)
	}
	p, _ := compileYAML(t, yaml)
	tls := func(host string) (*plan.Backend, *plan.UpstreamTLS) {
		b := edgeRoutes(t, p, host+".example.com")[0].Action.(*plan.Forward).To[0].Backend
		return b, b.TLS
	}
	plain, none := tls("a")
	verified, nameless := tls("b")
	named, full := tls("c")
	if plain.Key == verified.Key || verified.Key == named.Key {
		t.Errorf("%s, %s and %s must be three", plain.Key, verified.Key, named.Key)
	}
	if none.Verify || none.Certificate != nil || none.Name != "" {
		t.Errorf("without a Secret nothing is verified or sent: %+v", none)
	}
	if !nameless.Verify || nameless.Roots == nil || nameless.Certificate == nil || nameless.Name != "" || nameless.Names[0] != nobodysName {
		t.Errorf("with a Secret: %+v", nameless)
	}
	if full.Name != "inner" || full.Names[0] != "inner" {
		t.Errorf("with a name: %+v", full)
	}
}
