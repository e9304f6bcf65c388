package compile

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// somewhere is what destinations of the tests name, beside the ground's Services.
const somewhere = `
apiVersion: v1
kind: Service
metadata: {name: two, namespace: shop}
spec: {selector: {app: two}, ports: [{name: http, port: 8080, targetPort: 3000}, {name: grpc, port: 9090}]}
---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: shop}
spec: {selector: {app: both}, ports: [{name: admin, port: 9000}, {name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: far, namespace: depot}
spec: {selector: {app: far}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: own, namespace: shop, annotations: {networking.istio.io/exportTo: "."}}
spec: {selector: {app: own}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shared, namespace: shop, annotations: {networking.istio.io/exportTo: "., istio-system"}}
spec: {selector: {app: shared}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: shop}
spec: {selector: {app: dns}, ports: [{name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec: {type: ExternalName, externalName: far.depot.svc.cluster.local, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: api.example.com, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: set, namespace: shop}
spec: {clusterIP: None, selector: {app: set}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: set-1, namespace: shop, labels: {kubernetes.io/service-name: set}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.0.0.2]}, {addresses: [10.0.0.1]}]
`

// backendOf compiles the ground with a route to one destination, and returns its
// backend and the problems that are not about missing addresses.
func backendOf(t *testing.T, destination string, texts ...string) (*plan.Backend, problem.List) {
	t.Helper()
	texts = append([]string{ground, somewhere, rulesYAML("  - route: [{destination: " + destination + "}]\n")}, texts...)
	p, problems := Compile(loadYAML(t, texts...), Options{})
	problems = slices.DeleteFunc(problems, func(p problem.Problem) bool { return p.Code == problem.NoEndpoints })
	return onlyBackend(t, p), problems
}

func onlyBackend(t *testing.T, p *plan.Plan) *plan.Backend {
	t.Helper()
	l := p.Listener("istio-system/ingress:80")
	if l == nil || len(l.Chains[0].Hosts) != 1 || len(l.Chains[0].Hosts[0].Routes) != 1 {
		t.Fatal("there is no route, or more than one")
	}
	return l.Chains[0].Hosts[0].Routes[0].Action.(*plan.Forward).To[0].Backend
}

func addresses(b *plan.Backend) string {
	var list []string
	for _, e := range b.Endpoints {
		list = append(list, e.Address)
	}
	return strings.Join(list, " ")
}

func TestDestinations(t *testing.T) {
	const subsets = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: shop}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}, {name: v2}]}
`
	for _, c := range []struct {
		name, destination string
		key               string // of the backend
		missing           string // part of Missing
		problem           string // code and field, "" for none
		says              string // part of the message and remedy
	}{
		{"short name", "{host: app}", "outbound|80||app.shop.svc.cluster.local", "", "", ""},
		{"full name", "{host: far.depot.svc.cluster.local}", "outbound|80||far.depot.svc.cluster.local", "", "", ""},
		{"short name of another namespace", "{host: far}", "outbound|80||far.shop.svc.cluster.local", "no Service", "host-not-found host", "there is far.depot.svc.cluster.local"},
		{"two labels", "{host: far.depot}", "outbound|80||far.depot", "no Service", "host-not-found host", `did you mean "far.depot.svc.cluster.local"?`},
		{"three labels", "{host: far.depot.svc}", "outbound|80||far.depot.svc", "no Service", "host-not-found host", `did you mean "far.depot.svc.cluster.local"?`},
		{"upper case", "{host: APP}", "outbound|80||APP.shop.svc.cluster.local", "no Service", "host-not-found host", `did you mean "app.shop.svc.cluster.local"?`},
		{"a slip", "{host: far.depto.svc.cluster.local}", "outbound|80||far.depto.svc.cluster.local", "no Service", "host-not-found host", ""},
		{"the only port", "{host: app, port: {number: 80}}", "outbound|80||app.shop.svc.cluster.local", "", "", ""},
		{"one of two ports", "{host: two, port: {number: 9090}}", "outbound|9090||two.shop.svc.cluster.local", "", "", ""},
		{"no port, and the gateway's is among several", "{host: both}", "outbound|80||both.shop.svc.cluster.local", "", "port-required port", "the gateway has the same"},
		{"no port, and the gateway's is not", "{host: two}", "outbound|80||two.shop.svc.cluster.local", "names no port", "port-required port", "8080 (http), 9090 (grpc)"},
		{"an unknown port", "{host: app, port: {number: 8}}", "outbound|8||app.shop.svc.cluster.local", "has no port 8; it has 80 (http)", "port-not-found port", `did you mean "80"?`},
		{"the target's port", "{host: two, port: {number: 3000}}", "outbound|3000||two.shop.svc.cluster.local", "has no port", "port-not-found port", "did you mean 8080, which leads to it?"},
		{"UDP", "{host: dns}", "outbound|53||dns.shop.svc.cluster.local", "has no port 53", "port-not-found port", ""},
		{"hidden", "{host: own}", "outbound|0||own.shop.svc.cluster.local", "not exported to namespace istio-system", "not-exported host", `"istio-system"`},
		{"exported", "{host: shared}", "outbound|80||shared.shop.svc.cluster.local", "", "", ""},
		{"alias of a Service", "{host: alias}", "outbound|80||far.depot.svc.cluster.local", "", "", ""},
		{"alias of what nobody knows", "{host: outside}", "outbound|80||outside.shop.svc.cluster.local", "api.example.com", "host-not-found host", "write a ServiceEntry for api.example.com"},
		{"subset", "{host: app, subset: v1}", "outbound|80|v1|app.shop.svc.cluster.local", "", "", ""},
		{"an unknown subset", "{host: app, subset: v3}", "outbound|80|v3|app.shop.svc.cluster.local", "there is v1, v2", "subset-not-found subset", `did you mean "v1"?`},
		{"subset without a rule", "{host: other, subset: v1}", "outbound|80|v1|other.shop.svc.cluster.local", "there is none", "subset-not-found subset", "namespace shop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, problems := backendOf(t, c.destination, subsets)
			if c.missing == "" {
				if b.Missing != "" || b.Key != c.key {
					t.Errorf("got %q, missing %q; want %q", b.Key, b.Missing, c.key)
				}
			} else if !strings.Contains(b.Missing, c.missing) {
				t.Errorf("got missing %q, want %q in it", b.Missing, c.missing)
			}
			if c.problem == "" {
				if len(problems) > 0 {
					t.Errorf("got %v", problems)
				}
				return
			}
			if len(problems) != 1 {
				t.Fatalf("got %d problems, want one\n%v", len(problems), problems)
			}
			p := problems[0]
			if got := p.Code + " " + strings.TrimPrefix(p.Field, "spec.http[0].route[0].destination."); got != c.problem || (p.Severity == problem.Error) != (c.missing != "") {
				t.Errorf("got %s %s, want %s", p.Severity, got, c.problem)
			}
			if text := p.Message + " " + p.Remedy; !strings.Contains(text, c.says) {
				t.Errorf("got %q, want %q in it", text, c.says)
			}
			if p.File == "" || p.Line == 0 || p.Remedy == "" {
				t.Errorf("the problem lacks its place or remedy: %v", p)
			}
		})
	}
}

// A headless Service is its Pods, at their own port, in a fixed order.
func TestHeadless(t *testing.T) {
	b, problems := backendOf(t, "{host: set}")
	if got := addresses(b); got != "10.0.0.1:8080 10.0.0.2:8080" || b.DNS || len(problems) > 0 {
		t.Errorf("got %q, %v", got, problems)
	}
}

// A mistake is told at every place that makes it, and once at each.
func TestOncePerPlace(t *testing.T) {
	_, problems := Compile(loadYAML(t, ground, rulesYAML(`  - match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]
    route: [{destination: {host: ghost}, weight: 1}, {destination: {host: ghost}, weight: 1}]
  - match: [{uri: {prefix: /c}}]
    route: [{destination: {host: app}}]
    mirror: {host: ghost}
  - route: [{destination: {host: app}}]
    mirrors: [{destination: {host: ghost, port: {number: 80}}}]
`)), Options{})
	var got []string
	for _, p := range problems {
		got = append(got, p.Code+" "+p.Field)
	}
	want := []string{
		"host-not-found spec.http[0].route[0].destination.host", "host-not-found spec.http[0].route[1].destination.host",
		"host-not-found spec.http[1].mirror.host", "host-not-found spec.http[2].mirrors[0].destination.host",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// Services without an address are told where addresses are known at all; a subset
// that selects nothing, at the subset.
func TestWithoutEndpoints(t *testing.T) {
	const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: shop}
spec: {host: app, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
`
	const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: shop}
spec: {selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app, version: v1}}, spec: {containers: [{name: a, image: a}]}}}
`
	attached := func(labels map[string]string) []Attached {
		return []Attached{{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:1", Labels: labels}}
	}
	for _, c := range []struct {
		name, subset, text string
		attached           []Attached
		want               string
	}{
		{"nothing is known of addresses", "", "", nil, ""},
		{"other addresses are known", "", "", []Attached{{Namespace: "shop", Service: "other", Port: "80", Address: "127.0.0.1:1"}}, "warning no-endpoints Service shop/app spec"},
		{"attached", "", "", attached(nil), ""},
		{"subset, nothing is known", "v1", "", nil, ""},
		{"subset of a workload, beside one that none has", "v1", deployment, nil, "error subset-selects-nothing DestinationRule shop/app spec.subsets[1].labels"},
		{"subset that no workload has", "v2", deployment, nil, "error subset-selects-nothing DestinationRule shop/app spec.subsets[1].labels"},
		{"subset of an attached process", "v2", "", attached(map[string]string{"version": "v2"}), ""},
		{"subset that no process has", "v2", "", attached(nil), "error subset-selects-nothing DestinationRule shop/app spec.subsets[1].labels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts := []string{ground, rulesYAML("  - route: [{destination: {host: app, subset: \"" + c.subset + "\"}}]\n"), rule}
			if c.text != "" {
				texts = append(texts, c.text)
			}
			_, problems := Compile(loadYAML(t, texts...), Options{Endpoints: c.attached})
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%s %s %s %s", p.Severity, p.Code, p.Object, p.Field))
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("got %s\nwant %s", text, c.want)
			}
		})
	}
}

// A ServiceEntry that can have no address is a mistake wherever it is read.
func TestServiceEntryWithoutEndpoints(t *testing.T) {
	_, problems := Compile(loadYAML(t, ground, entryYAML("shop/e", "hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC")), Options{})
	if len(problems) != 1 || problems[0].Code != problem.NoEndpoints || problems[0].Field != "spec.endpoints" {
		t.Errorf("got %v", problems)
	}
}

// Whatever the order in which objects are read, the backends and the problems are
// the same; destinations that mean the same share a backend.
func TestOrderLeavesNoTrace(t *testing.T) {
	texts := append(strings.Split(ground+"\n---\n"+somewhere, "\n---\n"),
		rulesYAML(`  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: app, subset: v1}}]
  - match: [{uri: {prefix: /b}}]
    route: [{destination: {host: app.shop.svc.cluster.local, subset: v1, port: {number: 80}}}]
  - match: [{uri: {prefix: /c}}]
    route: [{destination: {host: api.example.com}}]
  - route: [{destination: {host: two, port: {number: 1}}}]
`),
		ruleYAML("shop/one", "host: app\n  subsets: [{name: v1, labels: {version: v1}}]\n  trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
		ruleYAML("shop/two", "host: app\n  subsets: [{name: v1, labels: {version: v2}}]\n  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}"),
		ruleYAML("istio-system/three", "host: \"*.local\"\n  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}"),
		ruleYAML("shop/ghost", "host: ghost"),
		entryYAML("shop/one", "hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.2}, {address: 192.0.2.1}]"),
		entryYAML("shop/two", "hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.3}]"),
	)
	all := loadYAML(t, texts...)
	var wantPlan []*plan.Backend
	var want problem.List
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		set := reordered(all, random)
		p, problems := Compile(set, Options{})
		if i == 0 {
			wantPlan, want = p.Backends(), problems
			if len(wantPlan) != 2 {
				t.Errorf("got %d backends, want 2: %v", len(wantPlan), wantPlan)
			}
			if got := addresses(wantPlan[1]); wantPlan[0].Balance != plan.Random || got != "192.0.2.1:80 192.0.2.2:80 192.0.2.3:80" {
				t.Errorf("got %v, %q", wantPlan[0].Balance, got)
			}
			continue
		}
		if !reflect.DeepEqual(p.Backends(), wantPlan) {
			t.Fatalf("the order of objects changes the backends:\n%+v\n%+v", p.Backends(), wantPlan)
		}
		if !slices.Equal(problems, want) {
			t.Fatalf("the order of objects changes the problems:\n%v\n%v", problems, want)
		}
	}
}

// reordered builds a set of the same objects, added in another order.
func reordered(all *object.Set, random *rand.Rand) *object.Set {
	var add []func(*object.Builder)
	for _, i := range all.Services.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	for _, i := range all.EndpointSlices.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	for _, i := range all.Gateways.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	for _, i := range all.VirtualServices.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	for _, i := range all.DestinationRules.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	for _, i := range all.ServiceEntries.All() {
		add = append(add, func(b *object.Builder) { b.Add(i.Object, i.Origin) })
	}
	random.Shuffle(len(add), func(i, j int) { add[i], add[j] = add[j], add[i] })
	var b object.Builder
	for _, f := range add {
		f(&b)
	}
	return b.Build()
}

// ruleYAML is a DestinationRule NAMESPACE/NAME with a spec.
func ruleYAML(name, spec string) string { return istioYAML("DestinationRule", name, spec) }

// entryYAML is a ServiceEntry NAMESPACE/NAME with a spec.
func entryYAML(name, spec string) string { return istioYAML("ServiceEntry", name, spec) }

func istioYAML(kind, name, spec string) string {
	ns, name, _ := strings.Cut(name, "/")
	return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " + ns + "}\nspec:\n  " + spec + "\n"
}
