package probe

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func parse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// table routes by the first part of the path.
type table map[string]Route

func (m table) Route(u *url.URL) *Route {
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if r, ok := m[first]; ok {
		return &r
	}
	r := m[""]
	return &r
}

func TestJudge(t *testing.T) {
	router := table{"": {Goes: "kubeflow/dashboard:80", Served: true, Prefix: "/"}, "other": {Goes: "other/app:80", Served: true, Prefix: "/other/"}}
	for _, c := range []struct {
		page    string
		kind    Kind
		written string
		want    string // severity, code, where it goes; "" nothing is wrong
	}{
		{"https://c.example.com/app/", Script, "/static/a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "static/a.js", ""},
		{"https://c.example.com/app/", Script, "../a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "/app/../a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "/apple/a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "//c.example.com/a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "//cdn.example.org/a.js", ""},
		{"https://c.example.com/app/", Form, "/other/x", "error escapes-prefix other/app:80"},
		{"https://c.example.com/app/", Link, "/other/x", "info leads-to-another other/app:80"},
		{"https://c.example.com/app/", Link, "/", "warning escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Link, "/app", ""},
		{"https://c.example.com/app/", Link, "https://example.org/", ""},
		{"https://c.example.com/app/", Link, "#top", ""},
		{"https://c.example.com/app/", Link, "mailto:a@example.com", ""},
		{"https://c.example.com/app/", Link, "javascript:void(0)", ""},
		{"https://c.example.com/app/", Image, "data:image/png;base64,AA", ""},
		{"https://c.example.com/app/", Link, "http://c.example.com/app/x", "warning wrong-scheme"},
		{"https://c.example.com/app/", Redirect, "http://c.example.com/app/x", "error wrong-scheme"},
		{"https://c.example.com/app/", Redirect, "/x", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Refresh, "/x", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Redirect, "https://sso.example.org/auth", ""},
		{"https://c.example.com/app/", Redirect, "https://c.example.com:8443/app/", "error wrong-host"},
		{"https://c.example.com/app/", Script, "http://cdn.example.org/a.js", "error mixed-content"},
		{"https://c.example.com/app/", Image, "http://cdn.example.org/a.png", "warning mixed-content"},
		{"https://c.example.com/app/", Socket, "ws://c.example.com/app/ws", "error mixed-content"},
		{"https://c.example.com/app/", Socket, "ws://", "error mixed-content"},
		{"http://c.example.com/app/", Socket, "ws://", ""},
		{"https://c.example.com/app/", Socket, "wss://c.example.com/ws", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Socket, "wss://c.example.com/app/ws", ""},
		{"https://c.example.com/app/", Call, "http://app.shop.svc.cluster.local/x", "error backend-address"},
		{"https://c.example.com/app/", Link, "http://app.shop.svc:8080/", "error backend-address"},
		{"https://c.example.com/app/", Link, "http://app:8080/", "error backend-address"},
		{"https://c.example.com/app/", Call, "http://localhost:3000/x", "error backend-address"},
		{"https://c.example.com/app/", Call, "https://10.1.2.3/x", "error backend-address"},
		{"https://c.example.com/app/", Call, "https://[::1]/x", "error backend-address"},
		{"https://c.example.com/app/", Call, "https://203.0.113.7/x", ""},
		{"https://cluster.localhost:8443/app/", Link, "https://minio.localhost:8443/", ""},
		{"http://127.0.0.1:8080/app/", Script, "http://127.0.0.1:8080/app/a.js", ""},
		{"https://c.example.com/app/", Link, "http://[", ""},
		{"https://c.example.com/app/", Script, "/\x1b/a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, " \n/sta\ntic/a b.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "\\static\\a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "/100%/a.js", "error escapes-prefix kubeflow/dashboard:80"},
		{"https://c.example.com/app/", Script, "a%20b%zz.js?x=\\", ""},
	} {
		page := parse(t, c.page)
		s := Scope{Page: page, Prefix: "/app/", Router: router}
		got := ""
		if f := s.Judge(Reference{Kind: c.kind, Written: c.written, Element: "x", Line: 1}, page, page); f != nil {
			got = strings.TrimSpace(string(f.Severity) + " " + f.Code + " " + f.Goes)
			if f.Message == "" || f.Target == "" {
				t.Errorf("%s: %+v", c.written, f)
			}
		}
		if got != c.want {
			t.Errorf("%s %s on %s: got %q, want %q", c.kind, c.written, c.page, got, c.want)
		}
	}
	own := Scope{Page: parse(t, "https://app.example.com/"), Prefix: "/"}
	if f := own.Judge(Reference{Kind: Script, Written: "/a.js"}, own.Page, own.Page); f != nil {
		t.Errorf("a host of its own: got %+v", f)
	}
}

func TestJudgeCookies(t *testing.T) {
	for _, c := range []struct{ page, cookie, want string }{
		{"https://c.example.com/app/", "a=1", ""},
		{"https://c.example.com/app/", "a=1; Path=/app/", ""},
		{"https://c.example.com/app/", "a=1; Path=/app", ""},
		{"https://c.example.com/app/", "a=1; Path=/ap", "error cookie-path"},
		{"https://c.example.com/app/", "a=1; Path=/other", "error cookie-path"},
		{"https://c.example.com/app/", "a=1; Path=/app/deep/", "error cookie-path"},
		{"https://c.example.com/app/", "a=1; Path=/", "warning cookie-path"},
		{"https://c.example.com/app/", "__Host-a=1; Path=/; Secure", ""},
		{"https://c.example.com/app/", "a=; Path=/; Max-Age=0", ""},
		{"https://c.example.com/app/", "_oauth2_proxy=1; Path=/", ""},
		{"https://c.example.com/app/", "a=1; Domain=example.com", ""},
		{"https://c.example.com/app/", "a=1; Domain=ample.com", "error cookie-domain"},
		{"https://c.example.com/app/", "a=1; Domain=app.shop.svc.cluster.local", "error cookie-domain"},
		{"http://c.example.com/app/", "a=1; Secure", "warning cookie-domain"},
	} {
		page := parse(t, c.page)
		s := Scope{Page: page, Prefix: "/app/"}
		got := ""
		for _, f := range s.JudgeCookies(http.Header{"Set-Cookie": {c.cookie}}, page) {
			got += string(f.Severity) + " " + f.Code
		}
		if got != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.cookie, c.page, got, c.want)
		}
	}
}

func TestRecognise(t *testing.T) {
	for _, c := range []struct{ server, title, body, want string }{
		{"", "JupyterLab", "", "JupyterLab"},
		{"", "Home", `<body data-base-url="/">`, "Jupyter"},
		{"", "Grafana", "", "Grafana"},
		{"MinIO Console", "Login", "", "MinIO"},
		{"uvicorn", "vLLM - Swagger UI", "", "FastAPI"},
		{"", "Streamlit", "", "Streamlit"},
		{"nginx", "My shop", "about MLflow", ""},
	} {
		h := http.Header{}
		if c.server != "" {
			h.Set("Server", c.server)
		}
		if got := Recognise(h, c.title, []byte(c.body)).Name; got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// The cure is the manifest's line where a manifest cures it, and the application's
// setting where that is known.
func TestCures(t *testing.T) {
	taken := Route{Served: true, Object: "VirtualService shop/app", Field: "spec.http[1].match[0]", File: "vs.yaml", Line: 7, Prefix: "/app/", Rewritten: true}
	told := taken
	told.Forwarded = "/app"
	kept := taken
	kept.Rewritten = false
	plain := told
	plain.Proto = "http"
	scope := &Scope{Page: parse(t, "https://c.example.com/app/"), Prefix: "/app/"}
	jupyter := applications()[0]
	for _, c := range []struct {
		name     string
		route    *Route
		app      Application
		code     string
		says     string
		manifest string
	}{
		{"no header", &taken, Application{}, EscapesPrefix, "headers: {request: {set: {X-Forwarded-Prefix: /app}}} in VirtualService shop/app spec.http[1]", "vs.yaml:7"},
		{"a header that is not read", &told, Application{}, EscapesPrefix, "gets X-Forwarded-Prefix: /app and does not use it", ""},
		{"the prefix is kept", &kept, Application{}, EscapesPrefix, "gets its paths with /app", ""},
		{"one that serves its prefix", &taken, jupyter, EscapesPrefix, "--ServerApp.base_url=/app/; it then serves the prefix itself, so remove rewrite", "vs.yaml:7"},
		{"the same, and the route keeps it", &kept, jupyter, EscapesPrefix, "JupyterLab: --ServerApp.base_url=/app/", ""},
		{"nothing is known", nil, Application{}, EscapesPrefix, "tell the application its prefix /app", ""},
		{"no header, and nothing escapes", &taken, Application{}, ForwardedPrefix, "X-Forwarded-Prefix: /app", "vs.yaml:7"},
		{"the gateway says http", &plain, Application{}, WrongScheme, "numTrustedProxies: 1", ""},
		{"the application does not listen", &told, Application{}, WrongScheme, "X-Forwarded-Proto: https", ""},
		{"a cookie", &told, Application{}, CookiePath, "Path=/app/", ""},
	} {
		f := &Finding{Code: c.code, Target: "https://c.example.com/x"}
		cure := cure{c.route, c.app, scope}
		if cure.write(f); !strings.Contains(f.Remedy, c.says) || f.Manifest != c.manifest {
			t.Errorf("%s: got %q at %q, want %q at %q", c.name, f.Remedy, f.Manifest, c.says, c.manifest)
		}
	}
}
