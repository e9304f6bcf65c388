package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/explain"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

const asked = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app, namespace: shop}
spec:
  ingressClassName: nginx
  rules: [{host: shop.example.com, http: {paths: [{path: /app, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
`

// running starts a server of the manifests, with one local process, and returns its
// admin address.
func running(t *testing.T, file string) string {
	t.Helper()
	s, err := server.Start(t.Context(), server.Options{
		Manifests: server.Manifests{
			Source: source.Options{Files: []string{file}},
			Compile: compile.Options{IngressClasses: []string{"nginx"},
				Endpoints: []compile.Attached{{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:8000"}}},
		},
		HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0", Explain: explainPlan,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addr("admin").String()
}

// A running Doorward answers as its files do, but for the endpoints, which it has.
func TestExplainOfARunningServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(asked), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := running(t, file)
	ask := func(code int, args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := Main(append([]string{"explain"}, args...), strings.NewReader(""), &out, &errOut); got != code {
			t.Errorf("%v: exit code %d, want %d: %s%s", args, got, code, out.String(), errOut.String())
		}
		return out.String() + errOut.String()
	}
	files := []string{"-f", file, "--ingress-class", "nginx", "--endpoint", "shop/app:80=127.0.0.1:8000"}
	for url, code := range map[string]int{"http://shop.example.com/app/x": 0, "http://shop.example.com/nothing": 1} {
		live, written := ask(code, url, "--admin", admin), ask(code, append([]string{url}, files...)...)
		if live != written || !strings.Contains(live, "edge, over plain HTTP") {
			t.Errorf("%s: a running server tells\n%s\nand its files\n%s", url, live, written)
		}
		var e explain.Explanation
		if err := json.Unmarshal([]byte(ask(code, url, "--admin", admin, "-o", "json")), &e); err != nil || e.Served != (code == 0) {
			t.Errorf("%s: %+v, %v", url, e, err)
		}
	}
	if got := ask(2, "http://shop.example.com/", "--via", "edgy", "--admin", admin); !strings.Contains(got, "did you mean edge?") {
		t.Errorf("a listener that is not there: %s", got)
	}
	if got := ask(0, "http://shop.example.com/app/x", "--admin", admin, "--as", "alice", "-o", "curl"); !strings.HasPrefix(got, "curl -i") {
		t.Errorf("curl is %s", got)
	}
}

// No page of another site can ask, no name can be rebound to the address, and questions
// are bounded.
func TestWhoMayAskARunningServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(asked), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := running(t, file)
	const good = `{"url": "http://shop.example.com/app/"}`
	for _, c := range []struct {
		name, method, host, form, body string
		status                         int
	}{
		{"a question", "POST", "", "application/json", good, 200},
		{"read", "GET", "", "", "", 405},
		{"as a form of another site", "POST", "", "text/plain", good, 415},
		{"without a form", "POST", "", "", good, 415},
		{"another name", "POST", "evil.example.com", "application/json", good, 405},
		{"a preflight", "OPTIONS", "", "", "", 405},
		{"no JSON", "POST", "", "application/json", "url", 400},
		{"an unknown member", "POST", "", "application/json", `{"url": "http://a/", "verified": true}`, 400},
		{"too long", "POST", "", "application/json", `{"url": "http://a/` + strings.Repeat("a", 64<<10) + `"}`, 400},
		{"another page", "POST", "", "application/json", good, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := "/explain"
			if c.name == "another page" {
				path = "/plan"
			}
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+admin+path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				req.Host = c.host
			}
			if c.form != "" {
				req.Header.Set("Content-Type", c.form)
			}
			req.Header.Set("Origin", "https://evil.example.com")
			resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("got %s %v %s, want %d", resp.Status, resp.Header, body, c.status)
			}
		})
	}
}
