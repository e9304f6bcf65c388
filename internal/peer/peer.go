// Package peer finds the real programs that tests run Doorward against: nginx, curl, h2load,
// a Kubernetes API server, Keycloak, oauth2-proxy, dex, tmux. Only tests import it.
//
// A machine with nothing but Go passes `make test`: a test whose program is missing is skipped.
// Where everything was installed, DOORWARD_REQUIRE_TOOLS=1 turns such a skip into a failure, so
// that a test cannot stop running without anybody noticing.
package peer

import (
	"os"
	"os/exec"
	"testing"
)

// Path returns where the named program is. When it is not on the PATH, the test is skipped, or
// fails if DOORWARD_REQUIRE_TOOLS is set.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if require := os.Getenv("DOORWARD_REQUIRE_TOOLS"); require != "" && require != "0" {
		t.Fatalf("%s is not installed, and DOORWARD_REQUIRE_TOOLS asks for every program: run make tools (for etcd, kube-apiserver and kubectl: hack/kube-apiserver.sh; for keycloak: hack/keycloak.sh; for oauth2-proxy: hack/oauth2-proxy.sh; for dex: hack/dex.sh)", name)
	}
	t.Skipf("%s is not installed: run make tools to have this test run (for etcd, kube-apiserver and kubectl: hack/kube-apiserver.sh; for keycloak: hack/keycloak.sh; for oauth2-proxy: hack/oauth2-proxy.sh; for dex: hack/dex.sh)", name)
	return ""
}
