package caller

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/source"
)

// platform is a gateway with an application behind it, in the mesh.
const platform = `
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: shop}
spec: {hosts: ["*"], gateways: [istio-system/gw], http: [{route: [{destination: {host: app}}]}]}
`

// asked sends the gateway's requests but those to /open to an external authorizer.
const asked = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: "extensionProviders: [{name: oauth2-proxy, envoyExtAuthzHttp: {service: app.shop.svc.cluster.local, port: 80, headersToUpstreamOnAllow: [authorization], includeRequestHeadersInCheck: [accept, cookie]}}]"
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, action: CUSTOM, provider: {name: oauth2-proxy}, rules: [{to: [{operation: {notPaths: [/open]}}]}]}
`

// builtIn is the login that Doorward brings itself.
const builtIn = `---
apiVersion: doorward.dev/v1alpha1
kind: LoginProvider
metadata: {name: login, namespace: istio-system}
spec: {issuer: "https://issuer.example", clientID: door}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, action: CUSTOM, provider: {name: login}, rules: [{}]}
`

// tokens takes two issuers' tokens at the gateway, and requires one.
const tokens = `---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gw}}
  jwtRules:
  - issuer: https://kubernetes.default.svc
    jwksUri: https://kubernetes.default.svc/openid/v1/jwks
    audiences: [platform]
    outputClaimToHeaders: [{header: x-user, claim: sub}]
  - issuer: https://issuer.example
    jwksUri: https://issuer.example/keys
    audiences: [door]
    outputClaimToHeaders: [{header: x-user, claim: email}, {header: x-teams, claim: realm_access.roles}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, action: DENY, rules: [{from: [{source: {notRequestPrincipals: ["*"]}}], to: [{operation: {notPaths: [/open]}}]}]}
`

// peers lets only one service account to the application.
const peers = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: peers, namespace: shop}
spec: {action: ALLOW, rules: [{from: [{source: {serviceAccounts: [jobs/runner]}}]}]}
`

const keys = `---
apiVersion: doorward.dev/v1alpha1
kind: APIKeySet
metadata: {name: robots, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, secretName: robots, outputHeaders: [{header: x-user, claim: sub}], keys: [{name: ci}, {name: old, disabled: true}]}
`

// The key of the rule is inline: the token of the test is signed with it.
const inline = `---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: own, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, jwtRules: [{issuer: "https://issuer.example", fromHeaders: [{name: x-token}], outputClaimToHeaders: [{header: x-user, claim: email}],
  jwks: '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"test-key","x":"HHzP7ei67jqDj_PQaBnk1DkX9BDh74eZVeEvcUzArjI"}]}'}]}
`

const signed = "eyJhbGciOiJFZERTQSIsImtpZCI6InRlc3Qta2V5In0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoiYWxpY2UiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0.Rs2A1J0PtN5bUci3L2I-YoR7TaV4rN_KJCQnRDoF66e1UkEirh_VaOravn0phNy19xMdhE15dYLX9ESCg_HLAQ"

func compiled(t *testing.T, manifests string) *plan.Plan {
	t.Helper()
	set, problems, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(manifests)}}})
	if err != nil || problems.HasErrors() {
		t.Fatal(err, problems)
	}
	p, _ := compile.Compile(set, compile.Options{AssumePods: true, StandIn: StandIn})
	return p
}

// asks walks a GET as the caller. It returns what came of it in a line, and what the
// application is told of the caller.
func asks(t *testing.T, p *plan.Plan, via, path string, s Spec) (outcome, told string, notes []string) {
	t.Helper()
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	l := p.Listener(via)
	if l == nil {
		t.Fatal("no listener ", via)
	}
	r := &match.Request{Major: 1, Minor: 1, Method: "GET", Host: "shop.example.com", Target: path}
	r.Header.Add("accept", "text/html")
	world, notes := c.Dress(p, l, r, Options{Clock: time.Unix(1700000000, 0), Keys: jwt.New(jwt.Options{Offline: true})})
	var out plan.Outcome
	p.Walk(l, r, world, nil, &out)
	outcome = out.Reason
	if out.Kind == plan.ToRespond {
		outcome = strconv.Itoa(out.Reply.Status) + " " + out.Reason
	}
	var all []string
	for _, f := range r.Header {
		if slices.Contains([]string{"x-user", "x-teams", "x-auth-request-email"}, f.Name) {
			all = append(all, f.Name+"="+f.Value)
		}
	}
	return outcome, strings.Join(all, " "), notes
}

// What each caller gets, on a gateway that takes tokens, with and without a login in
// front, at a workload's door, with a key.
func TestCallers(t *testing.T) {
	alice := Spec{Claims: map[string]any{"iss": "https://issuer.example", "sub": "a", "aud": "door", "email": "alice@example.com"}}
	other := Spec{Claims: map[string]any{"iss": "https://other.example", "sub": "a", "aud": "door"}}
	wrong := Spec{Claims: map[string]any{"iss": "https://issuer.example", "sub": "a", "aud": "x"}}
	bob := Spec{User: "bob@example.com", Groups: []string{"a", "b"}}
	runner := Spec{ServiceAccount: "jobs/runner"}
	const gateway = "istio-system/gw:80"
	for _, c := range []struct {
		name      string
		manifests string
		via, path string
		as        Spec
		want      string // the outcome begins so
		told      string
	}{
		{"nobody without a token", tokens, gateway, "/", Spec{}, "403 AuthorizationPolicy istio-system/require", ""},
		{"claims", tokens, gateway, "/", alice, "forwarded", "x-user=alice@example.com"},
		{"a user", tokens, gateway, "/", bob, "forwarded", "x-user=bob@example.com x-teams=WyJhIiwiYiJd"},
		{"another issuer", tokens, gateway, "/", other, "401 Jwt issuer is not configured", ""},
		{"another audience", tokens, gateway, "/", wrong, "403 Audiences in Jwt are not allowed", ""},
		{"a service account", tokens, gateway, "/", runner, "forwarded", "x-user=system:serviceaccount:jobs:runner"},

		{"nobody at a login", asked + tokens, gateway, "/", Spec{}, "302 refused by oauth2-proxy: nobody is logged in (assumed", ""},
		{"nobody where it is open", asked + tokens, gateway, "/open", Spec{}, "forwarded", ""},
		{"claims at a login", asked + tokens, gateway, "/", alice, "forwarded", "x-user=alice@example.com"},
		{"a session shows nothing where it is open", asked + tokens, gateway, "/open", alice, "forwarded", ""},
		{"a user at a login", asked + tokens, gateway, "/", bob, "forwarded", "x-user=bob@example.com x-teams=WyJhIiwiYiJd"},
		{"a service account at a login", asked + tokens, gateway, "/", runner, "forwarded", "x-user=system:serviceaccount:jobs:runner"},
		{"a login that keeps the token", strings.Replace(asked, "[authorization]", "[x-a]", 1) + tokens, gateway, "/", alice, "403 AuthorizationPolicy istio-system/require", ""},

		{"nobody at the login built in", builtIn + tokens, gateway, "/", Spec{}, "302 sent to log in at https://issuer.example", ""},
		{"a user at the login built in", builtIn + tokens, gateway, "/", bob, "forwarded", "x-auth-request-email=bob@example.com x-user=bob@example.com x-teams=WyJhIiwiYiJd"},
		{"who asks who is logged in", builtIn + tokens, gateway, "/oauth2/auth", bob, "202 bob@example.com is let in", ""},
		{"and is nobody", builtIn + tokens, gateway, "/oauth2/userinfo", Spec{}, "401 nobody is logged in", ""},
		{"claims of another issuer", builtIn + tokens, gateway, "/", other, "302 a is of the issuer https://other.example, and the login is at https://issuer.example", ""},
		{"it takes no tokens", builtIn + tokens, gateway, "/", runner, "302 sent to log in", ""},

		{"a token", inline, gateway, "/", Spec{Token: signed}, "forwarded", "x-user=alice@example.com"},
		{"a token whose keys are not here", tokens, gateway, "/", Spec{Token: strings.Replace(signed, ".Rs2", ".Rs3", 1)}, "403 Audiences", ""},
		{"a forged token", inline, gateway, "/", Spec{Token: strings.Replace(signed, ".Rs2", ".Rs3", 1)}, "401 Jwt verification fails", ""},
		{"claims in another header", inline, gateway, "/", alice, "forwarded", "x-user=alice@example.com"},

		{"a peer that is let in", peers, "shop/app:80", "/", runner, "forwarded", ""},
		{"another peer", peers, "shop/app:80", "/", Spec{ServiceAccount: "jobs/other"}, "403 no ALLOW policy allows the request", ""},
		{"no peer", peers, "shop/app:80", "/", Spec{}, "403 no ALLOW policy allows the request", ""},
		{"a service account is no peer at a gateway", peers, gateway, "/", runner, "403 no ALLOW policy allows the request", ""},

		{"a key", keys, gateway, "/", Spec{APIKey: "istio-system/robots/ci"}, "forwarded", "x-user=ci"},
		{"a key that is off", keys, gateway, "/", Spec{APIKey: "istio-system/robots/old"}, "401 API key old: it is disabled", ""},
		{"a key that is not there", keys, gateway, "/", Spec{APIKey: "istio-system/robots/cj"}, "401 an API key is unknown", ""},
		{"a name beside keys", keys + tokens, gateway, "/", bob, "forwarded", "x-user=bob@example.com x-teams=WyJhIiwiYiJd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outcome, told, notes := asks(t, compiled(t, platform+c.manifests), c.via, c.path, c.as)
			if !strings.HasPrefix(outcome, c.want) || told != c.told {
				t.Errorf("got %q told %q, want %q told %q; notes %q", outcome, told, c.want, c.told, notes)
			}
		})
	}
}

// Nobody comes in by a stand-in where it was not asked for: a plan that is served has
// no such key, and a world for tokens does not know the stand-in.
func TestStandInsOpenNothing(t *testing.T) {
	set, _, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(platform + keys)}}})
	if err != nil {
		t.Fatal(err)
	}
	served, _ := compile.Compile(set, compile.Options{AssumePods: true})
	if outcome, _, _ := asks(t, served, "istio-system/gw:80", "/", Spec{APIKey: "istio-system/robots/ci"}); !strings.HasPrefix(outcome, "401") {
		t.Errorf("a served plan takes the stand-in: %s", outcome)
	}
	standIn, err := tokenOf(map[string]any{"iss": "https://issuer.example", "sub": "a"})
	if err != nil {
		t.Fatal(err)
	}
	if outcome, _, _ := asks(t, compiled(t, platform+inline), "istio-system/gw:80", "/", Spec{Token: standIn.Raw}); !strings.HasPrefix(outcome, "401") {
		t.Errorf("a token that only looks like a stand-in is taken: %s", outcome)
	}
}

// What was taken for granted is told, and so is what could not be.
func TestNotes(t *testing.T) {
	p := compiled(t, platform+tokens+`---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: plan, namespace: istio-system}
spec: {selector: {matchLabels: {istio: gw}}, action: DENY, rules: [{when: [{key: "request.auth.claims[plan]", values: [free]}]}]}
`)
	_, _, notes := asks(t, p, "istio-system/gw:80", "/", Spec{User: "bob", Groups: []string{"a"}})
	if len(notes) != 3 || notes[0] != "bob is taken to bring a good token" || !strings.HasPrefix(notes[2], "policies read more claims, which are not there: plan;") {
		t.Fatalf("notes are %q", notes)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(notes[1], "its claims are ")), &claims); err != nil || claims["email"] != "bob" || claims["aud"] != "door" {
		t.Errorf("claims are %v, %v", claims, err)
	}
	if _, _, notes := asks(t, compiled(t, platform), "istio-system/gw:80", "/", Spec{User: "bob"}); len(notes) != 1 || !strings.HasPrefix(notes[0], "nothing on the way reads tokens") {
		t.Errorf("notes are %q", notes)
	}
}

func TestWrongSpecs(t *testing.T) {
	for want, s := range map[string]Spec{
		"is one of":                   {User: "a", APIKey: "a/b/c"},
		"groups are a user's":         {Groups: []string{"a"}},
		"is not NAMESPACE/NAME":       {ServiceAccount: "runner"},
		"is not NAMESPACE/SET/KEY":    {APIKey: "a/b"},
		"one word":                    {Token: "Bearer a.b.c"},
		"claim iss is no text":        {Claims: map[string]any{"iss": 1}},
		"aud is neither a text nor a": {Claims: map[string]any{"aud": 1}},
	} {
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", s, err, want)
		}
	}
}
