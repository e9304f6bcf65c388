package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// probed runs probe and returns what it prints and its exit code.
func probed(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out, bad strings.Builder
	code := Main(append([]string{"probe"}, args...), strings.NewReader(""), &out, &bad)
	return out.String() + bad.String(), code
}

// The applications of the demo are at home under their prefixes, and on a host of
// their own.
func TestProbeDemo(t *testing.T) {
	p := startDemo(t)
	for _, page := range []string{"https://cluster/myapp/", "https://cluster/mlflow/", "https://minio/"} {
		if out, code := probed(t, p.url(page), "--connect", "127.0.0.1:"+p.https[strings.LastIndexByte(p.https, ':')+1:], "--insecure", "--admin", p.admin); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", page, code, out)
		}
	}
}

// What an application answers does nothing to the terminal.
func TestProbeShowsNoControls(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<!doctype html><script src=\"/\x1b]0;owned\a/x.js\"></script><a href='/"+strings.Repeat("long", 1000)+"'>x</a>")
	}))
	defer s.Close()
	out, code := probed(t, s.URL+"/app/")
	if code != exitFailed || strings.ContainsAny(out, "\x1b\a") || len(out) > 2000 || !strings.Contains(out, "<script src>") {
		t.Errorf("exit code %d\n%q", code, out)
	}
}

// shop is an application that does not know its prefix, behind the gateway; everything
// that it does not take is the dashboard's.
const shop = `apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: main, namespace: istio-system}
spec:
  ingressClassName: nginx
  tls: [{hosts: [cluster.localhost]}]
  rules: [{host: cluster.localhost, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gw, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: dashboard, namespace: kubeflow}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http:
  - match: [{uri: {prefix: /shop/}}]
    rewrite: {uri: /}
    route: [{destination: {host: app}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: dashboard, namespace: kubeflow}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http: [{match: [{uri: {prefix: /}}], route: [{destination: {host: dashboard}}]}]
`

// startShop serves shop with an application, until the test ends.
func startShop(t *testing.T, app http.Handler) (https, admin, manifest string) {
	t.Helper()
	backend := httptest.NewServer(app)
	manifest = filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(manifest, []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		root := newRoot()
		root.SetArgs([]string{"serve", "-f", manifest, "--ingress-class", "nginx", "--http", "off", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0",
			"--state", t.TempDir(), "--endpoint", "shop/app:80=" + strings.TrimPrefix(backend.URL, "http://"), "--endpoint", "kubeflow/dashboard:80=" + strings.TrimPrefix(backend.URL, "http://")})
		root.SetErr(in)
		ended <- root.ExecuteContext(ctx)
		in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("doorward serve ended with %v", err)
		}
		backend.Close()
	})
	lines := bufio.NewScanner(log)
	for https == "" || admin == "" {
		if !lines.Scan() {
			t.Fatalf("doorward serve ended before it told its addresses: %v", lines.Err())
		}
		if m := regexp.MustCompile(`msg=listening .*\bas=(https|admin) address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil && m[1] == "https" {
			https = m[2]
		} else if m != nil {
			admin = m[2]
		}
	}
	go io.Copy(io.Discard, log)
	return https, admin, manifest
}

// An application that does not know its prefix is told where each of its URLs leads, and
// the line that cures it, from the manifests as from the running server.
func TestProbeBroken(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "session=1; Path=/app")
		io.WriteString(w, "<!doctype html><title>Shop</title>\n<script src=/static/app.js></script>\n<link rel=stylesheet href=static/app.css>\n<form action=/login></form><a href=/>home</a>\n"+
			"<script>new WebSocket('ws://' + location.host + '/ws')</script><a href=http://app.shop.svc.cluster.local/x>x</a>")
	})
	mux.HandleFunc("/static/app.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, "a { background: url(/logo.png) }")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://cluster.localhost/shop/")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<!doctype html><title>Shop</title><link rel=stylesheet href=static/good.css><a href=../shop/good>x</a>")
	})
	mux.HandleFunc("/static/good.css", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/css") })
	https, admin, manifest := startShop(t, mux)
	reach := []string{"--connect", https, "--insecure"}
	for _, c := range []struct {
		page string
		args []string
		code int
		says []string
	}{
		{"/shop/", []string{"-f", manifest, "--ingress-class", "nginx"}, exitFailed, []string{
			"route: VirtualService shop/app spec.http[0].match[0] (" + manifest + ":36) to shop/app:80; /shop/ is taken off",
			"error: <script src> /static/app.js: script src leads out of /shop/ [escapes-prefix]\n    in:   https://cluster.localhost/shop/ line 2\n    goes: kubeflow/dashboard:80",
			"fix:  " + manifest + ":36: headers: {request: {set: {X-Forwarded-Prefix: /shop}}}",
			"error: <form action> /login", "warning: <a href> /:", "error: WebSocket ws://: plain ws on a page of https", "error: location.host /ws",
			"error: <a href> http://app.shop.svc.cluster.local/x: app.shop.svc.cluster.local is an address inside of the cluster",
			"error: CSS url() /logo.png", "in:   https://cluster.localhost/shop/static/app.css line 1",
			"error: Set-Cookie session /app: Path=/app is not above /shop/", "info: X-Forwarded-Prefix",
		}},
		{"/shop/", []string{"--admin", admin}, exitFailed, []string{"error: <script src> /static/app.js", "goes: kubeflow/dashboard:80", "headers: {request: {set: {X-Forwarded-Prefix: /shop}}}"}},
		{"/shop/", nil, exitFailed, []string{"error: <script src> /static/app.js", "with -f or --admin the manifests' line is told"}},
		{"/shop/moved", nil, exitFailed, []string{"error: Location http://cluster.localhost/shop/: the page is https, and it sends browsers to http [wrong-scheme]"}},
		{"/shop/good", []string{"--admin", admin}, exitOK, []string{"nothing escapes /shop/", "info: X-Forwarded-Prefix"}},
		{"/shop/none", nil, exitMisused, []string{"answers 404, so there is no page to look at"}},
	} {
		out, code := probed(t, append(append([]string{"https://cluster.localhost" + c.page}, reach...), c.args...)...)
		if code != c.code {
			t.Errorf("%s %q: exit code %d, want %d\n%s", c.page, c.args, code, c.code, out)
		}
		for _, want := range c.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s %q: %q is not in\n%s", c.page, c.args, want, out)
			}
		}
	}
}
