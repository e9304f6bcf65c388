package peer

import (
	"net/http"
	"testing"
	"time"
)

// StartOAuth2Proxy starts an oauth2-proxy on loopback with a configuration file of this text,
// and returns its address. Its own requests go by the HTTP proxy at the address via, so that
// names of a cluster lead somewhere. It ends with the test.
func StartOAuth2Proxy(t testing.TB, config, via string) string {
	t.Helper()
	program := Path(t, "oauth2-proxy")
	dir, address := t.TempDir(), freeAddress(t)
	p := start(t, dir, Path(t, "env"), "HTTP_PROXY=http://"+via, program, "--config="+write(t, dir, "oauth2_proxy.cfg", config), "--http-address="+address)
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := http.Get("http://" + address + "/ping")
		if err == nil {
			resp.Body.Close()
			return address
		}
		select {
		case <-p.ended:
			t.Fatalf("oauth2-proxy ended before it was ready:\n%s", p.log(t))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("oauth2-proxy is not ready after a minute:\n%s", p.log(t))
		}
	}
}
