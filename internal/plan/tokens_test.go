package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// notary verifies by a list: "good" tokens have claims, all others the text that
// they are themselves.
type notary struct {
	still
	asked *[]string
	good  map[string]*match.Token
}

func (n notary) Verify(r *TokenRule, token string, _ time.Time) (*match.Token, TokenFailure) {
	*n.asked = append(*n.asked, r.Issuer+" "+token)
	if t := n.good[r.Issuer+" "+token]; t != nil {
		return t, TokenFailure{}
	}
	return nil, TokenFailure{Text: token, Status: 401, Reason: "so it is"}
}

// walkTokens walks a request through a gateway with these rules.
func walkTokens(n notary, r *match.Request, rules ...*TokenRule) (*Outcome, *Trace) {
	p, l := gatewayWith(&Route{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "app", Endpoints: []Endpoint{{Address: "192.0.2.1:80"}}}}}}})
	l.Guards = []Guard{NewTokens(rules)}
	r.Method, r.Host, r.Major, r.Minor = "GET", "app.example.com", 1, 1
	var out Outcome
	trace := new(Trace)
	p.Walk(l, r, n, trace, &out)
	return &out, trace
}

func fromHeader(issuer, name string) *TokenRule {
	return &TokenRule{Issuer: issuer, FromHeaders: []TokenHeader{{Name: name}}}
}

// Which failure is told where several rules have found tokens (Envoy, AnyVerifier
// over Istio's requirements).
func TestTokenFailureThatIsTold(t *testing.T) {
	for _, c := range []struct{ a, b, c, want string }{
		{"", "", "", ""},
		{"expired", "", "", "expired"},
		{"", "expired", "", "expired"},
		{"expired", "forged", "", "expired"},
		{UnknownIssuer, "forged", "", "forged"},
		{UnknownIssuer, "forged", "expired", "expired"},
		{"forged", UnknownIssuer, "expired", "forged"},
		{UnknownIssuer, UnknownIssuer, "", UnknownIssuer},
		{UnknownIssuer, "", UnknownIssuer, UnknownIssuer},
		{"expired", "good", "", ""},
		{"good", "expired", "", ""},
	} {
		var asked []string
		n := notary{asked: &asked, good: map[string]*match.Token{"a good": match.NewToken(match.Token{}), "b good": match.NewToken(match.Token{})}}
		r := &match.Request{Target: "/"}
		for name, v := range map[string]string{"x-a": c.a, "x-b": c.b, "x-c": c.c} {
			if v != "" {
				r.Header.Add(name, v)
			}
		}
		out, trace := walkTokens(n, r, fromHeader("a", "x-a"), fromHeader("b", "x-b"), fromHeader("c", "x-c"))
		if out.Reply.Body != c.want || (out.Kind == ToForward) != (c.want == "") {
			t.Errorf("%q, %q, %q: got %q, want %q\n%s", c.a, c.b, c.c, out.Reply.Body, c.want, trace)
		}
		if c.want != "" && out.Reason != c.want+": so it is" {
			t.Errorf("operators are told %q", out.Reason)
		}
	}
}

// The tokens of one rule are verified from the last to the first; the first
// one's claims count, and what a hop accepts is not the next one's.
func TestTokensOfOneRule(t *testing.T) {
	var asked []string
	one, two := match.NewToken(match.Token{Issuer: "i", Subject: "one"}), match.NewToken(match.Token{Issuer: "i", Subject: "two"})
	n := notary{asked: &asked, good: map[string]*match.Token{"i one": one, "i two": two}}
	r := &match.Request{Target: "/?access_token=two", Header: header.Fields{{Name: "authorization", Value: "Bearer one"}}}
	out, trace := walkTokens(n, r, &TokenRule{Issuer: "i", ClaimsTo: []ClaimHeader{{Name: "x-sub", Claim: []string{"sub"}}}})
	if out.Kind != ToForward || strings.Join(asked, ", ") != "i two, i one" || r.Token != one {
		t.Errorf("%v by %v, asked %v\n%s", out.Kind, r.Token, asked, trace)
	}
	if r.Target != "/" || r.Header.Has("authorization") {
		t.Errorf("the tokens are still there: %s %v", r.Target, r.Header)
	}
}

// What is kept with a token is kept for the rule that it was made for.
func TestClaimsOfTwoRules(t *testing.T) {
	var asked []string
	token := match.NewToken(match.Token{Claims: map[string]any{"groups": []any{"a", "b"}}})
	n := notary{asked: &asked, good: map[string]*match.Token{"i t": token}}
	plain, commas := fromHeader("i", "x-t"), fromHeader("i", "x-t")
	plain.ClaimsTo = []ClaimHeader{{Name: "x-groups", Claim: []string{"groups"}}}
	commas.ClaimsTo, commas.CommaLists = plain.ClaimsTo, true
	for range 2 {
		for rule, want := range map[*TokenRule]string{plain: "WyJhIiwiYiJd", commas: "a,b"} {
			r := &match.Request{Target: "/", Header: header.Fields{{Name: "x-t", Value: "t"}}}
			walkTokens(n, r, rule)
			if got := r.Header.Value("x-groups"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

func TestClaimText(t *testing.T) {
	for _, c := range []struct {
		claim  any
		commas bool
		want   string
	}{
		{"a", false, "a"}, {"", false, ""}, {nil, false, ""}, {true, false, "true"}, {false, false, "false"},
		{42.0, false, "42"}, {0.0, false, "0"}, {-1.0, false, "-1.000000"}, {1.25, false, "1.250000"}, {1e300, false, "a long one"},
		{"a\r\nb", false, ""}, {"a\x00b", false, ""}, {"a\x7f", false, ""}, {"a\tb", false, "a\tb"}, {"\ta", false, ""}, {"é", false, "é"},
		{[]any{}, false, "W10="}, {[]any{}, true, ""}, {map[string]any{}, true, "e30="}, {[]any{"a,b", "c"}, true, "c"}, {[]any{"a", nil}, true, "WyJhIixudWxsXQ=="},
		{[]any{"a\nb", "c"}, true, "c"}, {[]any{1.0, true, "x"}, true, "1,true,x"}, {"a,b", true, "a,b"},
	} {
		got := claimText(c.claim, c.commas)
		if f, ok := c.claim.(float64); ok && f == 1e300 {
			if !strings.HasSuffix(got, ".000000") || len(got) < 300 {
				t.Errorf("1e300: got %q", got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%#v (commas %v): got %q, want %q", c.claim, c.commas, got, c.want)
		}
	}
}

// Whatever a claim is, its header cannot end the line.
func FuzzClaimText(f *testing.F) {
	f.Add("a\r\nx-admin: true", true)
	f.Add("a,b", false)
	f.Fuzz(func(t *testing.T, text string, commas bool) {
		for _, claim := range []any{text, []any{text, text}, map[string]any{text: text}} {
			if got := claimText(claim, commas); strings.ContainsAny(got, "\r\n\x00") || strings.Trim(got, " \t") != got {
				t.Errorf("%#v: %q", claim, got)
			}
		}
		if list, ok := commaList([]any{"a", text, "b"}); !ok || strings.Count(list, ",") > 2 {
			t.Errorf("a list of three reads as more: %q", list)
		}
	})
}

// Where tokens are found, and what is left without them.
func TestTokenPlaces(t *testing.T) {
	rule := &TokenRule{FromHeaders: []TokenHeader{{Name: "x-t", Prefix: "JWT "}}, FromParams: []string{"t"}, FromCookies: []string{"c"}}
	for _, c := range []struct {
		name, target string
		fields       header.Fields
		want, left   string
	}{
		{"nowhere", "/a?b", nil, "", "/a?b"},
		{"a prefix in the middle", "/", header.Fields{{Name: "x-t", Value: "x JWT  =tok"}}, "tok", "/"},
		{"nothing after the prefix", "/", header.Fields{{Name: "x-t", Value: "JWT =="}}, "JWT ==", "/"},
		{"the prefix in other letters", "/", header.Fields{{Name: "x-t", Value: "jwt tok"}}, "", "/"},
		{"a parameter in the middle", "/a?x=%26&t=tok&y=+", nil, "tok", "/a?x=%26&y=+"},
		{"the only parameter", "/a?t=tok", nil, "tok", "/a"},
		{"twice: the first counts, both go", "/a?t=1&t=2&u", nil, "1", "/a?u"},
		{"a parameter in disguise", "/a?%74=t%6fk&u", nil, "tok", "/a?u"},
		{"a parameter without value", "/a?t&u", nil, " ", "/a?u"},
		{"a parameter that begins alike", "/a?tt=tok", nil, "", "/a?tt=tok"},
		{"a broken encoding", "/a?%7=tok&t=%zz", nil, "%zz", "/a?%7=tok"},
		{"cookies", "/", header.Fields{{Name: "cookie", Value: "b=1;c=tok; c=2"}}, "tok", "/"},
		{"cookies in several lines", "/", header.Fields{{Name: "cookie", Value: "b=1"}, {Name: "cookie", Value: ` c="tok"`}}, "tok", "/"},
		{"a cookie without value", "/", header.Fields{{Name: "cookie", Value: "c"}}, "", "/"},
		{"all places", "/?t=2", header.Fields{{Name: "cookie", Value: "c=3"}, {Name: "x-t", Value: "JWT 1"}, {Name: "x-t", Value: "JWT 1b"}}, "1 1b 2 3", "/"},
	} {
		r := &match.Request{Target: c.target, Header: c.fields.Clone()}
		r.Normalise(match.FormBase)
		found := rule.find(r, nil)
		var got []string
		for i := range found {
			got = append(got, found[i].token)
		}
		if len(found) == 1 && found[0].token == "" {
			got = []string{" "}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
		for i := range found {
			found[i].remove(r)
		}
		if r.Target != c.left {
			t.Errorf("%s: left %q, want %q", c.name, r.Target, c.left)
		}
	}
}

// Only names that differ in punctuation are alike.
func TestSanitise(t *testing.T) {
	g := NewTokens([]*TokenRule{{PayloadTo: "x-payload", ClaimsTo: []ClaimHeader{{Name: "kubeflow-userid"}, {Name: "under_score"}}}})
	w := &walk{req: &match.Request{}}
	for _, name := range []string{"kubeflow-userid", "kubeflow_userid", "kubeflow-useridx", "kubeflow-user", "x-payload", "x_payload", "x.payload", "under-score", "under_score", "kubeflow-userid"} {
		w.req.Header.Add(name, "root")
	}
	sanitise(w, g.outputs)
	var left []string
	for _, f := range w.req.Header {
		left = append(left, f.Name)
	}
	if got, want := strings.Join(left, " "), "kubeflow-useridx kubeflow-user"; got != want {
		t.Errorf("left %q, want %q", got, want)
	}
}
