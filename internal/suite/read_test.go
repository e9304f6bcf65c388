package suite

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/scenario"
)

func TestParse(t *testing.T) {
	f, err := Parse("a_test.yaml", []byte(`
# Callers may stand anywhere.
tests:
- name: everything
  request: POST https://app.example.com:8443/a?b=c#d
  as: alice
  via: istio-system/gw:80
  navigate: true
  from: 203.0.113.7
  headers: {X-A: 1, x-b: [one, two], host: other.example.com, connection: close}
  expect:
    status: 200
    backend: shop/web:80/v1
    headers: {x-c: d}
    noHeaders: [Cookie]
- request: GET http://app.example.com
  expect: {backend: none, because: "", decidedBy: none}
callers:
  alice: {claims: {iss: https://login.example.com, sub: alice, level: 3, groups: [a, b]}}
endpoints: [shop/web:80 version=v1]
ingressClasses: [public]
`))
	if err != nil {
		t.Fatal(err)
	}
	alice := &Caller{Name: "alice", Line: 19, who: f.Callers["alice"].who, Spec: caller.Spec{Claims: map[string]any{"iss": "https://login.example.com", "sub": "alice", "level": 3.0, "groups": []any{"a", "b"}}}}
	want := &File{
		Name: "a_test.yaml", Classes: []string{"public"}, Callers: map[string]*Caller{"alice": alice},
		Endpoints: []scenario.Up{{Namespace: "shop", Service: "web", Port: "80", Labels: map[string]string{"version": "v1"}}},
		Tests: []*Test{
			{Name: "everything", URL: "https://app.example.com:8443/a?b=c", As: alice, Navigate: true, Request: scenario.Request{
				Line: 4, Via: "istio-system/gw:80", Method: "POST", Secure: true, Host: "other.example.com", SNI: "app.example.com",
				Target: "/a?b=c", Chance: 0.5, From: netip.MustParseAddr("203.0.113.7"),
				Header: header.Fields{{Name: "x-a", Value: "1"}, {Name: "x-b", Value: "one"}, {Name: "x-b", Value: "two"}},
				Checks: []scenario.Check{{Line: 12, Kind: "status", Value: "200"}, {Line: 13, Kind: "backend", Value: "shop/web:80/v1"},
					{Line: 14, Kind: "got", Name: "x-c", Value: "d"}, {Line: 15, Kind: "got", Name: "cookie", No: true}},
			}},
			{Name: "GET http://app.example.com", URL: "http://app.example.com", Request: scenario.Request{
				Line: 16, Via: "edge", Method: "GET", Host: "app.example.com", SNI: "app.example.com", Target: "/", Chance: 0.5,
				Checks: []scenario.Check{{Line: 17, Kind: "backend", No: true}, {Line: 17, Kind: "because"}, {Line: 17, Kind: "decidedBy", Value: "none"}},
			}},
		},
	}
	if !reflect.DeepEqual(f, want) {
		got, _ := json.MarshalIndent(f, "", " ")
		t.Errorf("got\n%s", got)
	}
}

// Every mistake is told with its line and what is right.
func TestMistakes(t *testing.T) {
	const test = "tests:\n- name: a\n  request: GET http://a/\n  expect: {status: 200}\n"
	for _, c := range []struct{ text, want string }{
		{"", `f: the file is empty; write "tests: [`},
		{"[]\n", "f:1: the file is a list, and should be a mapping (NAME: VALUE)"},
		{"tests: []\n", "f:1: the file has no tests; write"},
		{"manifests: .\n" + test, `f:1: manifests is ".", and should be a list; put "- " before it`},
		{"manifests: [nowhere]\n" + test, "f:1: manifests: there is no nowhere; paths are relative to the test file"},
		{"test: []\n", `f:1: the file has no field "test"; did you mean tests? The fields are manifests,`},
		{test + "tests: []\n", `f:5: the file has "tests" twice, first on line 1`},
		{test + "---\n" + test, `f:5: the file may have one document`},
		{test + "  a: b\n", `f:5: "a" has no field "a"`},
		{test + " a: b\n", "f:5: it is not YAML: "},
		{"tests:\n- name: a\n  expect: {status: 200}\n", `f:2: "a" has no request; write request: GET https://app.example.com/`},
		{"tests:\n- name: a\n  request: GET http://a/\n", `f:2: "a" expects nothing, so it cannot fail; write expect:`},
		{"tests:\n- name: a\n  request: GET http://a/\n  expect: {}\n", `f:2: "a" expects nothing`},
		{"tests:\n- request: http://a/\n", `f:2: request: "http://a/" is not METHOD URL; write it as in GET https://app.example.com/`},
		{"tests:\n- request: GET a/\n", `f:2: request: "a/" is no http:// or https:// URL; write`},
		{"tests:\n- request: GET http://a/b c\n", `f:2: request: a URL has no blanks or control characters; write %20 for the one after "/b"`},
		{"tests:\n- request:\n", `f:2: request is empty, and should be text`},
		{"tests:\n- as: bob\n", `f:2: there is no caller "bob"; write it above the tests, under callers`},
		{"callers: {rob: {user: r}}\ntests:\n- as: bob\n", `f:3: there is no caller "bob"; did you mean rob?`},
		{"callers: {bob: {}}\n" + test, "f:1: caller bob is nobody; write one of claims, user (with groups), serviceAccount and apiKey"},
		{"callers: {bob: {user: b, apiKey: a/b/c}}\n" + test, "f:1: caller bob: a caller is one of"},
		{"callers: {bob: {claims: {sub: a}, groups: [a]}}\n" + test, "f:1: caller bob: groups are a user's"},
		{"callers: {bob: {claims: 1}}\n" + test, `f:1: claims is "1", and should be a mapping`},
		{"tests:\n- navigate: maybe\n", `f:2: navigate is "maybe", and should be true or false`},
		{"tests:\n- from: here\n", `f:2: from: "here" is no IP address`},
		{"tests:\n- headers: {\"a b\": c}\n", `f:2: "a b" is no name of a header`},
		{"tests:\n- headers: {a: \"b\\nc\"}\n", `f:2: header a: "b\nc" cannot be a value`},
		{"tests:\n- expect: {status: 2000}\n", `f:2: status: "2000" is none`},
		{"tests:\n- expect: {backend: web}\n", `f:2: backend: "web" is not NAMESPACE/SERVICE:PORT`},
		{"tests:\n- expect: {path: x}\n", `f:2: path: "x" does not begin with /`},
		{"tests:\n- expect: {decidedBy: web}\n", `f:2: decidedBy: "web" is not KIND NAMESPACE/NAME`},
		{"tests:\n- expect: {noHeaders: [\"\"]}\n", `f:2: "" is no name of a header`},
		{"tests:\n- expect: {headrs: {a: b}}\n", `f:2: expect has no field "headrs"; did you mean headers?`},
		{"endpoints: [web]\n" + test, `f:1: endpoints: "web" is not NAMESPACE/SERVICE:PORT`},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("callers: {a: {claims: {iss: i, sub: s}}}\ntests:\n- {name: a, request: GET http://a/, as: a, headers: {a: [b]}, expect: {status: 200, headers: {a: b}}}\n"))
	f.Add([]byte("a: &a [*a]\ntests: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("f", data)
		if err != nil {
			return
		}
		for _, test := range file.Tests {
			if test.Method == "" || len(test.Checks) == 0 {
				t.Errorf("a test without request or expectation is taken: %+v", test)
			}
		}
	})
}
