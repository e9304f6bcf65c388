package match

import (
	"regexp"
	"strings"
	"testing"
)

// The table of Istio's own test of path templates, and what is beside it.
func TestPathTemplates(t *testing.T) {
	for _, c := range []struct {
		template, path string
		want           bool
	}{
		{"/allow/admin/{**}", "/allow/admin/", true}, {"/allow/admin/{**}", "/allow/admin", false}, {"/allow/admin/{**}", "/allow/user/", false},
		{"/allow/admin/{**}", "/allow", false}, {"/allow/admin/{**}", "/allow/admin/temp.txt", true}, {"/allow/admin/{**}", "/allow/admin/foo//x=1", true},
		{"/foo/{*}/bar/{**}", "/foo/buzz/bar/bat.temp.txt", true}, {"/foo/{*}/bar/{**}", "/foo/buzz/bar/bat/fuzz.txt", true}, {"/foo/{*}/bar/{**}", "/foo/bar/bat.txt", false},
		{"/foo/{*}/bar/{**}", "/foo//bar/bat.txt", false}, {"/store/{**}/cart", "/store//cart", true}, {"/store/{**}/cart", "/store/cart", false},
		{"/store/{**}/cart", "/store/foo/bar/cart", true}, {"/store/{**}/cart", "/store/foo/cart/", false}, {"/{*}", "/a", true}, {"/{*}", "/", false}, {"/{*}", "/a/b", false},
		{"/{**}", "/", true}, {"/{**}", "/a//b", true}, {"/foo/{*}/", "/foo/a/", true}, {"/foo/{*}/", "/foo/a", false}, {"/foo/{**}/", "/foo//", true}, {"/foo/{**}/", "/foo/", false},
		{"/{*}/x.y", "/a/x.y", true}, {"/{*}/x.y", "/a/xzy", false}, {"/{*}", "/a*", false}, {"/{**}", "/a*", false}, {"/{*}", "/%2F", true},
	} {
		x, err := parseTemplate(c.template)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if got := x.match(c.path); got != c.want {
			t.Errorf("%s on %s: got %v, want %v", c.template, c.path, got, c.want)
		}
	}
}

// reference is what Envoy compiles a template to.
func reference(template string) *regexp.Regexp {
	expr := regexp.QuoteMeta(template)
	expr = strings.ReplaceAll(expr, regexp.QuoteMeta("{**}"), "[a-zA-Z0-9\\-._~%!$&'()+,;:@=/]*")
	expr = strings.ReplaceAll(expr, regexp.QuoteMeta("{*}"), "[a-zA-Z0-9\\-._~%!$&'()+,;:@=]+")
	return regexp.MustCompile("^(?:" + expr + ")\\z")
}

func FuzzPathPattern(f *testing.F) {
	for _, s := range [][2]string{{"/a/{*}/b/{**}", "/a/x/b/c"}, {"/{**}/c/", "/a//c/"}, {"/a*", "/ab"}, {"*b", "/ab"}, {"*", "/"}, {"/a", "/a"}, {"/**", "/*x"}, {"/{*}/", "/a/"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		c, err := NewPolicyCondition(FactPath, nil, []string{pattern}, nil, "")
		if err != nil || path == "" {
			return
		}
		var want bool
		switch star := strings.IndexByte(pattern, '*'); {
		case isTemplate(pattern):
			want = reference(pattern).MatchString(path)
		case pattern == "*":
			want = !strings.Contains(path, "\n")
		case star == 0:
			want = strings.HasSuffix(path, pattern[1:])
		case strings.HasSuffix(pattern, "*"):
			want = strings.HasPrefix(path, pattern[:len(pattern)-1])
		default:
			want = path == pattern
		}
		r := &Request{Path: path, Host: "a"}
		if got := c.Match(r); got != want {
			t.Errorf("%q on %q: got %v, want %v", pattern, path, got, want)
		}
		rule := PolicyRule{To: []Conditions{{c}}}
		if lead := rule.Places()[0].Lead; want && !strings.HasPrefix(path, lead) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, path, lead)
		}
	})
}

func FuzzPolicyRule(f *testing.F) {
	f.Add("request.auth.claims[a][b]", "x*", "*y", "a.example:80", "/x", "v")
	f.Add("source.namespace", "a*b", "*", "", "/", "td/ns/a-b/sa/c")
	f.Add("request.headers[:path]", "*", "/", "a", "/x?y", "")
	f.Fuzz(func(t *testing.T, key, value, not, host, path, text string) {
		rule := PolicyRule{}
		if fact, name, err := PolicyKey(key); err == nil {
			if c, err := NewPolicyCondition(fact, name, []string{value}, []string{not}, "ns"); err == nil {
				rule.When = Conditions{c}
			}
		}
		for _, fact := range []Fact{FactHost, FactPath, FactMethod} {
			if c, err := NewPolicyCondition(fact, nil, []string{value}, []string{not}, "ns"); err == nil {
				rule.To = append(rule.To, Conditions{c})
			}
		}
		r := judged()
		r.Host, r.Path, r.Target, r.Source, r.SNI = host, path, path, text, text
		r.Token = NewToken(Token{Issuer: text, Subject: value, Claims: map[string]any{"a": map[string]any{"b": text}, "scope": text}})
		if (rule.Why(r) == "") != rule.Match(r) {
			t.Errorf("%s matches: %v, but the reason is %q", rule.String(), rule.Match(r), rule.Why(r))
		}
		for _, r := range []*Request{{}, {Token: &Token{}}} {
			rule.Match(r)
			_ = rule.Why(r)
		}
	})
}
