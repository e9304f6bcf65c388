package match

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

// condition makes a condition by the key of "when"; values that begin with "!" are
// notValues. The keys host, method, path stand for operations.
func condition(t *testing.T, key string, values ...string) PolicyCondition {
	t.Helper()
	fact, name, err := PolicyKey(key)
	if i := strings.Index("host method path", key); err != nil && i >= 0 {
		fact, err = map[string]Fact{"host": FactHost, "method": FactMethod, "path": FactPath}[key], nil
	}
	if err != nil {
		t.Fatalf("%s %v", key, err)
	}
	var is, not []string
	for _, v := range values {
		if rest, negative := strings.CutPrefix(v, "!"); negative {
			not = append(not, rest)
		} else {
			is = append(is, v)
		}
	}
	c, err := NewPolicyCondition(fact, name, is, not, "shop")
	if err != nil {
		t.Fatalf("%s %q: %v", key, values, err)
	}
	return c
}

func judged() *Request {
	return &Request{
		Peer: netip.MustParseAddr("10.1.2.3"), Remote: netip.MustParseAddr("203.0.113.9"), Local: netip.MustParseAddr("10.9.8.7"), LocalPort: 8080, SNI: "app.example.com",
		Source: "cluster.local/ns/shop/sa/cart", Method: "GET", Host: "App.example.com:8080", Target: "/a/b?x", Path: "/a/b",
		Header: header.Fields{{Name: "x-one", Value: "a"}, {Name: "x-two", Value: "a"}, {Name: "x-two", Value: "b"}, {Name: "x-empty"}, {Name: "cookie", Value: "secret=1"}},
		Token: NewToken(Token{Issuer: "https://issuer.example/realm", Subject: "alice", SpaceDelimited: []string{"roles"}, Claims: map[string]any{
			"iss": "https://issuer.example/realm", "sub": "alice", "aud": []any{"web", "cli"}, "azp": "front", "email": "alice@example.com",
			"groups": []any{"dev", float64(7), "ops team"}, "age": float64(42), "admin": true, "scope": "read write", "permission": "p1", "roles": "r1  r2",
			"blank": " ", "realm_access": map[string]any{"roles": []any{"editor"}, "name": "main"}, "a.b": "dotted", "odd": "two\nlines",
		}}),
	}
}

func TestPolicyConditions(t *testing.T) {
	for _, c := range []struct {
		key, values string // values separated by blanks
		want        bool
	}{
		{"source.ip", "10.1.0.0/16", true}, {"source.ip", "10.1.2.3", true}, {"source.ip", "10.1.2.4", false}, {"source.ip", "203.0.113.9", false},
		{"source.ip", "10.1.2.3/8", true}, {"source.ip", "::ffff:10.1.2.3", false}, {"source.ip", "!10.0.0.0/8", false}, {"source.ip", "!192.0.2.0/24", true},
		{"source.ip", "10.0.0.0/8 !10.1.0.0/16", false}, {"source.ip", "10.0.0.0/8 !10.2.0.0/16", true},
		{"remote.ip", "203.0.113.0/24", true}, {"remote.ip", "10.0.0.0/8", false}, {"remote.ip", "0.0.0.0/0", true}, {"remote.ip", "::/0", false},
		{"source.principal", "cluster.local/ns/shop/sa/cart", true}, {"source.principal", "*", true}, {"source.principal", "*/sa/cart", true},
		{"source.principal", "cluster.local/ns/shop/*", true}, {"source.principal", "cluster.local/ns/*/sa/cart", false}, {"source.principal", "Cluster.local/*", false},
		{"source.namespace", "shop", true}, {"source.namespace", "sho", false}, {"source.namespace", "sh*", true}, {"source.namespace", "*op", true},
		{"source.namespace", "s*p", true}, {"source.namespace", "*", true}, {"source.namespace", "s.op", false}, {"source.namespace", "!shop", false},
		{"source.serviceAccount", "cart", true}, {"source.serviceAccount", "shop/cart", true}, {"source.serviceAccount", "other/cart", false}, {"source.serviceAccount", "car", false},
		{"source.trustDomain", "cluster.local", true}, {"source.trustDomain", "cluster", false}, {"source.trustDomain", "cluster*", true}, {"source.trustDomain", "*.local", true}, {"source.trustDomain", "*", true},
		{"request.auth.principal", "*", true}, {"request.auth.principal", "https://issuer.example/realm/alice", true}, {"request.auth.principal", "https://issuer.example/realm/*", true},
		{"request.auth.principal", "*/alice", true}, {"request.auth.principal", "*alice", true}, {"request.auth.principal", "*ce", true}, {"request.auth.principal", "https://issuer.example/realm/al*", true},
		{"request.auth.principal", "*/realm/alice", true}, {"request.auth.principal", "https://issuer.example/*", false}, {"request.auth.principal", "https://issuer.example/realm", false},
		{"request.auth.principal", "https*", true}, {"request.auth.principal", "*/*", false}, {"request.auth.principal", "!*", false},
		{"request.auth.audiences", "web", true}, {"request.auth.audiences", "c*", true}, {"request.auth.audiences", "w", false}, {"request.auth.presenter", "front", true},
		{"request.auth.claims[email]", "*@example.com", true}, {"request.auth.claims[email]", "*", true}, {"request.auth.claims[groups]", "dev", true},
		{"request.auth.claims[groups]", "ops", false}, {"request.auth.claims[groups]", "7", false}, {"request.auth.claims[age]", "42", false}, {"request.auth.claims[age]", "*", false},
		{"request.auth.claims[admin]", "true", false}, {"request.auth.claims[scope]", "read", true}, {"request.auth.claims[scope]", "read*", true},
		{"request.auth.claims[permission]", "p1", true}, {"request.auth.claims[roles]", "r2", true}, {"request.auth.claims[blank]", "*", true},
		{"request.auth.claims[realm_access][roles]", "editor", true}, {"request.auth.claims[realm_access][name]", "main", true}, {"request.auth.claims[realm_access]", "*", false},
		{"request.auth.claims[realm_access][roles][x]", "*", false}, {"request.auth.claims[a.b]", "dotted", true}, {"request.auth.claims[none]", "*", false}, {"request.auth.claims[none]", "!*", true},
		{"request.auth.claims[odd]", "*", false}, {"request.auth.claims[odd]", "two*", true},
		{"request.headers[x-one]", "a", true}, {"request.headers[X-One]", "a", true}, {"request.headers[x-one]", "A", false}, {"request.headers[x-two]", "a", false},
		{"request.headers[x-two]", "a,b", true}, {"request.headers[x-two]", "*b", true}, {"request.headers[x-two]", "a*", true}, {"request.headers[x-empty]", "*", true},
		{"request.headers[x-none]", "*", false}, {"request.headers[x-none]", "!*", true}, {"request.headers[x-none]", "!a", true}, {"request.headers[x-empty]", "!*", false},
		{"request.headers[host]", "App.example.com:8080", true}, {"request.headers[:authority]", "app.example.com:8080", false}, {"request.headers[:method]", "GET", true}, {"request.headers[:path]", "/a/b?x", true},
		{"host", "app.example.com", false}, {"host", "app.example.com:*", true}, {"host", "APP.EXAMPLE.COM:8080", true}, {"host", "*.com:8080", true}, {"host", "*", true}, {"host", "!app*", false},
		{"method", "GET", true}, {"method", "get", false}, {"method", "G*", true}, {"method", "*", true}, {"method", "!POST", true},
		{"path", "/a/b", true}, {"path", "/a*", true}, {"path", "*/b", true}, {"path", "*", true}, {"path", "/a/b?x", false}, {"path", "/A/b", false}, {"path", "/a/**", false},
		{"path", "/*/b", false}, {"path", "/{*}/b", true}, {"path", "/a/{**}", true}, {"path", "/a/b/{**}", false}, {"path", "!/a/*", false},
		{"destination.ip", "10.9.0.0/16", true}, {"destination.ip", "10.9.8.7", true}, {"destination.ip", "10.1.2.3", false}, {"destination.ip", "!10.9.8.7", false}, {"destination.ip", "!10.1.0.0/16", true},
		{"experimental.envoy.filters.network.mysql_proxy[db.table]", "[update]", false}, {"experimental.envoy.filters.network.mysql_proxy[db.table]", "*", false},
		{"experimental.envoy.filters.network.mysql_proxy[db.table]", "![update]", true},
		{"destination.port", "8080", true}, {"destination.port", "80", false}, {"destination.port", "!80", true},
		{"connection.sni", "app.example.com", true}, {"connection.sni", "*.example.com", true}, {"connection.sni", "*", true},
	} {
		cond := condition(t, c.key, strings.Fields(c.values)...)
		r := judged()
		if got := cond.Match(r); got != c.want {
			t.Errorf("%s: got %v, want %v", cond.String(), got, c.want)
		}
		if why := (&PolicyRule{When: Conditions{cond}}).Why(r); (why == "") != c.want {
			t.Errorf("%s: matches: %v, but the reason is %q", cond.String(), c.want, why)
		}
	}
}

// What a request has nothing of fulfils no value and every notValue.
func TestPolicyConditionsOnNothing(t *testing.T) {
	nobody := &Request{Method: "GET", Path: "/", Host: "a", Token: nil}
	half := &Request{Token: NewToken(Token{Issuer: "i", Claims: map[string]any{"iss": "i"}})}
	for _, key := range []string{"source.principal", "source.namespace", "source.trustDomain", "request.auth.principal", "request.auth.audiences",
		"request.auth.presenter", "request.auth.claims[a]", "request.headers[a]", "connection.sni"} {
		is, not := condition(t, key, "*"), condition(t, key, "!*")
		for _, r := range []*Request{nobody, half} {
			if is.Match(r) || !not.Match(r) {
				t.Errorf("%s: got %v and, negated, %v", key, is.Match(r), not.Match(r))
			}
		}
	}
}

// An address that is not known is closed: it says what the policy's action asks for.
func TestUnknownAddress(t *testing.T) {
	for _, values := range [][]string{{"10.0.0.0/8"}, {"!10.0.0.0/8"}} {
		c := condition(t, "destination.ip", values...)
		for _, closed := range []bool{false, true} {
			if c.Unknown = closed; c.Match(&Request{}) != closed {
				t.Errorf("%s: got %v", c.String(), !closed)
			}
		}
		if why := c.why(&Request{}); !strings.HasPrefix(why, "destination.ip is not known, ") {
			t.Errorf("the reason is %q", why)
		}
	}
}

func TestPolicyKeysThatAreNone(t *testing.T) {
	for _, key := range []string{"", "source.user", "request.headers", "request.headers[]", "request.headers[a", "request.headersx[a]", "request.auth.claims", "request.auth.claims[]",
		"destination.labels[a]", "destination.user", "Source.ip", "experimental.envoy.filters.http.ext_authz[db]", "experimental.envoy.filters.network.mysql_proxy", "experimental.a[b]"} {
		if _, _, err := PolicyKey(key); err == nil {
			t.Errorf("%q is taken", key)
		}
	}
}

func TestPolicyValuesThatAreNone(t *testing.T) {
	for fact, values := range map[Fact][]string{
		FactSourceIP: {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "a", "fe80::1%eth0"}, FactRemoteIP: {"1.2.3.4/-1"}, FactPort: {"", "-1", "65536", "http", "80 "},
		FactPath:           {"", "/a{b}", "/{*}.txt", "/a/{**}/b/{*}", "/{**}/{**}", "/*/{*}", "{*}", "a/{*}", "//{*}", "/{*}//", "/a b/{*}", "/{*}/{x}", "/{", "/a?/{*}"},
		FactServiceAccount: {"", "a*", "a/b/c", "/a", "a/", strings.Repeat("a", 321)}, FactTrustDomain: {"", "a/b", "a*b", "*a*"}, FactHost: {""}, FactMethod: {""}, FactPrincipal: {""},
	} {
		for _, v := range values {
			if _, err := NewPolicyCondition(fact, nil, []string{v}, nil, "ns"); err == nil {
				t.Errorf("%d %q is taken", fact, v)
			}
		}
	}
}

func TestPolicyRules(t *testing.T) {
	get, post := condition(t, "method", "GET"), condition(t, "method", "POST")
	shop, other := condition(t, "source.namespace", "shop"), condition(t, "source.namespace", "other")
	path, cookie := condition(t, "path", "/x*"), condition(t, "request.headers[cookie]", "a=b")
	for _, c := range []struct {
		rule      PolicyRule
		prints    string
		why       string
		concerned bool
	}{
		{PolicyRule{}, "every request", "", true},
		{PolicyRule{To: []Conditions{{post}, {get}}, From: []Conditions{{other}, {shop}}}, `method "POST", or method "GET"; from source.namespace "other", or source.namespace "shop"`, "", true},
		{PolicyRule{To: []Conditions{{post}, {get, path}}}, `method "POST", or method "GET" and path "/x*"`, `method is "GET", wants "POST"; path is "/a/b", wants "/x*"`, false},
		{PolicyRule{To: []Conditions{{get}}, From: []Conditions{{other}}}, `method "GET"; from source.namespace "other"`, `source.namespace is "cluster.local/ns/shop/sa/cart", wants "other"`, true},
		{PolicyRule{When: Conditions{cookie}}, `when request.headers[cookie] "a=b"`, `request.headers[cookie] is there, wants "a=b"`, true},
		{PolicyRule{When: Conditions{condition(t, "source.ip", "!10.0.0.0/8")}}, `when source.ip not "10.0.0.0/8"`, `source.ip is "10.1.2.3", must not be "10.0.0.0/8"`, true},
		{PolicyRule{When: Conditions{condition(t, "request.auth.claims[groups]", "x", "!y")}}, `when request.auth.claims[groups] "x" but not "y"`, `request.auth.claims[groups] is "dev, ops team", wants "x"`, true},
	} {
		r := judged()
		if got := c.rule.String(); got != c.prints {
			t.Errorf("got %s, want %s", got, c.prints)
		}
		if got := c.rule.Why(r); got != c.why {
			t.Errorf("%s: got %s, want %s", c.prints, got, c.why)
		}
		if c.rule.Match(r) != (c.why == "") || c.rule.Concerns(r) != c.concerned {
			t.Errorf("%s: matches %v, concerns %v", c.prints, c.rule.Match(r), c.rule.Concerns(r))
		}
	}
}
