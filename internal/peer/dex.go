package peer

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// StartDex starts a dex on loopback, and returns its address. config is its configuration file,
// but for what it listens on. It ends with the test.
func StartDex(t testing.TB, config string) string {
	t.Helper()
	program := Path(t, "dex")
	dir, address := t.TempDir(), freeAddress(t)
	p := start(t, dir, program, "serve", "--web-http-addr="+address, write(t, dir, "config.yaml", config))
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := http.Get("http://" + address + "/dex/.well-known/openid-configuration")
		if err == nil {
			resp.Body.Close()
			return address
		}
		select {
		case <-p.ended:
			t.Fatalf("dex ended before it was ready:\n%s", strings.TrimSpace(p.log(t)))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("dex is not ready after a minute:\n%s", p.log(t))
		}
	}
}
