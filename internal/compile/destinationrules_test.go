package compile

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

// gatewayOf is a gateway in a namespace of its own, with a Gateway edge/gateway.
const gatewayInEdge = `
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: edge}
spec: {selector: {istio: edgegateway}, ports: [{name: http2, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: edge}
spec: {selector: {istio: edgegateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: shop}
spec: {hosts: [app.example.com], gateways: [edge/gateway], http: [{route: [{destination: {host: app}}]}]}
`

// Which rule a gateway obeys: the number of retries tells the rules apart, 0 is
// none of them. The first gateway is in istio-system, the second in edge.
func TestWhichRuleHolds(t *testing.T) {
	rule := func(name, host string, retries int, rest string) string {
		return ruleYAML(name, "host: \""+host+"\"\n  trafficPolicy: {connectionPool: {http: {maxRetries: "+strconv.Itoa(retries)+"}}}\n  "+rest)
	}
	const full = "app.shop.svc.cluster.local"
	for _, c := range []struct {
		name        string
		rules       []string
		root, other int
	}{
		{"none", nil, 0, 0},
		{"short host in the Service's namespace", []string{rule("shop/a", "app", 1, "")}, 1, 1},
		{"full host", []string{rule("shop/a", full, 1, "")}, 1, 1},
		{"host with two labels", []string{rule("shop/a", "app.shop", 1, "")}, 0, 0},
		{"short host in another namespace", []string{rule("istio-system/a", "app", 1, "")}, 0, 0},
		{"root namespace", []string{rule("istio-system/a", full, 1, "")}, 1, 1},
		{"neither namespace", []string{rule("depot/a", full, 1, "")}, 0, 0},
		{"the Service's namespace before the root's", []string{rule("shop/a", "*.local", 1, ""), rule("istio-system/b", full, 2, "")}, 1, 1},
		{"the gateway's own before all", []string{rule("shop/a", full, 1, ""), rule("edge/b", full, 2, ""), rule("istio-system/c", full, 3, "")}, 1, 2},
		{"the root namespace's private rule before all", []string{rule("shop/a", full, 1, ""), rule("istio-system/b", full, 2, "exportTo: [\".\"]")}, 2, 1},
		{"private in the Service's namespace", []string{rule("shop/a", full, 1, "exportTo: [\".\"]")}, 0, 0},
		{"exported to one gateway", []string{rule("shop/a", full, 1, "exportTo: [\".\", edge]")}, 0, 1},
		{"private, and the root's for all", []string{rule("shop/a", full, 1, "exportTo: [shop]"), rule("istio-system/b", full, 2, "")}, 2, 2},
		{"exact before wildcard", []string{rule("shop/a", "*.shop.svc.cluster.local", 1, ""), rule("shop/b", full, 2, "")}, 2, 2},
		{"longest wildcard", []string{rule("shop/a", "*", 1, ""), rule("shop/b", "*.shop.svc.cluster.local", 2, ""), rule("shop/c", "*.local", 3, "")}, 2, 2},
		{"wildcard inside a label", []string{rule("shop/a", "*pp.shop.svc.cluster.local", 1, "")}, 1, 1},
		{"a wildcard elsewhere", []string{rule("shop/a", "*.depot.svc.cluster.local", 1, "")}, 0, 0},
		{"the first of a name wins", []string{rule("shop/b", full, 2, ""), rule("shop/a", "app", 1, "")}, 1, 1},
		{"the older wins", []string{strings.Replace(rule("shop/b", full, 2, ""), "{name: b", "{creationTimestamp: \"2020-01-01T00:00:00Z\", name: b", 1),
			strings.Replace(rule("shop/a", full, 1, ""), "{name: a", "{creationTimestamp: \"2021-01-01T00:00:00Z\", name: a", 1)}, 2, 2},
		{"rules that are exported otherwise stand apart", []string{rule("shop/a", full, 1, ""), rule("shop/b", full, 2, "exportTo: [\"*\"]")}, 2, 2},
		{"a rule for more namespaces joins", []string{rule("shop/a", full, 1, "exportTo: [istio-system]"), rule("shop/b", full, 2, "exportTo: [istio-system, edge]")}, 1, 0},
		{"workloadSelector", []string{rule("shop/a", full, 1, "workloadSelector: {matchLabels: {a: b}}")}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, problems := Compile(loadYAML(t, append([]string{ground, somewhere, gatewayInEdge, rulesYAML("  - route: [{destination: {host: app}}]\n")}, c.rules...)...), Options{})
			root := onlyBackend(t, p)
			other := p.Listener("edge/ingress:80").Chains[0].Hosts[0].Routes[0].Action.(*plan.Forward).To[0].Backend
			if root.Pool.MaxRetries != c.root || other.Pool.MaxRetries != c.other {
				t.Errorf("got %d and %d, want %d and %d", root.Pool.MaxRetries, other.Pool.MaxRetries, c.root, c.other)
			}
			if same := root == other; same != (root.Key == other.Key) || c.root != c.other && same {
				t.Errorf("backends %q and %q", root.Key, other.Key)
			}
			if problems.HasErrors() {
				t.Error(problems)
			}
		})
	}
}

// Several rules of a host define subsets together, each name once; the rest of a
// rule with a workloadSelector does not count, and says so.
func TestSubsetsOfSeveralRules(t *testing.T) {
	rules := []string{
		ruleYAML("shop/a", "host: app\n  subsets: [{name: v1, labels: {version: one}}]"),
		ruleYAML("shop/b", "host: app.shop.svc.cluster.local\n  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n  subsets: [{name: v1, labels: {version: other}}, {name: v2, labels: {version: two}}]"),
		ruleYAML("shop/c", "host: app\n  workloadSelector: {matchLabels: {a: b}}\n  subsets: [{name: v3}]"),
		ruleYAML("depot/d", "host: app.shop.svc.cluster.local\n  subsets: [{name: v4}]"),
		ruleYAML("shop/e", "host: app\n  exportTo: [\".\"]\n  subsets: [{name: v5}]"),
	}
	for _, c := range []struct{ subset, address, says string }{
		{"v1", "127.0.0.1:1", ""},
		{"v2", "127.0.0.1:2", ""},
		{"v3", "", "workloadSelector is not carried out"},
		{"v4", "", "DestinationRule depot/d defines it, which a gateway in namespace istio-system does not see: it looks in shop and istio-system"},
		{"v5", "", "DestinationRule shop/e defines it, which its exportTo or another rule for the host hides"},
		{"v6", "", "there is v1, v2; did you mean"},
	} {
		texts := append([]string{ground, rulesYAML("  - route: [{destination: {host: app, subset: " + c.subset + "}}]\n")}, rules...)
		p, problems := Compile(loadYAML(t, texts...), Options{Endpoints: []Attached{
			{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:1", Labels: map[string]string{"version": "one"}},
			{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:2", Labels: map[string]string{"version": "two"}},
		}})
		b := onlyBackend(t, p)
		if got := addresses(b); got != c.address || c.says == "" && b.Balance != plan.Random {
			t.Errorf("%s: got %q, %v; want %q", c.subset, got, b.Balance, c.address)
		}
		if c.says != "" && !strings.Contains(b.Missing, c.says) {
			t.Errorf("%s: got %q, want %q in it", c.subset, b.Missing, c.says)
		}
		if got := problems.HasErrors(); got != (c.says != "") {
			t.Errorf("%s: got %v", c.subset, problems)
		}
	}
}

func TestHostsOfRules(t *testing.T) {
	entry := entryYAML("shop/e", "hosts: [api.example.com, \"*.example.org\"]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: DNS\n  endpoints: [{address: x.example.net}]")
	for _, c := range []struct{ host, says string }{
		{"app", ""}, {"*.shop.svc.cluster.local", ""}, {"*", ""}, {"api.example.com", ""}, {"*.example.com", ""}, {"*.example.org", ""}, {"*.org", ""},
		{"ap", `did you mean "app.shop.svc.cluster.local"?`},
		{"app.shop", `did you mean "app.shop.svc.cluster.local"?`},
		{"far", "there is far.depot.svc.cluster.local"},
		{"*.nowhere.svc.cluster.local", ""},
		{"api.example.co", `did you mean "api.example.com"?`},
	} {
		_, problems := backendOf(t, "{host: app}", entry, ruleYAML("shop/r", "host: \""+c.host+"\""))
		var got []string
		for _, p := range problems {
			got = append(got, string(p.Severity)+" "+p.Code+" "+p.Object+" "+p.Field)
			if !strings.Contains(p.Message, c.says) {
				t.Errorf("%s: got %q, want %q in it", c.host, p.Message, c.says)
			}
		}
		var want []string
		if c.says != "" || strings.Contains(c.host, "nowhere") {
			want = []string{"warning dr-host-not-found DestinationRule shop/r spec.host"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", c.host, got, want)
		}
	}
}
