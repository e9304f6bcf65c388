package plan

import (
	"path"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/apikey"
)

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		prefix, path string
		want         bool
	}{
		{"/v1", "/v1", true}, {"/v1", "/v1/", true}, {"/v1", "/v1/x", true}, {"/v1", "/v1//x", true},
		{"/v1", "/v10", false}, {"/v1", "/v", false}, {"/v1", "/V1", false}, {"/v1", "/v1%2Fx", false}, {"/v1", "/v1;x", false},
		{"/v1", "/v1/..", false}, {"/v1", "/v1/a..", true}, {"/v1", "/v1/a%2Fb", true}, {"/v1", "/v1/a%2F..%2Fb", false},
		{"", "/", true}, {"", "/..%2f", true}, {"", "*", false}, {"", "", true},
	} {
		if got := below(c.prefix, c.path); got != c.want {
			t.Errorf("%q below %q: got %v, want %v", c.path, c.prefix, got, c.want)
		}
	}
}

// No reader of a path that decodes slashes, backslashes, dots and parameters finds a way
// out of the prefix.
func FuzzBelow(f *testing.F) {
	for _, p := range []string{"/v1/x", "/v1/..%2fx", `/v1/a\..\..`, "/v1/..;/x", "/v1/%2e%2E%5cx", "/v1/a;b/%2e./c"} {
		f.Add(p)
	}
	decode := strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", "%2e", ".", "%2E", ".", "%3b", ";", "%3B", ";", `\`, "/")
	f.Fuzz(func(t *testing.T, p string) {
		if !strings.HasPrefix(p, "/") || !below("/v1", p) {
			return
		}
		elements := strings.Split(decode.Replace(p), "/")
		bare := make([]string, len(elements))
		for i, e := range elements {
			bare[i], _, _ = strings.Cut(e, ";")
		}
		for _, form := range []string{strings.Join(elements, "/"), strings.Join(bare, "/")} {
			if clean := path.Clean(form); clean != "/v1" && !strings.HasPrefix(clean, "/v1/") {
				t.Errorf("%q is below /v1, and is %s to some", p, clean)
			}
		}
	})
}

// Whatever a request holds, it is a key's only if it has that key in the key's place, and
// the application does not get it.
func FuzzAPIKeys(f *testing.F) {
	good := testKey(0)
	f.Add("x-api-key", good, "accept", "*/*", "a=1")
	f.Add("authorization", "Bearer "+good, "x-api-key", good, "")
	f.Add("authorization", "bearer  "+good, "x_api_key", good, "k="+good)
	f.Add("x-api-owner", "root", "x-api-key", good[:40], "")
	g, world := keyGuard(3), &keyWorld{limiter: new(apikey.Limiter)}
	f.Fuzz(func(t *testing.T, name, value, name2, value2, query string) {
		req := keyRequest("")
		req.Header = req.Header[:0]
		req.Header.Add(strings.ToLower(name), value)
		req.Header.Add(strings.ToLower(name2), value2)
		req.Query = query
		given := req.Header.Clone()
		_, stop := g.ask(world, req)
		holds := 0
		for _, x := range given {
			if x.Name == "x-api-key" && x.Value == good ||
				x.Name == "authorization" && strings.HasSuffix(x.Value, " "+good) && strings.EqualFold(strings.TrimRight(strings.TrimSuffix(x.Value, good), " "), "bearer") {
				holds++
			}
		}
		if got := req.Token.Principal() == "apikey/key-0"; got && (stop || holds != 1) {
			t.Fatalf("%v: accepted %v, refused %v, with %d good keys", given, got, stop, holds)
		}
		if stop || req.Token == nil {
			return
		}
		for _, x := range req.Header {
			if x.Name == "x-api-key" || x.Name == "authorization" && strings.Contains(x.Value, good) && strings.EqualFold(x.Value[:6], "bearer") {
				t.Fatalf("%v: the application gets %v", given, x)
			}
		}
		if v, _ := req.Header.Joined("x-api-owner", ","); v != "owner" {
			t.Fatalf("%v: the application is told %q", given, v)
		}
	})
}
