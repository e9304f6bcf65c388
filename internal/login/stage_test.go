package login_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

// policies are the platform's: log in unless there is an Authorization header, and let in
// nobody without a token. ISSUER and SPEC are the test's.
const policies = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [kubeflow/kubeflow-gateway]
  http:
  - match: [{uri: {prefix: /api/}}]
    corsPolicy: {allowOrigins: [{exact: "https://other.example"}], allowMethods: [GET], allowCredentials: true}
    route: [{destination: {host: app.shop.svc.cluster.local, port: {number: 80}}}]
  - route: [{destination: {host: app.shop.svc.cluster.local, port: {number: 80}}}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: issuer, namespace: istio-system}
spec:
  selector: {matchLabels: {app: istio-ingressgateway}}
  jwtRules:
  - issuer: ISSUER
    forwardOriginalToken: true
    outputClaimToHeaders:
    - {header: kubeflow-userid, claim: email}
    - {header: kubeflow-groups, claim: groups}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec:
  selector: {matchLabels: {app: istio-ingressgateway}}
  action: CUSTOM
  provider: {name: oauth2-proxy}
  rules:
  - to: [{operation: {notPaths: ["/public/*", "/oauth2/*"]}}]
    when: [{key: "request.headers[authorization]", notValues: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require-jwt, namespace: istio-system}
spec:
  selector: {matchLabels: {app: istio-ingressgateway}}
  action: DENY
  rules:
  - from: [{source: {notRequestPrincipals: ["*"]}}]
    to: [{operation: {notPaths: ["/public/*", "/oauth2/*"]}}]
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: istio-system}
stringData: {client: geheim, cookies: SECRETS}
---
apiVersion: doorward.dev/v1alpha1
kind: LoginProvider
metadata: {name: oauth2-proxy, namespace: istio-system}
spec: {issuer: ISSUER, clientID: kubeflow, clientSecretRef: {name: login, key: client}, SPEC}
`

const site = "https://cluster.example.com"

// stage is a running server with the policies, an application and a provider.
type stage struct {
	*server.Server
	t   *testing.T
	idp *idp
	// manifests is the file that is served.
	manifests string
}

// setting is what a test wants of the stage.
type setting struct {
	spec, secrets, state string
}

func (x setting) text(t *testing.T, issuer string) string {
	t.Helper()
	platform, err := os.ReadFile("../scenario/testdata/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if x.secrets == "" {
		x.secrets = "0123456789abcdef-first"
	}
	if x.spec == "" {
		x.spec = "cookie: {secretRef: {name: login, key: cookies}}"
	}
	return string(platform) + strings.NewReplacer("ISSUER", issuer, "SPEC", x.spec, "SECRETS", x.secrets).Replace(policies)
}

func newStage(t *testing.T, p *idp, x setting) *stage {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(received{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(app.Close)
	st := &stage{t: t, idp: p, manifests: t.TempDir() + "/m.yaml"}
	st.write(x)
	s, err := server.Start(t.Context(), server.Options{
		HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", Admin: "127.0.0.1:0", Drain: time.Minute, State: x.state,
		Manifests: server.Manifests{
			Source: source.Options{Files: []string{st.manifests}},
			Compile: compile.Options{HTTPSPort: 443, Endpoints: []compile.Attached{
				{Namespace: "shop", Service: "app", Port: "80", Address: app.Listener.Addr().String()},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	st.Server = s
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return st
}

// counted looks for lines of /metrics.
func (st *stage) counted(lines ...string) {
	st.t.Helper()
	resp, err := http.Get("http://" + st.Addr("admin").String() + "/metrics")
	if err != nil {
		st.t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		st.t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains(string(page), "\ndoorward_"+line+"\n") {
			st.t.Errorf("/metrics has no %s", line)
		}
	}
}

// write writes the manifests; they are in force after Reload.
func (st *stage) write(x setting) {
	st.t.Helper()
	if err := os.WriteFile(st.manifests, []byte(x.text(st.t, st.idp.URL)), 0o600); err != nil {
		st.t.Fatal(err)
	}
}

// received is what the application got.
type received struct {
	Method, Target string
	Header         http.Header
}

// browser is a browser at the stage: it keeps cookies, and follows redirects only when
// it is told to.
type browser struct {
	*http.Client
	t    *testing.T
	last *http.Response
	body string
	seen []*http.Cookie // every cookie set
}

func (st *stage) browser() *browser {
	jar, _ := cookiejar.New(nil)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case "cluster.example.com:443":
			address = st.Addr("https").String()
		case "cluster.example.com:80":
			address = st.Addr("http").String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	st.t.Cleanup(t.CloseIdleConnections)
	return &browser{t: st.t, Client: &http.Client{Jar: jar, Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends a request with header lines "name: value".
func (b *browser) do(method, target, body string, lines ...string) *http.Response {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = site + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		req.Header.Set(name, value)
	}
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	b.last, b.body = resp, string(data)
	b.seen = append(b.seen, resp.Cookies()...)
	return resp
}

// open opens a page, as a person does, and does not follow.
func (b *browser) open(target string, lines ...string) *http.Response {
	b.t.Helper()
	return b.do("GET", target, "", append([]string{"Sec-Fetch-Mode: navigate", "Accept: text/html"}, lines...)...)
}

// follow follows redirects until there is none.
func (b *browser) follow() *http.Response {
	b.t.Helper()
	for n := 0; b.last.StatusCode/100 == 3; n++ {
		if n == 10 {
			b.t.Fatal("a circle of redirects")
		}
		to, err := b.last.Location()
		if err != nil {
			b.t.Fatal(err)
		}
		b.open(to.String())
	}
	return b.last
}

// got is what the application received in the last exchange.
func (b *browser) got() received {
	b.t.Helper()
	var r received
	if err := json.Unmarshal([]byte(b.body), &r); err != nil {
		b.t.Fatalf("status %d, and the application got nothing: %q", b.last.StatusCode, b.body)
	}
	return r
}

// cookies are the browser's cookies for the site, by name.
func (b *browser) cookies() map[string]string {
	u, _ := url.Parse(site)
	all := map[string]string{}
	for _, c := range b.Jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

// set puts cookies into the browser.
func (b *browser) set(cookies map[string]string) {
	u, _ := url.Parse(site)
	for name, value := range cookies {
		b.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
}

// logIn logs in and expects to land at the target.
func (b *browser) logIn(target string) {
	b.t.Helper()
	b.open(target)
	if resp := b.follow(); resp.StatusCode != 200 {
		b.t.Fatalf("login ends with %d: %s", resp.StatusCode, b.body)
	}
	if got := b.got().Target; got != target {
		b.t.Fatalf("landed at %q, want %q", got, target)
	}
}

func (b *browser) want(status int) {
	b.t.Helper()
	if b.last.StatusCode != status {
		b.t.Errorf("%s %s: status %d, want %d: %s", b.last.Request.Method, b.last.Request.URL, b.last.StatusCode, status, b.body)
	}
}
