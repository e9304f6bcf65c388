package exempt

import (
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/diff"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/source"
)

func side(t *testing.T, manifests string) diff.Side {
	t.Helper()
	set, problems, err := source.Load(t.Context(), source.Options{Texts: []source.Text{{Name: "m.yaml", Data: []byte(manifests)}}})
	if err != nil || problems.HasErrors() {
		t.Fatal(problems, err)
	}
	p, _ := compile.Compile(set, compile.Options{AssumePods: true, UndeclaredClasses: true})
	return diff.Side{Plan: p, Set: set}
}

// manifests are a gateway with two applications, and rules of its two policies.
func manifests(login, token, more string) string {
	return `
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {istio: gateway}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: login, namespace: istio-system}
spec: {selector: {app: login}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec: {selector: {istio: gateway}, servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: login
      envoyExtAuthzHttp: {service: login.istio-system.svc.cluster.local, port: 80, headersToUpstreamOnAllow: [authorization]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  jwtRules: [{issuer: https://login.example.com, jwksUri: 'https://login.example.com/keys'}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: CUSTOM
  provider: {name: login}
  rules: [` + login + `]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require-jwt, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: DENY
  rules: [` + token + `]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.example.com]
  gateways: [kubeflow/gateway]
  http:
  - match: [{uri: {exact: /web}}]
    redirect: {uri: /web/}
  - match: [{uri: {prefix: /web/}}]
    route: [{destination: {host: web, port: {number: 80}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: shop}
spec:
  hosts: [b.example.com]
  gateways: [kubeflow/gateway]
  http: [{route: [{destination: {host: other, port: {number: 80}}}]}]
` + more
}

const (
	noHeader = `when: [{key: "request.headers[authorization]", notValues: ["*"]}]`
	nobody   = `from: [{source: {notRequestPrincipals: ["*"]}}]`
)

func TestNewPath(t *testing.T) {
	for _, c := range []struct{ in, want, why string }{
		{"/mlflow", "/mlflow", ""},
		{"/mlflow/", "/mlflow", ""},
		{"/mlflow/*", "/mlflow", ""},
		{"/a/b.c", "/a/b.c", ""},
		{"mlflow", "", `does not begin with "/"`},
		{"/", "", "every application"},
		{"/*", "", "every application"},
		{"*", "", `does not begin with "/"`},
		{"/mlflow*", "", "of other applications too; write /mlflow"},
		{"/a/*/b", "", "is no path"},
		{"/a/{**}", "", "is no path"},
		{"/a?b=c", "", "is no path"},
		{"/a/../b", "", `read "/a/../b" as "/b"`},
		{"//a", "", `read "//a" as "/a"`},
		{"/%61", "", `read "/%61" as "/a"`},
	} {
		got, err := NewPath(c.in)
		if string(got) != c.want || (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("NewPath(%q): got %q, %v; want %q, %q", c.in, got, err, c.want, c.why)
		}
	}
	p := Path("/a")
	for path, want := range map[string]bool{"/a": true, "/a/": true, "/a/b": true, "/ab": false, "/": false, "/b/a": false} {
		if p.Covers(path) != want {
			t.Errorf("%s covers %s: want %v", p, path, want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ name, login, token, want string }{
		{"both", "{to: [{operation: {notPaths: [/dex/*]}}], " + noHeader + "}", "{to: [{operation: {notPaths: [/dex/*]}}], " + nobody + "}",
			"login met login spec.rules[0] 0[/web /web/*]; token met require-jwt spec.rules[0] 0[/web /web/*]"},
		{"one has it", "{to: [{operation: {notPaths: [/web, /web/*]}}]}", "{to: [{operation: {notPaths: [/dex/*]}}], " + nobody + "}",
			"login login spec.rules[0]; token met require-jwt spec.rules[0] 0[/web /web/*]"},
		{"only what is below", "{to: [{operation: {notPaths: [/web/*]}}]}", "{" + nobody + "}",
			"login met login spec.rules[0] 0[/web]; token met require-jwt spec.rules[0] -1[/web /web/*]"},
		{"a wider pattern", "{to: [{operation: {notPaths: [/we*]}}]}", "{to: [{operation: {notPaths: [/we*]}}], " + nobody + "}",
			"login login spec.rules[0] others /we*; token require-jwt spec.rules[0] others /we*"},
		{"of another host", "{to: [{operation: {hosts: [c.example.com]}}, {operation: {hosts: [a.example.com], methods: [POST]}}]}", "{" + nobody + "}",
			"login met login spec.rules[0] 1[/web /web/*]; token met require-jwt spec.rules[0] -1[/web /web/*]"},
		{"of another port", "{to: [{operation: {ports: ['9090']}}]}", "{" + nobody + "}",
			"login login spec.rules[0]; token met require-jwt spec.rules[0] -1[/web /web/*]"},
		{"about some paths", "{to: [{operation: {paths: [/web/admin/*]}}]}", "{to: [{operation: {paths: [/web/*]}}], " + nobody + "}",
			"login login spec.rules[0]; token met require-jwt spec.rules[0] 0[/web/*]"},
		{"another kind of denial", "{to: [{operation: {notPaths: [/dex/*]}}]}", "{to: [{operation: {paths: [/web/secret]}}]}, {when: [{key: request.auth.principal, notValues: ['*']}]}",
			"login met login spec.rules[0] 0[/web /web/*]; token met require-jwt spec.rules[1] -1[/web /web/*]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Find(side(t, manifests(c.login, c.token, "")).Plan, "/web")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range f.Rules {
				s := r.Asks()
				if r.Met {
					s += " met"
				}
				s += " " + r.Origin.Ref.Name + " " + r.Origin.Field
				for _, o := range r.Operations {
					s += " " + string("-0123"[o.To+1])
					if o.To < 0 {
						s += "1"
					}
					s += "[" + strings.Join(o.Paths, " ") + "]"
				}
				if others := r.Others("/web"); !r.Met && len(others) > 0 && len(r.Undo("/web")) == 0 {
					s += " others " + strings.Join(others, " ")
				}
				got = append(got, s)
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("got\n%s\nwant\n%s", s, c.want)
			}
		})
	}
	if _, err := Find(side(t, strings.ReplaceAll(manifests("{}", "{}", ""), "b.example.com", "a.example.com")).Plan, "/nothing/here"); err != nil {
		t.Errorf("a catch-all routes it: %v", err)
	}
	only := strings.Split(manifests("{}", "{}", ""), "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: other")[0]
	if _, err := Find(side(t, only).Plan, "/nothing"); err != ErrNotRouted {
		t.Errorf("got %v, want ErrNotRouted", err)
	}
}

func TestUndoTakesItsOwn(t *testing.T) {
	for _, c := range []struct {
		list, others string
		undone       bool
	}{
		{"/dex/*, /web, /web/*", "", true},
		{"/web, /web/*, /dex/*", "", true},
		{"/web/*", "/web/*", false},
		{"/web", "/web", false},
		{"/web/*, /dex/*, /web", "/web/* /web", false},
		{"/web, /web/*, /we*", "/we*", true},
	} {
		f, err := Find(side(t, manifests("{to: [{operation: {notPaths: ["+c.list+"]}}]}", "{"+nobody+"}", "")).Plan, "/web")
		if err != nil {
			t.Fatal(err)
		}
		r := f.Rules[0]
		if got := strings.Join(r.Others("/web"), " "); got != c.others || (len(r.Undo("/web")) > 0) != c.undone {
			t.Errorf("[%s]: others %q, undo %v", c.list, got, r.Undo("/web"))
		}
	}
}

func TestProve(t *testing.T) {
	rule := func(paths, more string) string {
		return "{to: [{operation: {notPaths: [" + paths + "]}}], " + more + "}"
	}
	with := func(login, token, more string) string {
		return manifests(rule(login, noHeader), rule(token, nobody), more)
	}
	headers := func(manifests string) string {
		return strings.NewReplacer("headersToUpstreamOnAllow: [authorization]", "headersToUpstreamOnAllow: [authorization, x-auth-request-email]",
			"jwksUri: 'https://login.example.com/keys'", "jwksUri: 'https://login.example.com/keys', outputClaimToHeaders: [{header: x-user, claim: email}]").Replace(manifests)
	}
	const own = "/dex/*, /web, /web/*"
	const door = `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: members, namespace: shop}
spec: {action: ALLOW, selector: {matchLabels: {app: web}}, rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}
`
	for _, c := range []struct {
		name, before, after string
		undo                bool
		public, still, why  string
		forgeable           string
	}{
		{name: "exempt", before: with("/dex/*", "/dex/*", ""), after: with(own, own, ""), public: "shop/web:80, shop/other:80"},
		{
			name: "exempt, where the login tells who asks", before: headers(with("/dex/*", "/dex/*", "")), after: headers(with(own, own, "")), public: "shop/web:80, shop/other:80",
			forgeable: "x-auth-request-email",
		},
		{name: "in one alone", before: with("/dex/*", "/dex/*", ""), after: with(own, "/dex/*", ""), why: "would still be refused, by AuthorizationPolicy istio-system/require-jwt"},
		{name: "too wide", before: with("/dex/*", "/dex/*", ""), after: with("/dex/*, /w*", "/dex/*, /w*", ""), why: "something else would change: GET http://b.example.com/w"},
		{name: "and something else", before: with("/dex/*", "/dex/*", ""), after: with("/web, /web/*", own, ""), why: "something else would change: GET http://"},
		{name: "behind it a door", before: with("/dex/*", "/dex/*", door), after: with(own, own, door), still: "http://a.example.com/web/"},
		{name: "undo", before: with(own, own, ""), after: with("/dex/*", "/dex/*", ""), undo: true},
		{name: "undo, and still exempt", before: with(own+", /we*", own+", /we*", ""), after: with("/dex/*, /we*", "/dex/*, /we*", ""), undo: true, why: "/web would still be exempt, by /we* of AuthorizationPolicy istio-system/login"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := side(t, c.before), side(t, c.after)
			from := before
			if c.undo {
				from = after
			}
			f, err := Find(from.Plan, "/web")
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Prove(before, after, c.undo)
			if c.why != "" {
				if err == nil || !strings.Contains(err.Error(), c.why) {
					t.Errorf("got %v, want an error with %q", err, c.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.Public, ", "); c.public != "" && got != c.public {
				t.Errorf("public: got %s, want %s", got, c.public)
			}
			if got := strings.Join(p.Forgeable, " "); got != c.forgeable {
				t.Errorf("forgeable: got %q, want %q", got, c.forgeable)
			}
			if c.still != "" && (len(p.Still) == 0 || !strings.HasPrefix(p.Still[0].URL(), c.still)) {
				t.Errorf("still: got %v, want %s", p.Still, c.still)
			}
			if c.still == "" && len(p.Still) > 0 {
				t.Errorf("still: got %v", p.Still)
			}
			if len(p.Ways) == 0 || p.Examples < 20 {
				t.Errorf("got %d ways and %d examples", len(p.Ways), p.Examples)
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	f, err := Find(side(t, manifests("{}, {}", "{"+nobody+"}", "")).Plan, "/web")
	if err != nil {
		t.Fatal(err)
	}
	want := []object.Ref{{Kind: "AuthorizationPolicy", Namespace: "istio-system", Name: "login"}, {Kind: "AuthorizationPolicy", Namespace: "istio-system", Name: "require-jwt"}}
	if got := f.Policies(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}
