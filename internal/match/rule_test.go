package match

import (
	"testing"

	"github.com/doorward/doorward/internal/header"
)

func TestHostName(t *testing.T) {
	for _, c := range [][2]string{
		{"example.com", "example.com"},
		{"Example.COM:8080", "example.com"},
		{"example.com:", "example.com"},
		{"example.com.", "example.com."},
		{"example.com.:80", "example.com."},
		{"[2001:DB8::1]", "[2001:db8::1]"},
		{"[::1]:8443", "[::1]"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"", ""},
		{":80", ""},
	} {
		if got := HostName(c[0]); got != c[1] {
			t.Errorf("HostName(%q): got %q, want %q", c[0], got, c[1])
		}
	}
}

func expr(t *testing.T, s string) Text {
	t.Helper()
	x, err := NewRegex(s)
	if err != nil {
		t.Fatalf("NewRegex(%q): %v", s, err)
	}
	return x
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		text Text
		v    string
		want bool
	}{
		{Text{}, "", true},
		{Text{Op: Present}, "", true},
		{Text{Op: Exact, Value: "/a"}, "/a", true},
		{Text{Op: Exact, Value: "/a"}, "/A", false},
		{Text{Op: Exact, Value: "/a", IgnoreCase: true}, "/A", true},
		{Text{Op: Exact, Value: "/k", IgnoreCase: true}, "/\u212a", false}, // the Kelvin sign is no K
		{Text{Op: Exact, Value: "/ä", IgnoreCase: true}, "/Ä", false},
		{Text{Op: Prefix, Value: "/app"}, "/application", true},
		{Text{Op: Prefix, Value: "/app"}, "/ap", false},
		{Text{Op: Prefix, Value: "/App", IgnoreCase: true}, "/aPPx", true},
		{Text{Op: Prefix, Value: ""}, "", true},
		{Text{Op: Suffix, Value: ".PNG", IgnoreCase: true}, "/a.png", true},
		{Text{Op: Suffix, Value: ".png"}, "/a.PNG", false},
		{expr(t, "/a"), "/ab", false},
		{expr(t, "/a"), "x/a", false},
		{expr(t, "/a|/b"), "/b", true},
		{expr(t, "/a|/b"), "/ax", false},
		{expr(t, "/(?i)a"), "/A", true},
		{expr(t, "^/a$"), "/a", true},
		{expr(t, ".*"), "", true},
		{expr(t, ""), "", true},
		{expr(t, ""), "a", false},
	} {
		if got := c.text.Match(c.v, true); got != c.want {
			t.Errorf("%v of %q: got %v, want %v", c.text, c.v, got, c.want)
		}
		if got, want := c.text.Match("", false), c.text.Op == Any; got != want {
			t.Errorf("%v of what is absent: got %v, want %v", c.text, got, want)
		}
	}
}

func TestNewRegexRefuses(t *testing.T) {
	for _, expr := range []string{"(", "a)|(b", "*", "[", `\`, "(?<!a)b", "a)(?s:"} {
		if x, err := NewRegex(expr); err == nil {
			t.Errorf("NewRegex(%q): got %v, want an error", expr, x)
		}
	}
}

func FuzzLead(f *testing.F) {
	for _, c := range [][2]string{{"/api/.*", "/api/x"}, {"(?i)/API|/b", "/api"}, {"^/a(b|c)$", "/ab"}, {"/a|/b", "/b"}, {"(?i)^/s", "/S"},
		{"(?-i)/A", "/A"}, {"(?m)^/a", "/a"}, {"/a{2}", "/aa"}, {`\Q/a.b\E`, "/a.b"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, expr, v string) {
		x, err := NewRegex(expr)
		if err != nil || !x.Match(v, true) {
			return
		}
		lead, fold := x.Lead()
		if fold {
			for i := range v {
				if v[i] >= 0x80 {
					return
				}
			}
		}
		begin := Text{Op: Prefix, Value: lead, IgnoreCase: fold}
		if !begin.Match(v, true) {
			t.Errorf("regex %q matches %q, which does not begin with %q (fold %v)", expr, v, lead, fold)
		}
	})
}

func TestLead(t *testing.T) {
	for _, c := range []struct {
		text Text
		lead string
		fold bool
	}{
		{Text{Op: Exact, Value: "/a"}, "/a", false},
		{Text{Op: Prefix, Value: "/a", IgnoreCase: true}, "/a", true},
		{Text{Op: Suffix, Value: "/a"}, "", false},
		{Text{}, "", false},
		{expr(t, "/api/v[0-9]+/.*"), "/api/v", false},
		{expr(t, "^/api/.*b"), "/api/", false},
		{expr(t, "(?i)^/api(/|$)"), "/api", true},
		{expr(t, ".*"), "", false},
	} {
		if lead, fold := c.text.Lead(); lead != c.lead || fold != c.fold {
			t.Errorf("%v: got %q %v, want %q %v", c.text, lead, fold, c.lead, c.fold)
		}
	}
}

func TestCondition(t *testing.T) {
	r := Request{Method: "GET", Scheme: "https", Host: "Example.com:8080", Target: "/a?b", Header: header.Fields{
		{Name: "x-one", Value: "1"}, {Name: "x-two", Value: "a"}, {Name: "x-other", Value: ""}, {Name: "x-two", Value: "b"},
	}, Query: "debug=%41&debug=2&flag&empty=&a=b=c"}
	exact := func(v string) Text { return Text{Op: Exact, Value: v} }
	for _, c := range []struct {
		c    Condition
		want bool
	}{
		{Condition{Attr: Method, Text: exact("GET")}, true},
		{Condition{Attr: Method, Text: exact("get")}, false},
		{Condition{Attr: Scheme, Text: exact("https")}, true},
		{Condition{Attr: Authority, Text: exact("Example.com:8080")}, true},
		{Condition{Attr: Authority, Text: exact("example.com")}, false},
		{Condition{Attr: Header, Name: ":method", Text: exact("GET")}, true},
		{Condition{Attr: Header, Name: ":path", Text: exact("/a?b")}, true},
		{Condition{Attr: Header, Name: ":scheme", Text: exact("https")}, true},
		{Condition{Attr: Header, Name: ":authority", Text: exact("Example.com:8080")}, true},
		{Condition{Attr: Header, Name: "host", Text: exact("Example.com:8080")}, true},
		{Condition{Attr: Header, Name: ":status", Text: Text{Op: Present}}, false},
		{Condition{Attr: Header, Name: "x-one", Text: exact("1")}, true},
		{Condition{Attr: Header, Name: "x-two", Text: exact("a,b")}, true},
		{Condition{Attr: Header, Name: "x-two", Text: exact("a")}, false},
		{Condition{Attr: Header, Name: "x-other", Text: Text{Op: Present}}, true},
		{Condition{Attr: Header, Name: "x-none", Text: Text{Op: Present}}, false},
		{Condition{Attr: Header, Name: "x-none", Text: exact("")}, false},
		{Condition{Attr: Header, Name: "x-none", Text: expr(t, ".*")}, false},
		// withoutHeaders: an absent header is the empty text, except for presence
		{Condition{Attr: Header, Name: "x-one", Text: exact("1"), Not: true}, false},
		{Condition{Attr: Header, Name: "x-one", Text: exact("2"), Not: true}, true},
		{Condition{Attr: Header, Name: "x-none", Text: exact("1"), Not: true}, true},
		{Condition{Attr: Header, Name: "x-none", Text: exact(""), Not: true}, false},
		{Condition{Attr: Header, Name: "x-none", Text: expr(t, ".*"), Not: true}, false},
		{Condition{Attr: Header, Name: "x-none", Text: Text{Op: Present}, Not: true}, true},
		{Condition{Attr: Header, Name: "x-other", Text: Text{Op: Present}, Not: true}, false},
		// the first value of a query parameter, as it came
		{Condition{Attr: Query, Name: "debug", Text: exact("%41")}, true},
		{Condition{Attr: Query, Name: "debug", Text: exact("A")}, false},
		{Condition{Attr: Query, Name: "debug", Text: exact("2")}, false},
		{Condition{Attr: Query, Name: "flag", Text: exact("")}, true},
		{Condition{Attr: Query, Name: "flag", Text: Text{Op: Present}}, true},
		{Condition{Attr: Query, Name: "empty", Text: exact("")}, true},
		{Condition{Attr: Query, Name: "a", Text: exact("b=c")}, true},
		{Condition{Attr: Query, Name: "none", Text: Text{Op: Present}}, false},
	} {
		if got := c.c.Match(&r); got != c.want {
			t.Errorf("%v: got %v, want %v", &c.c, got, c.want)
		}
		rule := Rule{All: []Condition{c.c}}
		if why := rule.Why(&r); (why == "") != c.want {
			t.Errorf("%v: the reason %q does not go with %v", &c.c, why, c.want)
		}
	}
}

func TestRuleTellsWhatItWantsAndWhatThereIs(t *testing.T) {
	r := Request{Path: "/b", Method: "GET", Header: header.Fields{{Name: "x", Value: "1"}}}
	for _, c := range []struct {
		rule      Rule
		text, why string
	}{
		{Rule{}, "every request", ""},
		{Rule{Path: Text{Op: Prefix, Value: "/a"}}, `path prefix "/a"`, `path is "/b", wants prefix "/a"`},
		{Rule{Path: Text{Op: Exact, Value: "/B", IgnoreCase: true}}, `path exact "/B" (any letter case)`, ""},
		{Rule{All: []Condition{{Attr: Header, Name: "x", Text: Text{Op: Exact, Value: "1"}, Not: true}}}, `not header x exact "1"`, `header x is "1", must not be exact "1"`},
		{Rule{All: []Condition{{Attr: Query, Name: "q", Text: Text{Op: Present}}}}, "query parameter q present", "query parameter q is absent, wants present"},
		{Rule{Path: Text{Op: Prefix, Value: "/b"}, All: []Condition{{Attr: Method, Text: Text{Op: Exact, Value: "PUT"}}}}, `path prefix "/b", method exact "PUT"`, `method is "GET", wants exact "PUT"`},
	} {
		if got := c.rule.String(); got != c.text {
			t.Errorf("String: got %q, want %q", got, c.text)
		}
		if got := c.rule.Why(&r); got != c.why {
			t.Errorf("Why: got %q, want %q", got, c.why)
		}
	}
}

// The index must not know more of a pattern's beginning than is so.
func TestPatternsBeginAsTheySay(t *testing.T) {
	for _, c := range []struct {
		pattern, lead, path string
		match               bool
	}{
		{"/api(/|$)(.*)", "/api", "/API/x", true},
		{"/api(/|$)(.*)", "/api", "/apis", false},
		{"/one|/two", "", "/x/two", true},
		{"/ab|/ac", "", "/x/ac", true},
		{"/(ab|ac)", "/a", "/x/ac", false},
		{"/", "/", "/anything", true},
	} {
		p, err := NewPattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if lead, fold := p.Lead(); lead != c.lead || !fold {
			t.Errorf("%s begins with %q, %v; want %q in any case", c.pattern, lead, fold, c.lead)
		}
		if got := p.Match(c.path, true); got != c.match {
			t.Errorf("%s matches %s: got %v", c.pattern, c.path, got)
		}
	}
	if _, err := NewPattern("/a(?=b)"); err == nil {
		t.Error("look-ahead is no RE2")
	}
}
