package suite

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// Tests that are proposed pass, and touch every route.
func TestProposedTestsPass(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "asked.yaml", asked+platformOf(2))
	write(t, dir, "guarded.yaml", guarded+platformOf(2))
	for _, c := range []struct {
		o     Options
		least int
	}{
		{Options{Source: source.Options{Kustomizations: []string{"../../examples/login"}}}, 20},
		{Options{Source: source.Options{Kustomizations: []string{"../../examples/paas"}}}, 10},
		{Options{Source: source.Options{Files: []string{filepath.Join(dir, "asked.yaml")}}}, 4},
		{Options{Source: source.Options{Files: []string{filepath.Join(dir, "guarded.yaml")}}}, 6},
		{Options{Source: source.Options{Kustomizations: []string{"../../examples/paas/minio/overlays/production"}}, Compile: compile.Options{IngressClasses: []string{"public"}}}, 1},
	} {
		text, err := Generate(t.Context(), c.o, nil)
		if err != nil {
			t.Fatal(err)
		}
		report := proposed(t, text)
		if n := len(report.Files[0].Results); n < c.least {
			t.Errorf("%v: got %d tests, want %d at least:\n%s", c.o.Source, n, c.least, text)
		}
		for _, f := range report.Coverage.Files {
			for _, r := range f.Missed {
				if r.What == "route" {
					t.Errorf("no test touches the route %s: %s", r.Origin, r.Text)
				}
			}
		}
		again, err := Generate(t.Context(), c.o, nil)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%v: another text the second time: %v", c.o.Source, err)
		}
	}
}

// proposed runs a text that was generated for the working directory.
func proposed(t *testing.T, text []byte) *Report {
	t.Helper()
	f, err := Parse("generated_test.yaml", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	report := Run(t.Context(), []*File{f}, Options{Cover: true})
	if f := &report.Files[0]; f.Err != nil {
		t.Fatal(f.Err)
	}
	for _, r := range report.Files[0].Results {
		for _, d := range r.Differences {
			t.Errorf("%s: %s in\n%s", r.Name, d, text)
		}
	}
	return report
}

// Of a log, each kind of request becomes one test; who sent it is found by its status.
func TestProposedFromLog(t *testing.T) {
	var log strings.Builder
	for i := range 100 {
		fmt.Fprintf(&log, `203.0.113.7 - - [25/Nov/2026:01:00:00 +0000] "GET /myapp/%d?token=secret HTTP/1.1" 200 12 "-" "curl/8"`+"\n", i)
	}
	log.WriteString(`{"method":"POST","authority":"cluster.localhost","path":"/serving/iris/v1/models/iris:predict","response_code":200}
{"method":"GET","authority":"MINIO.localhost","path":"/b/a","response_code":"200"}
{"method":"GET","authority":"cluster.localhost","path":"/myapp/","response_code":401}
not a line of any log
`)
	log.WriteString(strings.Repeat("x", 3*maxLogLine) + "\n")
	log.WriteString(`203.0.113.7 - - [25/Nov/2026:01:00:00 +0000] "DELETE /myapp/1 HTTP/2.0" 200 12 "-" "curl/8"`)
	text, err := Generate(t.Context(), Options{Source: source.Options{Kustomizations: []string{"../../examples/login"}}}, strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range proposed(t, text).Files[0].Results {
		got = append(got, r.Name)
	}
	want := "GET /myapp/0, as member; POST /serving/iris/v1/models/iris:predict; GET /b/a; GET /myapp/; DELETE /myapp/1, as member"
	if strings.Join(got, "; ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, "; "), want)
	}
	if !strings.Contains(string(text), "from 104 requests") || strings.Contains(string(text), "secret") {
		t.Errorf("the requests are not counted, or a secret is told:\n%s", text)
	}
	if _, err := Generate(t.Context(), Options{Source: source.Options{Kustomizations: []string{"../../examples/login"}}}, strings.NewReader("nothing\n")); err == nil {
		t.Error("a log without requests: no error")
	}
}

func TestParseLogged(t *testing.T) {
	for _, c := range []struct {
		line string
		want logged
	}{
		{`10.0.0.1 - alice [25/Nov/2026:01:00:00 +0000] "GET /a/b?c=d HTTP/1.1" 200 12 "http://r/" "ua"`, logged{"GET", "", "/a/b", 200}},
		{`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "GET /a HTTP/2.0" 499 0 "-" "-" 12 0.001 [ns-svc-80] [] 10.1.1.1:80 0 0.001 200 id`, logged{"GET", "", "/a", 499}},
		// As Doorward writes them.
		{`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "GET /a?token=REDACTED HTTP/1.1" 302 0 "-" "-" 0 0.001 [] [] - - - - 0af1 UAEX "refused" "AuthorizationPolicy a/b"`, logged{"GET", "", "/a", 302}},
		{`{"start_time":"2026-11-25T01:00:00.000Z","method":"GET","path":"/a?b=c","protocol":"HTTP/1.1","authority":"a.example.com","response_code":404,"response_flags":"NR"}`, logged{"GET", "a.example.com", "/a", 404}},
		{`{"method": "PUT", "authority": "A.example.com:8443", "path": "/x#y", "response_code": 204, "duration": 3}`, logged{"PUT", "a.example.com:8443", "/x", 204}},
		{`{"method": "PUT", "authority": "a", "path": "/x", "response_code": "0"}`, logged{}},
		{`{"authority": "a", "path": "/x", "response_code": 200}`, logged{}},
		{`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "\x16\x03\x01" 400 150 "-" "-"`, logged{}},
		{`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "GET http://a/ HTTP/1.1" 400 150 "-" "-"`, logged{}},
		{`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "GET /a HTTP/1.1" OK 150`, logged{}},
		{`{`, logged{}},
		{``, logged{}},
	} {
		got, ok := parseLogged([]byte(c.line))
		if wanted := c.want != (logged{}); ok != wanted || ok && got != c.want {
			t.Errorf("%s: got %+v, %t, want %+v", c.line, got, ok, c.want)
		}
	}
}

func FuzzParseLogged(f *testing.F) {
	f.Add([]byte(`10.0.0.1 - - [25/Nov/2026:01:00:00 +0000] "GET /a?b HTTP/1.1" 200 12 "-" "-"`))
	f.Add([]byte(`{"method":"GET","authority":"a","path":"/b","response_code":200}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, ok := parseLogged(line)
		if ok && (!strings.HasPrefix(l.path, "/") || strings.ContainsAny(l.path, "?#") || len(l.path) > maxLogPath || l.status < 100 || l.status > 599) {
			t.Errorf("%q: %+v", line, l)
		}
	})
}
