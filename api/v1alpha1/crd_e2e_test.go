//go:build e2e

package v1alpha1

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// A real API server must take the CRD, and a LoginProvider with every field.
func TestE2EKubernetesAcceptsALoginProvider(t *testing.T) {
	cluster := peer.StartKubernetes(t)
	cluster.Kubectl(t, "apply", "--server-side", "-f", loginProviders)
	cluster.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	file := filepath.Join(t.TempDir(), "login.yaml")
	if err := os.WriteFile(file, []byte(everyField), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster.Kubectl(t, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-f", file)
	if got, want := cluster.Kubectl(t, "get", "loginprovider", "-o", "jsonpath={.items[*].spec.issuer}"), "https://idp.example"; got != want {
		t.Errorf("the issuer is %q, want %q", got, want)
	}
}

const everyField = `apiVersion: doorward.dev/v1alpha1
kind: LoginProvider
metadata: {name: oauth2-proxy, namespace: default}
spec:
  issuer: https://idp.example
  authorizationURL: /dex/auth
  clientID: c
  clientSecretRef: {name: login, key: client}
  scopes: [openid, email]
  redirectPath: /oauth2/callback
  groupsClaim: groups
  allowUnverifiedEmail: true
  sessionLifetime: 24h
  cookie: {name: kf, domain: example.com, secretRef: {name: login, key: cookies}}
  logout: {postLogoutRedirect: /, localOnly: false, backchannel: true}
  headers: {authorization: true, xAuthRequest: false}
  caCertRef: {name: ca, key: ca.crt}
`
