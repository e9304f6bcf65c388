package explain

import (
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/pki"
	"github.com/doorward/doorward/internal/source"
)

// ground compiles manifests to ask about.
func ground(t testing.TB, manifests ...string) Ground {
	t.Helper()
	src := source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(strings.Join(manifests, "\n---\n"))}}}
	set, problems, err := source.Load(t.Context(), src)
	if err != nil || problems.HasErrors() {
		t.Fatal(err, problems)
	}
	p, more := compile.Compile(set, compile.Options{AssumePods: true, IngressClasses: []string{"nginx"}})
	return Ground{Plan: p, Set: set, Problems: more, Source: src}
}

func ask(t testing.TB, g Ground, q Question) *Explanation {
	t.Helper()
	e, err := Explain(g, q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The certificate that a client is shown is told with its Secret, at the edge as at a
// gateway; that there is none, or not for the name, as well.
func TestCertificates(t *testing.T) {
	made, err := pki.SelfSigned("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := pki.PEM(made)
	if err != nil {
		t.Fatal(err)
	}
	secret := func(name string) string {
		data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": name, "namespace": "istio-system"},
			"stringData": map[string]string{"tls.crt": string(cert), "tls.key": string(key)}})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: istio-system}
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.example.com], secretName: edge-tls}]
  rules:
  - {host: shop.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gw, port: {number: 80}}}}]}}
  - {host: other.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gw, port: {number: 80}}}}]}}`
	g := ground(t, platform, ingress, secret("edge-tls"), secret("gw-tls"))
	for _, c := range []struct {
		url, via string
		want     Certificate
	}{
		{"https://shop.example.com/", "edge", Certificate{From: "Secret istio-system/edge-tls", Names: []string{"shop.example.com"}}},
		{"https://other.example.com/", "edge", Certificate{Mistrusted: true}},
		{"https://shop.example.com/", "istio-system/gw:443", Certificate{From: "Secret istio-system/gw-tls", Names: []string{"shop.example.com"}}},
		{"https://other.example.com/", "istio-system/gw:443", Certificate{From: "Secret istio-system/gw-tls", Names: []string{"shop.example.com"}, Mistrusted: true}},
	} {
		got := ask(t, g, Question{URL: c.url, Via: c.via}).Hops[0].Certificate
		if got == nil || !strings.HasPrefix(got.From, c.want.From) || (got.From == "") != (c.want.From == "") || !slices.Equal(got.Names, c.want.Names) ||
			got.Mistrusted != c.want.Mistrusted || got.Refused != c.want.Refused || (got.Expires == "") != (c.want.From == "") {
			t.Errorf("%s via %s: %+v, want %+v", c.url, c.via, got, c.want)
		}
	}
	if got := ask(t, ground(t, platform), Question{URL: "https://shop.example.com/", Via: "istio-system/gw:443"}); got.Hops[0].Certificate == nil || !got.Hops[0].Certificate.Refused {
		t.Errorf("a gateway without its Secret shows %+v", got.Hops[0].Certificate)
	}
	if got := ask(t, g, Question{URL: "http://shop.example.com/"}); got.Hops[0].Certificate != nil {
		t.Errorf("plain text shows %+v", got.Hops[0].Certificate)
	}
}

// redirects is a VirtualService of redirects on the platform's gateway.
func redirects(rules ...string) string {
	return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: moved, namespace: istio-system}\nspec:\n  hosts: [a.example.com, b.example.com]\n  gateways: [istio-system/gw]\n  http:\n" + strings.Join(rules, "\n")
}

func open(t *testing.T) string {
	t.Helper()
	closed := strings.Index(platform, "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication")
	if closed < 0 {
		t.Fatal("the platform has changed")
	}
	return platform[:closed]
}

// Redirects are followed as a browser does, with the listener that the scheme needs, up
// to a loop, a host that is none of the plan's, or an answer.
func TestFollow(t *testing.T) {
	exact := func(path, redirect string) string {
		return "  - {match: [{uri: {exact: " + path + "}}], redirect: {" + redirect + "}}"
	}
	g := ground(t, open(t), redirects(
		exact("/a", "uri: /b"), exact("/b", "uri: /c, redirectCode: 307"),
		"  - {match: [{uri: {exact: /c}, method: {exact: POST}}], directResponse: {status: 200}}",
		exact("/to-b", "authority: b.example.com, uri: /who"),
		"  - {match: [{uri: {exact: /who}, authority: {exact: b.example.com}, headers: {authorization: {prefix: B}}}], directResponse: {status: 500}}",
		"  - {match: [{uri: {exact: /who}, authority: {exact: b.example.com}}], directResponse: {status: 204}}",
		exact("/self", "uri: /self"), exact("/x", "uri: /y"), exact("/y", "uri: /z"), exact("/z", "uri: /y"),
		exact("/out", "authority: elsewhere.example.org"), exact("/nowhere", "uri: /none")))
	for _, c := range []struct {
		method, path string
		outcome      string // of the last
		urls         string
		loop         string
	}{
		{"POST", "/b", "served", "http://a.example.com/c", ""},
		{"POST", "/a", "refused", "http://a.example.com/b http://a.example.com/c", ""}, // 301 makes it a GET
		{"GET", "/to-b", "served", "http://b.example.com/who", ""},
		{"GET", "/self", "refused", "", "http://a.example.com/self -> http://a.example.com/self, by VirtualService istio-system/moved"},
		{"GET", "/x", "redirected", "http://a.example.com/y http://a.example.com/z", "http://a.example.com/y -> http://a.example.com/z -> http://a.example.com/y, by VirtualService istio-system/moved"},
		{"GET", "/out", "redirected", "", ""},
		{"GET", "/nowhere", "refused", "http://a.example.com/none", ""},
	} {
		e := ask(t, g, Question{URL: "http://a.example.com" + c.path, Method: c.method, Via: "istio-system/gw:80", Follow: true, Headers: []string{"authorization: Bearer x"}})
		var urls []string
		for _, f := range e.Followed {
			urls = append(urls, f.Request.URL)
		}
		if got := strings.Join(urls, " "); got != c.urls || e.Last().Outcome != c.outcome || !strings.HasPrefix(e.Loop, c.loop) || c.loop == "" && e.Loop != "" {
			t.Errorf("%s %s: %s by %q, loop %q; want %s by %q, loop %q", c.method, c.path, e.Last().Outcome, got, e.Loop, c.outcome, c.urls, c.loop)
		}
		if e.Loop != "" && (e.Served || e.Reason != "the redirects lead in a circle") {
			t.Errorf("%s: a loop is told to be %s, %s", c.path, e.Outcome, e.Reason)
		}
	}
}

// The command is one that a shell reads as it was meant.
func TestCurl(t *testing.T) {
	g := ground(t, platform)
	for _, c := range []struct {
		q    Question
		want []string
	}{
		{Question{URL: "http://shop.example.com/it's?a=$HOME&b=`x`#f", Headers: []string{`x-a: "b" \ 'c'`}},
			[]string{"curl", "-i", "--path-as-is", "-g", "-H", "user-agent:", "-H", "accept:", "-H", `x-a: "b" \ 'c'`, "http://shop.example.com/it's?a=$HOME&b=`x`"}},
		{Question{URL: "https://shop.example.com", Method: "HEAD", Headers: []string{"host: other.example.com", "accept: a"}},
			[]string{"curl", "-i", "--path-as-is", "-g", "-I", "-H", "user-agent:", "-H", "host: other.example.com", "-H", "accept: a", "https://shop.example.com"}},
		{Question{URL: "http://shop.example.com/", Method: "POST", Via: "istio-system/gw:80", As: caller.Spec{Token: "a.b.c"}},
			[]string{"curl", "-i", "--path-as-is", "-g", "-X", "POST", "--connect-to", "::gw.istio-system.svc.cluster.local:80", "-H", "user-agent:", "-H", "accept:", "-H", "authorization: Bearer a.b.c", "http://shop.example.com/"}},
		{Question{URL: "http://shop.example.com/", Via: "istio-system/gw:80", As: caller.Spec{User: "alice"}},
			[]string{"curl", "-i", "--path-as-is", "-g", "--connect-to", "::gw.istio-system.svc.cluster.local:80", "-H", "user-agent:", "-H", "accept:", "-H", "authorization: Bearer it's", "http://shop.example.com/"}},
	} {
		line := ask(t, g, c.q).Curl
		script := "curl() { printf '%s\\n' curl \"$@\"; }; TOKEN=\"it's\"\n" + line
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
		if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s\nis read as %q (%v)\nwant       %q", line, got, err, c.want)
		}
	}
}

// Colour is for terminals alone.
func TestColour(t *testing.T) {
	g := ground(t, open(t), redirects("  - {match: [{uri: {exact: /a}}], directResponse: {status: 200}}"))
	for path, want := range map[string]string{"/a": "\x1b[1;32mserved\x1b[0m: 200 OK", "/b": "\x1b[1;31mrefused\x1b[0m: 404 Not Found"} {
		e := ask(t, g, Question{URL: "http://a.example.com" + path, Via: "istio-system/gw:80"})
		var colour, plain strings.Builder
		if err := errors.Join(e.Write(&colour, false, true), e.Write(&plain, false, false)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(colour.String(), want) || strings.Contains(plain.String(), "\x1b") {
			t.Errorf("%s: %q, and plain %q", path, colour.String(), plain.String())
		}
	}
}

// Whatever is asked, it is answered or told what is wrong with it.
func FuzzQuestion(f *testing.F) {
	g := ground(f, platform)
	f.Add("http://shop.example.com/app", "GET", "x-a: b", "istio-system/gw:80", "127.0.0.1", "alice")
	f.Add("https://[::1]:8443/%2e%2e/?a=b", "POST", "host: a", "edge", "::1", "")
	f.Add("http://a", "get", "a", "", "x", "b")
	f.Fuzz(func(t *testing.T, url, method, header, via, from, user string) {
		e, err := Explain(g, Question{URL: url, Method: method, Headers: []string{header}, Via: via, From: from, Follow: true, As: caller.Spec{User: user}})
		if (e == nil) == (err == nil) {
			t.Fatalf("explained %v, error %v", e, err)
		}
		if err != nil {
			return
		}
		var story strings.Builder
		if err := e.Write(&story, true, false); err != nil || len(e.Hops) == 0 || e.Outcome == "" || e.Reason == "" {
			t.Fatalf("%+v", e)
		}
	})
}
