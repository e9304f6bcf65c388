package server

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// The platform's login, as users have it: Kubeflow's manifests, unchanged, with a dex and
// an oauth2-proxy that answer as the real ones do. Where the rendered platform lies beside
// the repository it is used, with each overlay; in any case one of its shape.
func TestPlatformLogin(t *testing.T) {
	const shared = "../../../shared/kubeflow/"
	platforms := map[string][]string{"testdata": {"testdata/platform-login.yaml"}}
	if rendered := shared + "rendered-networking.yaml"; exists(rendered) {
		platforms["kubeflow"] = []string{rendered}
		overlays, _ := filepath.Glob(shared + "overlays/*.yaml")
		for _, o := range overlays {
			platforms["kubeflow with "+strings.TrimSuffix(filepath.Base(o), ".yaml")] = []string{rendered, o}
		}
	} else {
		t.Log("the rendered platform is not beside the repository: only the one in testdata is tried")
	}
	for name, files := range platforms {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, f := range files {
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, string(data))
			}
			t.Run("whole", func(t *testing.T) { testLogin(t, texts) })
			t.Run("exempt", func(t *testing.T) { testExempt(t, texts) })
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

const (
	issuer = "http://dex.auth.svc.cluster.local:5556/dex"
	client = "kubeflow-oidc-authservice"
)

// identity is dex and oauth2-proxy, at one address each.
type identity struct {
	t      *testing.T
	signer jose.Signer
	keys   jose.JSONWebKeySet

	mu   sync.Mutex
	asks url.Values // of the login under way
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "RS256", Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jwk}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{t: t, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}}
}

// token is alice's, with a nonce where one was sent.
func (d *identity) token(nonce string) string {
	now := time.Now()
	claims := map[string]any{
		"iss": issuer, "sub": "u1", "aud": client, "email": "alice@example.com", "email_verified": true, "groups": []string{"team"},
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	token, err := jwt.Signed(d.signer).Claims(claims).Serialize()
	if err != nil {
		d.t.Error(err)
	}
	return token
}

// dex answers what oauth2-proxy, Istio and a browser ask of it.
func (d *identity) dex(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/dex/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	case "/dex/keys":
		json.NewEncoder(w).Encode(d.keys)
	case "/dex/auth": // as if alice had typed her password
		q := r.URL.Query()
		d.mu.Lock()
		d.asks = q
		d.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"alice"}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
	case "/dex/token":
		d.mu.Lock()
		asked := d.asks
		d.mu.Unlock()
		verifier := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "alice" || base64.RawURLEncoding.EncodeToString(verifier[:]) != asked.Get("code_challenge") {
			http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "bearer", "expires_in": 3600, "id_token": d.token(asked.Get("nonce"))})
	default:
		http.NotFound(w, r)
	}
}

// oauth2Proxy answers both as an application (/oauth2/) and to checks.
func (d *identity) oauth2Proxy(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/oauth2/start":
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow_csrf", Value: "c", Path: "/"})
		http.Redirect(w, r, "/dex/auth?"+url.Values{"redirect_uri": {"/oauth2/callback"}, "state": {"c:" + r.URL.Query().Get("rd")}}.Encode(), http.StatusFound)
		return
	case "/oauth2/callback":
		csrf, err := r.Cookie("oauth2_proxy_kubeflow_csrf")
		to, ours := strings.CutPrefix(r.URL.Query().Get("state"), "c:")
		if err != nil || csrf.Value != "c" || !ours || r.URL.Query().Get("code") != "alice" {
			http.Error(w, "the login was not begun here", http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow", Value: "alice", Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow_csrf", Path: "/", MaxAge: -1})
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	session, err := r.Cookie("oauth2_proxy_kubeflow")
	switch {
	case err == nil && session.Value == "alice":
		w.Header().Set("Authorization", "Bearer "+d.token(""))
		w.Header().Set("X-Auth-Request-Email", "alice@example.com")
		w.Header().Set("Gap-Auth", "alice@example.com")
		io.WriteString(w, "Authenticated")
	case strings.Contains(r.URL.Path, "/api/"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "{}")
	default: // the page with the button
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		http.SetCookie(w, &http.Cookie{Name: "oauth2_proxy_kubeflow", Path: "/", MaxAge: -1})
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<title>Sign In</title><a href="/oauth2/start?rd=%s">Dex</a>`, url.QueryEscape(r.RequestURI))
	}
}

// application tells what it gets.
func application(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "application %s user=%s groups=%s token=%v forged=%s", r.RequestURI, r.Header.Get("Kubeflow-Userid"), r.Header.Get("Kubeflow-Groups"),
		strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey"), r.Header.Get("X-Auth-Request-Email"))
}

// visitor is a browser before the platform's gateway.
type visitor struct {
	t       *testing.T
	client  *http.Client
	address string
}

// get returns the status, the type and the page.
func (v *visitor) get(path string, headers ...string) (int, string, string) {
	v.t.Helper()
	req, err := http.NewRequest("GET", "http://"+v.address+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
}

// want compares a page's status and beginning.
func (v *visitor) want(path string, status int, page string, headers ...string) {
	v.t.Helper()
	if got, _, body := v.get(path, headers...); got != status || !strings.HasPrefix(body, page) {
		v.t.Errorf("%s %q: got %d %.200s, want %d %s", path, headers, got, body, status, page)
	}
}

// servePlatform serves a platform with the dashboard, dex and oauth2-proxy, at these
// addresses, and more endpoints.
func servePlatform(t *testing.T, texts []string, dex, oauth2Proxy string, more ...compile.Attached) *visitor {
	t.Helper()
	o := Options{Drain: time.Minute, Direct: []Direct{{Key: "istio-system/istio-ingressgateway:80", Address: "127.0.0.1:0"}}}
	for _, text := range texts {
		o.Source.Texts = append(o.Source.Texts, source.Text{Name: "platform", Data: []byte(text)})
	}
	o.Compile.Endpoints = append(more,
		compile.Attached{Namespace: "auth", Service: "dex", Port: "5556", Address: dex},
		compile.Attached{Namespace: "oauth2-proxy", Service: "oauth2-proxy", Port: "80", Address: oauth2Proxy},
		compile.Attached{Namespace: "kubeflow", Service: "centraldashboard", Port: "80", Address: page(t, application)})
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, socket := range s.sockets {
			socket.Close()
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	jar, _ := cookiejar.New(nil)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, &http.Client{Jar: jar, Transport: transport}, s.Addr("istio-system/istio-ingressgateway:80").String()}
}

func testLogin(t *testing.T, texts []string) {
	d := newIdentity(t)
	v := servePlatform(t, texts, page(t, d.dex), page(t, d.oauth2Proxy))
	status, kind, body := v.get("/pipeline/?ns=a")
	if status != 403 || kind != "text/html; charset=utf-8" || !strings.Contains(body, `/oauth2/start?rd=%2Fpipeline%2F%3Fns%3Da`) {
		t.Errorf("without a session: got %d %s %s, want the page to sign in at", status, kind, body)
	}
	v.want("/pipeline/apis/v1/api/x", 401, "{}")
	v.want("/", 403, "<title>Sign In", "kubeflow-userid: root@example.com", "x-auth-request-email: root@example.com")
	v.want("/", 403, "RBAC: access denied", "Authorization: Basic eDp5")
	v.want("/", 401, "Jwt is not in the form of Header.Payload.Signature", "Authorization: Bearer nonsense")
	v.want("/dex/nothing", 404, "404 page not found")

	// The button leads over dex back to the page, with a session.
	v.want("/oauth2/start?rd=%2F", 200, "application / user=alice@example.com groups=WyJ0ZWFtIl0= token=true forged=alice@example.com")
	v.want("/", 200, "application / user=alice@example.com groups=WyJ0ZWFtIl0= token=true forged=alice@example.com",
		"kubeflow-userid: root@example.com", "Kubeflow-Groups: admins", "x-auth-request-email: root@example.com")
}

// myapp is an application with a login of its own.
const myapp = `
apiVersion: v1
kind: Service
metadata: {name: myapp, namespace: myapp}
spec:
  selector: {app: myapp}
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: myapp, namespace: myapp}
spec:
  hosts: ["*"]
  gateways: [kubeflow/kubeflow-gateway]
  http:
  - match: [{uri: {prefix: /myapp/}}]
    route: [{destination: {host: myapp.myapp.svc.cluster.local, port: {number: 80}}}]
`

// A path that is exempt from one of the two policies alone shows exactly its symptom:
// users know them.
func testExempt(t *testing.T, texts []string) {
	const login, jwt = "istio-ingressgateway-oauth2-proxy", "istio-ingressgateway-require-jwt"
	for _, c := range []struct {
		name   string
		exempt []string
		status int
		page   string
	}{
		{"from neither", nil, 403, "<title>Sign In"},
		{"from the need of a token", []string{jwt}, 403, "<title>Sign In"},
		{"from the login", []string{login}, 403, "RBAC: access denied"},
		{"from both", []string{login, jwt}, 200, "application /myapp/x user= "},
	} {
		t.Run(c.name, func(t *testing.T) {
			exempted := []string{myapp}
			for _, text := range texts {
				for _, policy := range c.exempt {
					text = exempt(text, policy)
				}
				exempted = append(exempted, text)
			}
			d := newIdentity(t)
			v := servePlatform(t, exempted, page(t, d.dex), page(t, d.oauth2Proxy), compile.Attached{Namespace: "myapp", Service: "myapp", Port: "80", Address: page(t, application)})
			v.want("/myapp/x", c.status, c.page, "kubeflow-userid: root@example.com")
		})
	}
}

// exempt adds /myapp/* to the notPaths of a policy.
func exempt(text, policy string) string {
	documents := strings.Split(text, "\n---\n")
	for i, d := range documents {
		if strings.Contains(d, "\n  name: "+policy+"\n") && strings.Contains(d, "kind: AuthorizationPolicy") {
			documents[i] = strings.Replace(d, "        - /oauth2/*", "        - /oauth2/*\n        - /myapp/*", 1)
		}
	}
	return strings.Join(documents, "\n---\n")
}

// page serves h and returns its address.
func page(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}
