//go:build e2e

package proxy

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// Real clients get through, over each protocol that they speak.
func TestE2ERealClients(t *testing.T) {
	up := origin(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Method+" "+r.Host+r.URL.Path+" ")
		io.Copy(w, r.Body)
	})
	g := gateway(to(backend("up", up)))
	secure := secureGateway(t, "shop.example", to(backend("up", up)))
	secure.Key = "istio-system/gateway:443"
	r := newRig(t, gatewayKey, nil, g, secure)
	_, plainPort, _ := strings.Cut(r.addr, ":")
	_, tlsPort, _ := strings.Cut(r.listen(secure.Key, TLS), ":")
	plainURL, tlsURL := "http://shop.example:"+plainPort+"/x", "https://shop.example:"+tlsPort+"/x"
	run := func(t *testing.T, name string, args ...string) string {
		out, err := exec.CommandContext(t.Context(), peer.Path(t, name), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	for name, args := range map[string][]string{
		"HTTP/1.1":                   {"--http1.1", plainURL},
		"HTTP/2 by prior knowledge":  {"--http2-prior-knowledge", plainURL},
		"HTTP/1.1 over TLS":          {"--http1.1", "-k", tlsURL},
		"HTTP/2 over TLS":            {"--http2", "-k", tlsURL},
		"upload that waits for 100":  {"--http1.1", "-H", "Expect: 100-continue", plainURL},
		"upload in chunks over TLS":  {"--http1.1", "-k", "-H", "Transfer-Encoding: chunked", tlsURL},
		"upload in HTTP/2's streams": {"--http2", "-k", tlsURL},
	} {
		t.Run("curl "+name, func(t *testing.T) {
			method := "GET"
			args := append([]string{"-sS", "--connect-to", "::127.0.0.1:"}, args...)
			if strings.HasPrefix(name, "upload") {
				method = "POST"
				args = append(args, "-d", "hello")
			}
			got := run(t, "curl", args...)
			if want := method + " shop.example:"; !strings.HasPrefix(got, want) || method == "POST" && !strings.HasSuffix(got, "/x hello") {
				t.Errorf("got %q, want %q ...", got, want)
			}
		})
	}
	t.Run("h2load", func(t *testing.T) {
		out := run(t, "h2load", "-n", "2000", "-c", "4", "-m", "16", "http://127.0.0.1:"+plainPort+"/x")
		if !strings.Contains(out, "2000 succeeded, 0 failed, 0 errored, 0 timeout") {
			t.Errorf("got %s", out)
		}
	})
}
