package login

import (
	"net/url"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	for _, c := range []struct{ wanted, want string }{
		{"/x?y=1#z", "/x?y=1#z"},
		{"/", "/"},
		{"", "/"},
		{"https://a.example/x?y", "/x?y"},
		{"https://a.example", "/"},
		{"https://a.example?x", "/?x"},
		{"http://a.example/x", "/"},
		{"https://a.example.evil.example/x", "/"},
		{"https://a.example@evil.example/x", "/"},
		{"https://a.example:8443/x", "/"},
		{"https://a.example//evil.example/x", "/"},
		{"https://evil.example/x", "/"},
		{"//evil.example/x", "/"},
		{"///evil.example/x", "/"},
		{`/\evil.example`, "/"},
		{`\/evil.example`, "/"},
		{`\\evil.example`, "/"},
		{"/\t/evil.example", "/"},
		{"\t//evil.example", "/"},
		{" //evil.example", "/"},
		{"/\n/evil.example", "/"},
		{"/x\r\nset-cookie: a=b", "/"},
		{"javascript:alert(1)", "/"},
		{"x", "/"},
		{"/%2f/evil.example", "/%2f/evil.example"},
		{"/x//y", "/x//y"},
		{"/%zz", "/"},
		{"/x?" + strings.Repeat("y", maxTarget), "/x"},
		{"/" + strings.Repeat("y", maxTarget), "/"},
	} {
		if got := target(c.wanted, "https", "a.example"); got != c.want {
			t.Errorf("target(%q) = %q, want %q", c.wanted, got, c.want)
		}
	}
}

// FuzzTarget: a browser that is sent to a target stays on the host, however it reads it.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/x", "//evil.example", `/\evil.example`, "https://a.example/x", "https://a.example@evil.example", "/\t/x", "/x?y#z", "/.//evil.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wanted string) {
		for _, got := range []string{target(wanted, "https", "a.example"), asked(wanted)} {
			to := absolute("https", "a.example", got)
			u, err := url.Parse(to)
			if err == nil && (u.Scheme != "https" || u.Host != "a.example" || u.User != nil) {
				t.Errorf("%q leads to %q", wanted, to)
			}
			if got == "" || got[0] != '/' || strings.ContainsAny(got, "\r\n\t \x00") || len(got) > maxTarget {
				t.Errorf("%q leads to %q", wanted, to)
			}
		}
		// What a parameter says is not even to be read as another host without one before it.
		got := target(wanted, "https", "a.example")
		base, _ := url.Parse("https://a.example/oauth2/callback")
		if u, err := base.Parse(strings.ReplaceAll(got, `\`, "/")); err == nil && u.Host != "a.example" {
			t.Errorf("%q leads to %q", wanted, u)
		}
	})
}

func TestGoodHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a.example": true, "A.example:8443": true, "[::1]:80": true, "": false, "a/b": false, "a@b": false, "a b": false, "a?b": false, "a#b": false, `a\b`: false, "a\x00": false, "a%2f": false,
	} {
		if got := goodHost(host); got != want {
			t.Errorf("goodHost(%q) = %v, want %v", host, got, want)
		}
	}
}
