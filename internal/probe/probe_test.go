package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// site serves answers by path, and fails the test for anything but GET.
func site(t *testing.T, answers map[string]http.HandlerFunc) (base string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("got %s %s", r.Method, r.URL)
		}
		if answer, ok := answers[r.URL.Path]; ok {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func document(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, text)
	}
}

func file(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, text)
	}
}

func to(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	}
}

func probeOf(t *testing.T, base, path string) (*Report, error) {
	t.Helper()
	return Run(t.Context(), Options{URL: parse(t, base+path), Client: Client{Timeout: 10 * time.Second}})
}

func found(r *Report) string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", f.Severity, f.Code, f.Element, f.Written))
	}
	return strings.Join(lines, "\n")
}

func TestRun(t *testing.T) {
	base := site(t, map[string]http.HandlerFunc{
		"/app": to("/app/"),
		"/app/": document(`<title>App</title><link rel=stylesheet href=a.css><script src=a.js></script><script src=page.js></script>
<img src=gone.png><img src=gone.png><script src=//elsewhere.invalid/x.js></script><a href=/x>x</a><a href=/x>x again</a>`),
		"/app/a.css":   file("text/css", "@import '/b.css';\na { background: url(c.png) }"),
		"/app/a.js":    file("text/javascript", "\nfetch('/api'); fetch('/app/api')"),
		"/app/page.js": document("<p>not found</p>"),
		"/app/based":   document(`<base href=/><script src=x.js></script>`),
		"/app/text":    file("text/plain", "<a href=/x>"),
		"/app/out":     to("/elsewhere"),
		"/app/round":   to("/app/round"),
		"/app/login":   to("https://sso.example.com/realms/x/protocol/openid-connect/auth?client_id=a"),
		"/app/secret":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	})
	for _, c := range []struct{ path, want string }{
		{"/app", `error escapes-prefix CSS @import /b.css
error escapes-prefix fetch /api
error broken <script src> page.js
error broken <img src> gone.png
warning escapes-prefix <a href> /x`},
		{"/app/based", "error escapes-prefix <base href> /\nerror escapes-prefix <script src> x.js"},
		{"/app/text", ""},
		{"/app/out", "error escapes-prefix Location /elsewhere"},
	} {
		r, err := probeOf(t, base, c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		if got := found(r); got != c.want || r.Clean() != (c.want == "") {
			t.Errorf("%s: got\n%s\nwant\n%s", c.path, got, c.want)
		}
		for _, f := range r.Findings {
			if f.Remedy == "" || f.Page == "" || f.Element != "Location" && f.Line == 0 {
				t.Errorf("a finding lacks something: %+v", f)
			}
		}
	}
	for path, says := range map[string]string{
		"/app/round": "more than 10 redirects", "/app/login": "give --token or --cookie", "/app/secret": "answers 401", "/app/none": "answers 404",
	} {
		if _, err := probeOf(t, base, path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", path, err, says)
		}
	}
}

// A page that loads without end is looked at to a bound, and the report says so.
func TestLimits(t *testing.T) {
	var page strings.Builder
	for i := range 100 {
		fmt.Fprintf(&page, "<script src=s%d.js></script>", i)
	}
	asked := 0
	answers := map[string]http.HandlerFunc{"/app/": document(page.String()), "/app/long": document(strings.Repeat("<p>", maxAnswer))}
	for i := range 100 {
		answers[fmt.Sprintf("/app/s%d.js", i)] = func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Content-Type", "text/javascript")
		}
	}
	base := site(t, answers)
	r, err := probeOf(t, base, "/app/")
	if err != nil || asked != maxFetches || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "loads 100 files") {
		t.Errorf("got %d requests, %v, %v", asked, r, err)
	}
	if r, err = probeOf(t, base, "/app/long"); err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "longer than") {
		t.Errorf("got %v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers["/app/s0.js"] = func(http.ResponseWriter, *http.Request) { cancel() }
	if r, err = Run(ctx, Options{URL: parse(t, base+"/app/")}); err != nil || len(r.Notes) == 0 || !strings.Contains(r.Notes[len(r.Notes)-1], "time is up") {
		t.Errorf("got %v, %v", r, err)
	}
}

// What is sent to log in goes to the page's host alone.
func TestCredentialsStay(t *testing.T) {
	other := site(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) { t.Errorf("another host was asked, with %v", r.Header) }})
	var cookie string
	base := site(t, map[string]http.HandlerFunc{"/app/": func(w http.ResponseWriter, r *http.Request) {
		cookie = r.Header.Get("Cookie")
		document(`<script src="`+other+`/"></script><link rel=stylesheet href=away.css>`)(w, r)
	}, "/app/away.css": to(other + "/")})
	o := Options{URL: parse(t, base+"/app/"), Client: Client{Header: http.Header{"Cookie": {"s=1"}}}}
	if _, err := Run(t.Context(), o); err != nil || cookie != "s=1" {
		t.Errorf("got cookie %q, %v", cookie, err)
	}
}

// A running server is asked once about each URL, and its words are read.
func TestServer(t *testing.T) {
	asked := 0
	answers := map[string]string{
		"https://c.example.com/app/x": `{"reason": "forwarded", "hops": [{"route": "path prefix \"/\"", "origin": "Ingress istio-system/main spec.rules[0] (main.yaml:3)"},
		   {"route": "path prefix \"/app/\"", "origin": "VirtualService shop/app spec.http[1].match[0] (vs.yaml:9)"}, {}],
		  "forward": {"backend": "shop/app:80", "target": "/x", "headers": [{"name": "x-forwarded-prefix", "value": "/app"}, {"name": "x-forwarded-proto", "value": "https"}]}}`,
		"https://c.example.com/v1/x": `{"reason": "forwarded", "hops": [{"route": "path regex \"/v[0-9]/.*\"", "origin": "VirtualService shop/v spec.http[0]"}],
		  "forward": {"backend": "shop/v:80", "target": "/v1/x"}}`,
		"https://c.example.com/kept/x":  `{"hops": [{"route": "path prefix \"/kept/\"", "origin": "built in"}], "forward": {"backend": "shop/kept:80", "target": "/kept/x?y=/z"}}`,
		"https://c.example.com/nothing": `{"reason": "no route takes it", "hops": [{}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		var q struct{ URL string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Method != http.MethodPost || r.URL.Path != "/explain" {
			t.Errorf("got %s %s, %v", r.Method, r.URL, err)
		}
		io.WriteString(w, answers[q.URL])
	}))
	defer s.Close()
	server, err := NewServer(t.Context(), strings.TrimPrefix(s.URL, "http://"), parse(t, "https://c.example.com/app/x"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Route{
		"/app/x":   {Goes: "shop/app:80", Served: true, Object: "VirtualService shop/app", Field: "spec.http[1].match[0]", File: "vs.yaml", Line: 9, Prefix: "/app/", Rewritten: true, Forwarded: "/app", Proto: "https"},
		"/v1/x":    {Goes: "shop/v:80", Served: true, Object: "VirtualService shop/v", Field: "spec.http[0]"},
		"/kept/x":  {Goes: "shop/kept:80", Served: true, Object: "built in", Prefix: "/kept/"},
		"/nothing": {Goes: "nowhere: no route takes it"},
	} {
		if got := server.Route(parse(t, "https://c.example.com"+path)); got == nil || *got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
	if asked != len(answers) {
		t.Errorf("it was asked %d times about %d URLs", asked, len(answers))
	}
	if r := server.Route(parse(t, "https://c.example.com/unknown")); r != nil || server.Failed == nil {
		t.Errorf("got %+v, %v", r, server.Failed)
	}
}
