package compile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// loginWith is a LoginProvider with a spec, what it may refer to, and a policy that asks it.
func loginWith(spec string) string {
	return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask, namespace: istio-system}
spec:
  action: CUSTOM
  provider: {name: login}
  rules: [{}]
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: istio-system}
stringData: {client: geheim, cookies: "0123456789abcdef-new\n0123456789abcdef-old", short: short, blank: " "}
---
apiVersion: doorward.dev/v1alpha1
kind: LoginProvider
metadata: {name: login, namespace: istio-system}
spec: {` + spec + `}
`
}

func TestLoginProviderDefaults(t *testing.T) {
	p, problems := compileYAML(t, loginWith(`issuer: "https://idp.example", clientID: c, clientSecretRef: {name: login, key: client}, cookie: {secretRef: {name: login, key: cookies}}`))
	logins := p.Logins()
	if len(logins) != 1 {
		t.Fatalf("%d logins: %v", len(logins), problems)
	}
	l := logins[0]
	if l.Key != "istio-system/login" || l.Callback != "/oauth2/callback" || l.GroupsClaim != "groups" || l.SessionLifetime != 168*time.Hour || l.Cookie != "doorward_session" ||
		!slices.Equal(l.Scopes, []string{"openid", "profile", "email"}) || l.ClientSecret != "geheim" || !l.Authorization || !l.XAuthRequest || l.Backchannel ||
		!slices.Equal(l.Secrets, []string{"0123456789abcdef-new", "0123456789abcdef-old"}) {
		t.Errorf("got %+v", l)
	}
}

func TestLoginProviderMistakes(t *testing.T) {
	const good = `issuer: "https://idp.example", clientID: c`
	for _, c := range []struct{ spec, field, says string }{
		{`clientID: c`, "spec.issuer", `"" is no issuer`},
		{`issuer: "idp.example", clientID: c`, "spec.issuer", "is no issuer"},
		{`issuer: "https://idp.example/?x", clientID: c`, "spec.issuer", "without query"},
		{`issuer: "https://idp.example"`, "spec.clientID", "there is no client"},
		{good + `, clientSecretRef: {name: logon, key: client}`, "spec.clientSecretRef.name", "login"},
		{good + `, clientSecretRef: {name: login, key: clint}`, "spec.clientSecretRef.key", "client"},
		{good + `, redirectPath: callback`, "spec.redirectPath", "no path"},
		{good + `, redirectPath: /callback`, "spec.redirectPath", "beside it"},
		{good + `, redirectPath: /a/../callback/x`, "spec.redirectPath", "no path"},
		{good + `, sessionLifetime: 1s`, "spec.sessionLifetime", "not between"},
		{good + `, sessionLifetime: 10000h`, "spec.sessionLifetime", "not between"},
		{good + `, scopes: ["openid email"]`, "spec.scopes[0]", "is no scope"},
		{good + `, authorizationURL: //evil.example`, "spec.authorizationURL", "nor a path"},
		{good + `, authorizationURL: "javascript:x"`, "spec.authorizationURL", "nor a path"},
		{good + `, logout: {postLogoutRedirect: 'x'}`, "spec.logout.postLogoutRedirect", "nor a path"},
		{good + `, cookie: {name: "a b"}`, "spec.cookie.name", "cannot name"},
		{good + `, cookie: {name: __Host-x, domain: example.com}`, "spec.cookie.name", "cannot name"},
		{good + `, cookie: {domain: "x; Secure"}`, "spec.cookie.domain", "is no domain"},
		{good + `, cookie: {secretRef: {name: login, key: short}}`, "spec.cookie.secretRef", "can be guessed"},
		{good + `, cookie: {secretRef: {name: login, key: blank}}`, "spec.cookie.secretRef.key", "no key"},
		{good + `, caCertRef: {name: login, key: client}`, "spec.caCertRef", "no certificate"},
	} {
		out, problems := judge(t, "/", loginWith(c.spec))
		i := slices.IndexFunc(problems, func(p problem.Problem) bool {
			return p.Code == problem.LoginProviderInvalid && p.Field == c.field && strings.Contains(p.Message+p.Remedy, c.says)
		})
		if i < 0 {
			t.Errorf("%s: no problem at %s that says %q: %v", c.spec, c.field, c.says, problems)
		}
		if out.Reply.Status != 403 || out.Kind != plan.ToRespond {
			t.Errorf("%s: what asks the login is open: %s", c.spec, out.Reason)
		}
	}
}

// A LoginProvider is for the policies of its own namespace, in the root namespace for all.
func TestLoginProviderElsewhere(t *testing.T) {
	text := strings.Replace(loginWith(`issuer: "https://idp.example", clientID: c`), "kind: LoginProvider\nmetadata: {name: login, namespace: istio-system}", "kind: LoginProvider\nmetadata: {name: login, namespace: team}", 1)
	p, problems := compileYAML(t, text)
	if len(p.Logins()) != 0 {
		t.Error("another namespace's login is taken")
	}
	for _, code := range []string{problem.LoginProviderUnused, problem.AuthzProviderNotFound} {
		if !slices.ContainsFunc(problems, func(p problem.Problem) bool { return p.Code == code }) {
			t.Errorf("no problem %s: %v", code, problems)
		}
	}
}
