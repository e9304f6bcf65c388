//go:build e2e

package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/peer"
	"github.com/doorward/doorward/internal/pki"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

// realm is the realm of testdata/keycloak/realm.json.
const realm = "/realms/prokube"

// keycloakPlatform is the platform of testdata/keycloak: Doorward, a Keycloak behind it, and an
// application that tells what it received.
type keycloakPlatform struct {
	*peer.Keycloak
	origin  string // of the door: https://cluster.localhost:PORT
	gateway string // HOST:PORT of the gateway's Service port, for callers inside
	client  *http.Client
}

func startKeycloakPlatform(t *testing.T) *keycloakPlatform {
	t.Helper()
	edge, gateway := freePort(t), freePort(t)
	p := &keycloakPlatform{origin: "https://cluster.localhost:" + edge, gateway: "127.0.0.1:" + gateway}
	p.Keycloak = peer.StartKeycloak(t, p.origin+"/auth")
	p.realm(t)

	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(received{Application: "web", Method: r.Method, Target: r.RequestURI, Host: r.Host, Headers: r.Header})
	}))
	t.Cleanup(web.Close)
	manifests, err := os.ReadFile("testdata/keycloak/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(manifests), "PORT", edge)
	s, err := server.Start(t.Context(), server.Options{
		Manifests: server.Manifests{
			Source: source.Options{Texts: []source.Text{{Name: "platform.yaml", Data: []byte(text)}, {Name: "tls.yaml", Data: p.certificate(t)}}},
			Compile: compile.Options{IngressClasses: []string{"nginx"}, Endpoints: []compile.Attached{
				{Namespace: "keycloak", Service: "keycloak", Port: "8080", Address: p.Address},
				{Namespace: "web", Service: "web", Port: "80", Address: web.Listener.Addr().String()},
			}},
		},
		HTTPS: "127.0.0.1:" + edge, Direct: []server.Direct{{Key: "istio-system/istio-ingressgateway:80", Address: p.gateway}},
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return p
}

// realm makes the realm, with the ports of this run.
func (p *keycloakPlatform) realm(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile("testdata/keycloak/realm.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "https://cluster.localhost/oauth2/backchannel-logout", "http://"+p.gateway+"/oauth2/backchannel-logout")
	text = strings.ReplaceAll(text, "https://cluster.localhost", p.origin)
	p.Admin(t, "POST", "/realms", json.RawMessage(text), nil)
}

// certificate makes the door's certificate, as a Secret, and a client that trusts it.
func (p *keycloakPlatform) certificate(t *testing.T) []byte {
	t.Helper()
	c, err := pki.SelfSigned("cluster.localhost")
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := pki.PEM(c)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.client = &http.Client{CheckRedirect: stay, Transport: &http.Transport{DialContext: toLoopback, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	t.Cleanup(p.client.CloseIdleConnections)
	return fmt.Appendf(nil, "apiVersion: v1\nkind: Secret\nmetadata: {name: cluster-tls, namespace: istio-system}\ntype: kubernetes.io/tls\ndata: {tls.crt: %s, tls.key: %s}\n",
		base64.StdEncoding.EncodeToString(chain), base64.StdEncoding.EncodeToString(key))
}

// get asks the door for a path, with fields as name and value.
func (p *keycloakPlatform) get(t *testing.T, path string, fields ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.origin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// accessToken is one that Keycloak gives for a password.
func (p *keycloakPlatform) accessToken(t *testing.T, user, password string) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	p.Token(t, "prokube", url.Values{
		"grant_type": {"password"}, "scope": {"openid"}, "username": {user}, "password": {password},
		"client_id": {"doorward"}, "client_secret": {"the-secret-of-a-test"},
	}, &answer)
	return answer.AccessToken
}

// Programs bring a token that Keycloak gave them.
func TestE2EKeycloakTokens(t *testing.T) {
	p := startKeycloakPlatform(t)
	status, body := p.get(t, "/auth/realms/prokube/.well-known/openid-configuration")
	if want := `"issuer":"` + p.origin + "/auth" + realm + `"`; status != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("discovery through the door: got %d %s, want 200 with %s", status, body, want)
	}
	groups := base64.StdEncoding.EncodeToString([]byte(`["admins","data-science"]`))
	bearer := "Bearer " + p.accessToken(t, "alice", "wonderland")
	status, body = p.get(t, "/x", "Authorization", bearer, "kubeflow-userid", "root", "kubeflow-groups", "root")
	var got received
	if status != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil {
		t.Fatalf("with a token: got %d %s, want 200 from the application", status, body)
	}
	for name, want := range map[string]string{"Kubeflow-Userid": "alice@example.com", "Kubeflow-Groups": groups} {
		if v := got.Headers[name]; len(v) != 1 || v[0] != want {
			t.Errorf("header %s: got %q, want %q", name, v, want)
		}
	}
	forged := bearer[:len(bearer)-8] + "AAAAAAAA"
	if status, body := p.get(t, "/x", "Authorization", forged); status != http.StatusUnauthorized || body != "Jwt verification fails" {
		t.Errorf("with a forged token: got %d %q", status, body)
	}

	// A new key: the old one signs no more, its tokens are good while it is told.
	p.rotate(t)
	rotated := "Bearer " + p.accessToken(t, "bob", "builder")
	if kid(t, rotated) == kid(t, bearer) {
		t.Fatal("Keycloak signs with the old key")
	}
	p.becomes(t, "bob after the rotation", http.StatusOK, "/x", "Authorization", rotated) // unknown keys are asked for at times
	p.becomes(t, "alice after the rotation", http.StatusOK, "/x", "Authorization", bearer)

	// Keys are kept while Keycloak is away.
	p.Kill(t)
	if status, body := p.get(t, "/x", "Authorization", rotated); status != http.StatusOK {
		t.Errorf("without Keycloak: got %d %s, want 200", status, body)
	}
}

// becomes waits until a path answers with a status.
func (p *keycloakPlatform) becomes(t *testing.T, what string, want int, path string, fields ...string) {
	t.Helper()
	eventually(t, what, func() bool {
		status, _ := p.get(t, path, fields...)
		return status == want
	})
}

// rotate gives the realm a new key, of a higher priority than the others.
func (p *keycloakPlatform) rotate(t *testing.T) {
	t.Helper()
	p.Admin(t, "POST", realm+"/components", map[string]any{
		"name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": map[string]any{"priority": []string{"1000"}, "keySize": []string{"2048"}},
	}, nil)
}

// kid is the id of the key that a token says it is signed by.
func kid(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(strings.TrimPrefix(token, "Bearer "), ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(data, &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// freePort is a port of this machine that nothing listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
