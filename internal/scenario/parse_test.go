package scenario

import (
	"reflect"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

const sample = `# A sample.
class public
up shop/app:80 version=v1
via istio-system/gw:80

POST http://app.example.com:8080/a//b?x=%2F -> shop/app:80/v1 POST /a//b?x=%2F
  send X-User: alice
  send chunked 2k
  chance 0.79
  got x-user: alice
  got no x-secret
  answer no server
  because forwarded

# another
GET https://app.example.com
  -> 404
-- m.yaml --
kind: Namespace
`

func TestParse(t *testing.T) {
	s, err := Parse("sample.txtar", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{
		Name: "sample.txtar", About: "A sample.", Classes: []string{"public"},
		Ups:   []Up{{Namespace: "shop", Service: "app", Port: "80", Labels: map[string]string{"version": "v1"}}},
		Files: []File{{Name: "m.yaml", Line: 19, Data: []byte("kind: Namespace\n")}},
		Requests: []Request{
			{Line: 6, Via: "istio-system/gw:80", Method: "POST", Host: "app.example.com:8080", SNI: "app.example.com", Target: "/a//b?x=%2F",
				Header: header.Fields{{Name: "x-user", Value: "alice"}}, Body: 2048, Chunked: true, Chance: 0.79,
				Want: "shop/app:80/v1 POST /a//b?x=%2F", WantLine: 6,
				Checks: []Check{{Line: 10, Kind: "got", Name: "x-user", Value: "alice"}, {Line: 11, Kind: "got", No: true, Name: "x-secret"},
					{Line: 12, Kind: "answer", No: true, Name: "server"}, {Line: 13, Kind: "because", Value: "forwarded"}}},
			{Line: 16, Via: "istio-system/gw:80", Method: "GET", Secure: true, Host: "app.example.com", SNI: "app.example.com", Target: "/",
				Chance: 0.5, Want: "404", WantLine: 17},
		},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got\n%+v\nwant\n%+v", s, want)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"  got x: y\n", `f:1: "got x: y" is indented but stands under no request`},
		{"get http://a/ -> 404\n", `f:1: "get" is neither a request (METHOD URL) nor one of via, up, class, token, each, authorizer, manifests, kustomization`},
		{"GET a/b -> 404\n", `f:1: "a/b" is no http:// or https:// URL`},
		{"GET http://a/\n", `f:1: GET has no expected outcome; write -> 404, or run with -update to fill it in`},
		{"GET http://a/ -> 404\n  -> 200\n", `f:2: a second outcome; the request has "404"`},
		{"GET http://a/ -> 404\n  chance 2\n", `f:2: chance "2" is no number from 0 to below 1`},
		{"GET http://a/ -> 404\n  send body many\n", `f:2: "many" is no size; write 100, 10k or 2m`},
		{"up a\nGET http://a/ -> 404\n", `f:1: "a" is not NAMESPACE/SERVICE:PORT`},
		{"# nothing\n", "f: there is no request; write one like GET https://app.example.com/ -> 404"},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestCompareTellsEveryDifference(t *testing.T) {
	r := Request{Want: "404", WantLine: 3, Checks: []Check{
		{Line: 4, Kind: "got", Name: "a", Value: "1"}, {Line: 5, Kind: "answer", No: true, Name: "b"}, {Line: 6, Kind: "because", Value: "no route"},
	}}
	o := Outcome{Backend: "s/a:80", Method: "GET", Target: "/", Answer: header.Fields{{Name: "b", Value: "2"}}, Reason: "forwarded"}
	var got strings.Builder
	for _, d := range r.Compare(&o) {
		got.WriteString(d.String() + "\n")
	}
	want := "line 3: outcome: got s/a:80 GET /, want 404\n" +
		"line 4: header a: got none, want 1\n" +
		"line 5: answer's header b: got 2, want none\n" +
		"line 6: because: got forwarded, want no route\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("f", data)
		if err == nil && len(s.Requests) == 0 {
			t.Error("a scenario without requests is taken")
		}
	})
}
