package server

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/telemetry"
)

const authentication = `---
apiVersion: v1
kind: Service
metadata: {name: dex, namespace: auth}
spec: {ports: [{name: http, port: 5556}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: dex-jwt, namespace: istio-system}
spec:
  jwtRules:
  - issuer: http://dex.auth.svc.cluster.local:5556/dex
    outputClaimToHeaders: [{header: kubeflow-userid, claim: email}]
`

// dexKeys signs tokens and serves its keys.
type dexKeys struct {
	*httptest.Server
	key  ed25519.PrivateKey
	away atomic.Bool
}

func newDexKeys(t *testing.T) *dexKeys {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &dexKeys{key: key}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *dexKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case i.away.Load():
		w.WriteHeader(503)
	case r.URL.Path == "/dex/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"jwks_uri":"http://%s/dex/keys"}`, r.Host)
	case r.URL.Path == "/dex/keys":
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, base64.RawURLEncoding.EncodeToString(i.key.Public().(ed25519.PublicKey)))
	default:
		w.WriteHeader(404)
	}
}

func (i *dexKeys) token() string {
	payload, _ := json.Marshal(map[string]any{
		"iss": "http://dex.auth.svc.cluster.local:5556/dex", "sub": "1", "email": "alice@example.com", "exp": time.Now().Add(time.Hour).Unix(),
	})
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.key, []byte(signed)))
}

// lines is a writer that a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The keys of an issuer in the cluster are fetched at its endpoint, and kept in
// the state directory for a restart while it is away. Where they were never
// seen, operators learn why, and the client does not.
func TestKeySets(t *testing.T) {
	idp, state := newDexKeys(t), t.TempDir()
	run := func(state string) (*running, *lines) {
		log := new(lines)
		r := start(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("kubeflow-userid")) }, func(o *Options) {
			file := o.Source.Files[0] + "/tokens.yaml"
			if err := os.WriteFile(file, []byte(authentication), 0o600); err != nil {
				t.Fatal(err)
			}
			o.Compile.Endpoints = append(o.Compile.Endpoints, compile.Attached{Namespace: "auth", Service: "dex", Port: "5556", Address: idp.Listener.Addr().String()})
			o.State, o.AccessLog, o.AccessLogTo = state, telemetry.JSON, log
		})
		return r, log
	}
	get := func(r *running) (int, string) {
		t.Helper()
		req, _ := http.NewRequest("GET", "http://"+r.Addr(gatewayKey).String()+"/old", nil)
		req.Header.Set("Authorization", "Bearer "+idp.token())
		req.Header.Set("Kubeflow-Userid", "root")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	problems := func(r *running) string {
		resp, err := http.Get("http://" + r.Addr("admin").String() + "/problems")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}

	first, _ := run(state)
	if status, body := get(first); status != 200 || body != "alice@example.com" {
		t.Fatalf("got %d %q, want alice", status, body)
	}
	if text := problems(first); strings.Contains(text, "jwks") {
		t.Errorf("/problems: %s", text)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	idp.away.Store(true)
	second, _ := run(state)
	if status, body := get(second); status != 200 || body != "alice@example.com" {
		t.Errorf("restarted while the issuer is away: got %d %q, want alice", status, body)
	}

	third, log := run("")
	if status, body := get(third); status != 401 || body != "Jwt verification fails" {
		t.Errorf("an issuer that is away: got %d %q", status, body)
	}
	if text := problems(third); !strings.Contains(text, `"jwks-unreachable"`) || !strings.Contains(text, "status 503") || !strings.Contains(text, "RequestAuthentication istio-system/dex-jwt") {
		t.Errorf("/problems does not tell why: %s", text)
	}
	if err := third.stop(); err != nil { // the log is complete then
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "status 503") {
		t.Errorf("the access record does not tell why: %s", log)
	}
}
