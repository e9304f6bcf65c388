package diff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/source"
)

// side compiles manifests for questions about files.
func side(t testing.TB, opts source.Options) Side {
	t.Helper()
	set, problems, err := source.Load(t.Context(), opts)
	if err != nil || problems.HasErrors() {
		t.Fatal(problems, err)
	}
	p, _ := compile.Compile(set, compile.Options{AssumePods: true, UndeclaredClasses: true})
	return Side{p, set}
}

func text(name, manifests string) source.Options {
	return source.Options{Texts: []source.Text{{Name: name, Data: []byte(manifests)}}}
}

// summary is a change in a line: class, request, caller, outcomes, causes.
func (c *Change) summary() string {
	s := fmt.Sprintf("%s %s by %s x%d: %s -> %s", c.Class, c.Example.String(), c.Example.Caller.Name, c.Count, &c.Before, &c.After)
	if len(c.Edits) > 0 {
		s += " [" + strings.Join(c.Edits, "; ") + "]"
	}
	for _, o := range c.Because {
		s += " because of " + strings.TrimSpace(o.Ref.String()+" "+o.Field)
		if o.Gone {
			s += " (gone)"
		}
	}
	return s
}

// The platform: an edge that hands over to a gateway, with Kubeflow's pair of policies.
const platform = `
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: istio-system}
spec: {selector: {istio: gateway}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: login, namespace: istio-system}
spec: {selector: {app: login}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: kubeflow}
spec: {selector: {istio: gateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge, namespace: istio-system}
spec:
  ingressClassName: public
  tls: [{hosts: [a.example.com]}]
  rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: gateway, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: login
      envoyExtAuthzHttp:
        service: login.istio-system.svc.cluster.local
        port: 80
        headersToUpstreamOnAllow: [authorization]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  jwtRules: [{issuer: https://login.example.com, jwksUri: 'https://login.example.com/keys', forwardOriginalToken: true, outputClaimToHeaders: [{header: kubeflow-userid, claim: email}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: login, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: CUSTOM
  provider: {name: login}
  rules:
  - to: [{operation: {notPaths: [/dex/*]}}]
    when: [{key: "request.headers[authorization]", notValues: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: require-jwt, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: gateway}}
  action: DENY
  rules:
  - from: [{source: {notRequestPrincipals: ["*"]}}]
    to: [{operation: {notPaths: [/dex/*]}}]
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
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec: {selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}}, spec: {containers: [{name: api, image: api}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [kubeflow/gateway]
  http:
  - match: [{uri: {prefix: /web/}}]
    rewrite: {uri: /}
    route: [{destination: {host: web, port: {number: 80}}}]
  - match: [{uri: {prefix: /dex/}}]
    route: [{destination: {host: api, port: {number: 80}}}]
`

const policyOf = `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only, namespace: shop}
spec: {action: ALLOW, selector: {matchLabels: {app: web}}, rules: [%s]}
`

func TestCompare(t *testing.T) {
	replace := func(pairs ...string) string {
		s := strings.NewReplacer(pairs...).Replace(platform)
		if s == platform {
			t.Fatalf("%q is not in the manifests", pairs)
		}
		return s
	}
	both := replace("notPaths: [/dex/*]", "notPaths: [/dex/*, /web, /web/*]")
	for _, c := range []struct {
		name          string
		before, after string
		want          []string // a part of each change, in their order
		open          bool
	}{
		{name: "nothing", before: platform, after: platform},
		{name: "an order of objects", before: platform, after: reversed(platform)},
		{
			name: "exempt in both", before: platform, after: both, open: true,
			want: []string{
				"opened GET https://a.example.com/web/ by anonymous x2: 302 -> shop/web:80 gets GET / because of AuthorizationPolicy istio-system/login spec.rules[0]",
				"opened GET https://a.example.com/web/ with authorization: x by anonymous x1: 403 -> shop/web:80 gets GET / because of AuthorizationPolicy istio-system/require-jwt spec.rules[0]",
				"edited",
			},
		},
		{
			name: "exempt from the login alone", before: platform,
			after: strings.Replace(platform, "notPaths: [/dex/*]", "notPaths: [/dex/*, /web/*]", 1),
			want:  []string{"closed GET https://a.example.com/web/ by anybody logged in x2", "turned GET https://a.example.com/web/ by anonymous x2: 302 -> 403 because of AuthorizationPolicy istio-system/login spec.rules[0]"},
		},
		{
			name: "no login any more", before: both, after: platform,
			want: []string{"closed GET https://a.example.com/web/ by anonymous x2: shop/web:80 gets GET / -> 302"},
		},
		{
			name: "a new route behind the login", before: platform,
			after: replace("http:\n  - match", "http:\n  - match: [{uri: {prefix: /new/}}]\n    route: [{destination: {host: api, port: {number: 80}}}]\n  - match"),
			want:  []string{"added GET https://a.example.com/new/ by anybody logged in x3: 403, nothing is routed there -> shop/api:80 gets GET /new/ because of VirtualService shop/web spec.http[0].match[0]"},
		},
		{
			name: "a new route without login", before: replace("prefix: /dex/", "prefix: /old/"), after: platform, open: true,
			want: []string{"published GET https://a.example.com/dex/ by anonymous x3: 404, nothing is routed there -> shop/api:80 gets GET /dex/ because of VirtualService shop/web spec.http[1].match[0]", "lost GET https://a.example.com/old/ by anybody logged in"},
		},
		{
			name: "another application", before: platform, after: replace("host: web, port", "host: api, port"),
			want: []string{"retargeted GET https://a.example.com/web/ by anybody logged in x3: shop/web:80 gets GET / -> shop/api:80 gets GET / because of VirtualService shop/web spec.http[0].match[0]"},
		},
		{
			name: "another path", before: platform, after: replace("rewrite: {uri: /}", "rewrite: {uri: /app/}"),
			want: []string{"edited GET https://a.example.com/web/ by anybody logged in x3: shop/web:80 gets GET / -> shop/web:80 gets GET /app/ [path: / -> /app/]"},
		},
		{
			name: "another timeout", before: platform, after: replace("rewrite: {uri: /}", "timeout: 5s\n    rewrite: {uri: /}"),
			want: []string{"edited GET https://a.example.com/web/ by anybody logged in x3: shop/web:80 gets GET / -> shop/web:80 gets GET / [timeout: 0s -> 5s]"},
		},
		{
			name: "weights", before: platform,
			after: replace("route: [{destination: {host: web, port: {number: 80}}}]", "route: [{destination: {host: web, port: {number: 80}}, weight: 90}, {destination: {host: api, port: {number: 80}}, weight: 10}]"),
			want:  []string{"[weights: none -> 90 to shop/web:80, 10 to shop/api:80]"},
		},
		{
			name: "no application behind it", before: platform, after: replace("metadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports", "metadata: {name: web2, namespace: shop}\nspec: {selector: {app: web}, ports"),
			want: []string{"lost GET https://a.example.com/web/ by anybody logged in x3: shop/web:80 gets GET / -> 503"},
		},
		{
			name: "no route any more", before: platform, after: replace("prefix: /web/", "prefix: /other/"),
			want: []string{"lost GET https://a.example.com/web/ by anybody logged in x3", "added GET https://a.example.com/other/ by anybody logged in x3"},
		},
		{
			name: "a workload's policy", before: platform, after: platform + fmt.Sprintf(policyOf, "{to: [{operation: {paths: [/api/*], methods: [GET]}}]}"),
			want: []string{"closed GET https://a.example.com/web/ by anybody logged in x4: shop/web:80 gets GET / -> 403 because of AuthorizationPolicy shop/only spec.rules[0]"},
		},
		{
			name: "more in a workload's policy", before: platform + fmt.Sprintf(policyOf, "{to: [{operation: {paths: [/api/*]}}]}"),
			after: platform + fmt.Sprintf(policyOf, "{to: [{operation: {paths: [/api/*, /admin/*]}}]}"),
			want:  []string{"widened GET https://a.example.com/web/admin/x by anybody logged in x1: 403 -> shop/web:80 gets GET /admin/x because of AuthorizationPolicy shop/only spec.rules[0]"},
		},
		{
			name: "another group", before: platform + fmt.Sprintf(policyOf, "{}"),
			after: strings.Replace(platform, "rules:\n  - from: [{source: {notRequestPrincipals: [\"*\"]}}]", "rules:\n  - when: [{key: \"request.auth.claims[groups]\", notValues: [ml]}]\n  - from: [{source: {notRequestPrincipals: [\"*\"]}}]", 1) +
				fmt.Sprintf(policyOf, "{}"),
			want: []string{"closed GET https://a.example.com/dex/ by anonymous x6: shop/api:80 gets GET /dex/ -> 403 because of AuthorizationPolicy istio-system/require-jwt spec.rules[0]"},
		},
		{
			name: "a header of the login's", before: platform, after: replace("header: kubeflow-userid", "header: x-user"),
			want: []string{"forgeable GET https://a.example.com/dex/ with kubeflow-userid: forged by anonymous x4", "edited"},
		},
		{
			name: "a redirect in front of the login", before: platform, after: replace("name: edge, namespace: istio-system", "name: edge, namespace: istio-system, annotations: {nginx.ingress.kubernetes.io/ssl-redirect: 'false'}"),
			want: []string{"turned GET http://a.example.com/"},
		},
		{
			name: "the edge's own login is gone", before: replace("name: edge, namespace: istio-system", "name: edge, namespace: istio-system, annotations: {nginx.ingress.kubernetes.io/auth-url: 'http://login.istio-system.svc.cluster.local/auth', nginx.ingress.kubernetes.io/auth-signin: 'https://login.example.com/start'}"),
			after: platform, open: true,
			want: []string{"opened GET https://a.example.com/dex/ by anonymous x3: 302 to https://login.example.com/start"},
		},
		{
			name: "addresses", before: replace("name: edge, namespace: istio-system", "name: edge, namespace: istio-system, annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: '10.0.0.0/8'}"),
			after: replace("name: edge, namespace: istio-system", "name: edge, namespace: istio-system, annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: '10.0.0.0/8,192.0.2.0/24'}"), open: true,
			want: []string{"opened GET https://a.example.com/dex/ by anonymous x3: 403 -> shop/api:80 gets GET /dex/ because of Ingress istio-system/edge"},
		},
		{
			name: "the gateway is gone", before: platform, after: replace(`hosts: ["*"]}]}`, `hosts: ["b.example.com"]}]}`),
			want: []string{"lost"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Compare(side(t, text("old.yaml", c.before)), side(t, text("new.yaml", c.after)))
			var got []string
			for i := range r.Changes {
				got = append(got, r.Changes[i].summary())
			}
			if r.Open() != c.open {
				t.Errorf("open: %v, want %v", r.Open(), c.open)
			}
			if len(c.want) == 0 && len(got) > 0 {
				t.Errorf("got\n%s\nwant nothing", strings.Join(got, "\n"))
			}
			at := 0
			for _, want := range c.want {
				i := slices.IndexFunc(got[at:], func(s string) bool { return strings.Contains(s, want) })
				if i < 0 {
					t.Fatalf("got\n%s\nwithout, or not in this order\n%s", strings.Join(got, "\n"), want)
				}
				at += i + 1
			}
		})
	}
}

// reversed are the same documents in the other order.
func reversed(manifests string) string {
	docs := strings.Split(manifests, "\n---\n")
	slices.Reverse(docs)
	return strings.Join(docs, "\n---\n")
}

// What is the same on both sides, whatever it is, is no change.
func TestNothingChangesWithinExamples(t *testing.T) {
	for _, dir := range []string{"paas", "localhost", "login"} {
		opts := source.Options{Kustomizations: []string{"../../examples/" + dir}}
		r := Compare(side(t, opts), side(t, opts))
		for i := range r.Changes {
			t.Errorf("%s: %s", dir, r.Changes[i].summary())
		}
		if r.Examples < 20 {
			t.Errorf("%s: only %d examples", dir, r.Examples)
		}
	}
}

// Causes are told where they stand now, or stood if they are gone.
func TestCauseHasItsPlace(t *testing.T) {
	after := strings.ReplaceAll(platform, "notPaths: [/dex/*]", "notPaths: [/dex/*, /web/*]")
	r := Compare(side(t, text("old.yaml", platform)), side(t, text("new.yaml", "# one line more\n"+after)))
	for i := range r.Changes {
		for _, o := range r.Changes[i].Because {
			if o.Origin.Origin.File != "new.yaml" || o.Origin.Origin.Line < 2 {
				t.Errorf("the cause %s of %s is not of the new file", o.Origin.String(), r.Changes[i].summary())
			}
		}
	}
	r = Compare(side(t, text("old.yaml", after)), side(t, text("new.yaml", strings.Split(platform, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy")[0])))
	if len(r.Changes) == 0 || !r.Changes[0].Because[0].Gone || r.Changes[0].Because[0].Origin.Origin.File != "old.yaml" {
		t.Errorf("what is gone has its place in the old file: %+v", r.Changes)
	}
}
