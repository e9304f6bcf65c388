package match

import (
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	const (
		none, base, merge, decode, nginx = FormNone, FormBase, FormMergeSlashes, FormDecodeSlashes, FormNGINX
		bad                              = "400"
	)
	for _, c := range []struct {
		form         Form
		target, path string // path is bad where the layer answers 400
		onward       string // the target that goes on; "" is path with the query
	}{
		{none, "/a/../b//c%2e", "/a/../b//c%2e", ""},
		{none, "/a#b", "/a", ""},
		{none, "*", bad, ""},
		{none, "", bad, ""},
		{none, "a/b", bad, ""},

		// BASE
		{base, "/", "/", ""},
		{base, "/a/./b", "/a/b", ""},
		{base, "/a/.", "/a/", ""},
		{base, "/a/..", "/", ""},
		{base, "/a/../", "/", ""},
		{base, "/a/b/../../c", "/c", ""},
		{base, "/../../a", "/a", ""},
		{base, "/..", "/", ""},
		{base, "/app//../x", "/app/x", ""},
		{base, "//..", "/", ""},
		{base, "/..//x", "//x", ""},
		{base, "/a//b", "/a//b", ""},
		{base, "/...", "/...", ""},
		{base, "/a/..b/.c", "/a/..b/.c", ""},
		{base, "/a/%2e%2E/b", "/b", ""},
		{base, "/a/.%2e", "/", ""},
		{base, "/a%2Eb", "/a.b", ""},
		{base, `/a\..\b`, "/b", ""},
		{base, `\a`, bad, ""},
		{base, "/%41%5a%61%30%2d%5F%7e", "/AZa0-_~", ""},
		{base, "/a%2fb%5cc%5C", "/a%2fb%5cc%5C", ""},
		{base, "/%e4%BD%20%25%3f", "/%e4%BD%20%25%3f", ""},
		{base, "/%", "/%", ""},
		{base, "/%4", "/%4", ""},
		{base, "/%zz/%4", "/%zz/%4", ""},
		{base, "/%%32e", "/%2e", ""}, // as Envoy: decoded once only
		{base, "/%252e%252e/a", "/%252e%252e/a", ""},
		{base, "/a%00b", bad, ""},
		{base, "/a\x00b", bad, ""},
		{base, "/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D", ""},
		{base, "/ü\x7f", "/%C3%BC%7F", ""},
		{base, "/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]", ""},
		{base, "/a/../b?x=/../y%2e", "/b", "/b?x=/../y%2e"},
		{base, "/a?", "/a", "/a?"},
		{base, "/a?b?c", "/a", "/a?b?c"},
		{base, "/a?b#c?d", "/a", "/a?b"},
		{base, "/a#?b", "/a", "/a"},

		// MERGE_SLASHES
		{merge, "//a///b//", "/a/b/", ""},
		{merge, "/a//../b", "/a/b", ""},
		{merge, "/a%2f/b", "/a%2f/b", ""},
		{merge, `/a\\b`, "/a/b", ""},
		{merge, "/a//b?c//d", "/a/b", "/a/b?c//d"},

		// DECODE_AND_MERGE_SLASHES
		{decode, "/a%2f%2Fb%5c%5Cc", "/a/b/c", ""},
		{decode, "/a%2f..%2fb", "/b", ""},
		{decode, "/a%252fb", "/a%252fb", ""},
		{decode, "/a?b%2fc", "/a", "/a?b%2fc"},

		// NGINX: matched decoded, sent on as it came
		{nginx, "/a//b/../c%2Fd%2e%2e", "/a/c/d..", "/a//b/../c%2Fd%2e%2e"},
		{nginx, "/a%2f%2fb", "/a/b", "/a%2f%2fb"},
		{nginx, "/a/%2e%2e/b", "/b", "/a/%2e%2e/b"},
		{nginx, "/%3fx%23%25", "/?x#%", "/%3fx%23%25"},
		{nginx, "/a%5cb", `/a\b`, "/a%5cb"},
		{nginx, `/a\..\b`, `/a\..\b`, `/a\..\b`},
		{nginx, "/%C3%BC", "/ü", "/%C3%BC"},
		{nginx, "/a+b", "/a+b", "/a+b"},
		{nginx, "/a#b?c", "/a", "/a#b?c"},
		{nginx, "/a?b#c", "/a", "/a?b#c"},
		{nginx, "//", "/", "//"},
		{nginx, "/a/..", "/", "/a/.."},
		{nginx, "/a/.", "/a/", "/a/."},
		{nginx, "/..", bad, ""},
		{nginx, "//../a", bad, ""},
		{nginx, "/a/../../b", bad, ""},
		{nginx, "/%00", bad, ""},
		{nginx, "/%", bad, ""},
		{nginx, "/%4", bad, ""},
		{nginx, "/%4g", bad, ""},
	} {
		r := Request{Target: c.target}
		got := bad
		if r.Normalise(c.form) {
			got = r.Path
		}
		if got != c.path {
			t.Errorf("form %d of %q: got %q, want %q", c.form, c.target, got, c.path)
			continue
		}
		onward := c.onward
		if onward == "" {
			onward = c.path
		}
		if got != bad && r.Target != onward {
			t.Errorf("form %d of %q goes on as %q, want %q", c.form, c.target, r.Target, onward)
		}
	}
}

func TestNormaliseSplitsTheQuery(t *testing.T) {
	for _, c := range []struct {
		form   Form
		target string
		query  string
		has    bool
	}{
		{FormBase, "/a", "", false},
		{FormBase, "/a?", "", true},
		{FormBase, "/a/../b?x=%41#y", "x=%41", true},
		{FormNGINX, "/a?x#y", "x", true},
		{FormNGINX, "/a#?x", "", false},
	} {
		r := Request{Target: c.target}
		if !r.Normalise(c.form) || r.Query != c.query || r.HasQuery != c.has {
			t.Errorf("form %d of %q: query %q %v, want %q %v", c.form, c.target, r.Query, r.HasQuery, c.query, c.has)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "//a//..//", "/%2e%2E/%5c%2F", `/\..\`, "/%%32e", "/%zz?#", "/ü/%C3%BC", "/a/.?x#", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		for form := FormNone; form <= FormNGINX; form++ {
			r := Request{Target: target}
			if !r.Normalise(form) {
				continue
			}
			if r.Path == "" || r.Path[0] != '/' {
				t.Fatalf("form %d of %q: %q has no leading slash", form, target, r.Path)
			}
			if form == FormNone {
				continue
			}
			for _, seg := range strings.Split(r.Path, "/") {
				if seg == "." || seg == ".." {
					t.Fatalf("form %d of %q: %q has a dot segment", form, target, r.Path)
				}
			}
			if form != FormBase && strings.Contains(r.Path, "//") {
				t.Fatalf("form %d of %q: %q has two slashes", form, target, r.Path)
			}
			if form == FormNGINX {
				if r.Target != target {
					t.Fatalf("the target %q goes on as %q", target, r.Target)
				}
				continue
			}
			if strings.ContainsAny(r.Target, "#") || strings.ContainsAny(r.Path, "\\\" \x00") {
				t.Fatalf("form %d of %q: %q is no normal form", form, target, r.Target)
			}
			again := Request{Target: r.Target}
			if !again.Normalise(form) || again.Target != r.Target {
				if wellEscaped(target) {
					t.Fatalf("form %d of %q: %q becomes %q", form, target, r.Target, again.Target)
				}
			}
		}
	})
}

// wellEscaped tells whether each percent sign of the path begins an escape:
// otherwise what one round leaves may be an escape to the next, as in Envoy.
func wellEscaped(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	for i := 0; i < len(path); i++ {
		if path[i] == '%' {
			if _, ok := unhex(path, i); !ok {
				return false
			}
			i += 2
		}
	}
	return true
}

func FuzzPlainPathsStay(f *testing.F) {
	f.Add("/a/b.c")
	f.Add("/a/.b")
	f.Fuzz(func(t *testing.T, path string) {
		if path == "" || path[0] != '/' || !plain(path) {
			return
		}
		if got, ok := nginxPath(path); !ok || got != path {
			t.Errorf("NGINX makes %q of %q", got, path)
		}
		for form := FormBase; form <= FormDecodeSlashes; form++ {
			if got, ok := envoyPath(path, form); !ok || got != path {
				t.Errorf("form %d makes %q of %q", form, got, path)
			}
		}
	})
}

func TestNormalisePlainAllocatesNothing(t *testing.T) {
	r := Request{}
	if n := testing.AllocsPerRun(100, func() {
		r.Target = "/app/some/path.html?q=%20x"
		if !r.Normalise(FormBase) || !r.Normalise(FormNGINX) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
