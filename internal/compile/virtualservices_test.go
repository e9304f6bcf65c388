package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

func TestRetries(t *testing.T) {
	const defaults = plan.OnConnectFailure | plan.OnRefusedStream | plan.OnGRPCUnavailable | plan.OnGRPCCancelled | plan.OnRetriableStatus
	for _, c := range []struct {
		yaml string
		want plan.Retry
	}{
		{"", plan.Retry{Attempts: 2, On: defaults, Backoff: 25 * time.Millisecond}},
		{"retries: {attempts: 0}", plan.Retry{}},
		{"retries: {attempts: 5, perTryTimeout: 1s}", plan.Retry{Attempts: 5, PerTry: time.Second, On: defaults, Backoff: 25 * time.Millisecond}},
		{`retries: {attempts: 1, retryOn: "5xx, 409,reset", backoff: 1s, retryIgnorePreviousHosts: false, retryRemoteLocalities: true}`,
			plan.Retry{Attempts: 1, On: plan.On5xx | plan.OnReset | plan.OnRetriableStatus, Codes: []int{409}, Backoff: time.Second, SameEndpoint: true}},
	} {
		r := routeOf(t, "  - route: [{destination: {host: app}}]\n    "+c.yaml+"\n")
		if got := r.Action.(*plan.Forward).Retry; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %+v, want %+v", c.yaml, got, c.want)
		}
	}
}

// Limits that a cluster takes no object for are told, though the rule serves.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		yaml, problem string // in its message; "" for none
		serves        bool
	}{
		{"timeout: 10s", "", true},
		{"timeout: 0s", "clusters do not take 0s, but 1ms or more", true},
		{"timeout: 1.0005s", "clusters take no parts of milliseconds", true},
		{"timeout: -1s", "the limit -1s is negative", false},
		{"retries: {attempts: 2, perTryTimeout: 0s}", "clusters do not take 0s", true},
	} {
		p, problems := compileYAML(t, rulesYAML("  - route: [{destination: {host: app}}]\n    "+c.yaml+"\n"))
		_, serves := p.Listener("istio-system/ingress:80").Chains[0].Hosts[0].Routes[0].Action.(*plan.Forward)
		told := ""
		for i := range problems {
			told += problems[i].Message
		}
		if serves != c.serves || (told == "") != (c.problem == "") || !strings.Contains(told, c.problem) {
			t.Errorf("%s: serves %v, want %v; problems %q, want %q", c.yaml, serves, c.serves, told, c.problem)
		}
	}
}

func TestRetriesOfTheMesh(t *testing.T) {
	p, problems := compileYAML(t, rulesYAML("  - route: [{destination: {host: app}}]\n"),
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    defaultHttpRetryPolicy: {attempts: 7, retryOn: gateway-error}\n")
	got := p.Listener("istio-system/ingress:80").Chains[0].Hosts[0].Routes[0].Action.(*plan.Forward).Retry
	if got.Attempts != 7 || got.On != plan.OnGatewayError || len(problems) > 0 {
		t.Errorf("got %+v, want 7 attempts on gateway-error; problems %v", got, problems)
	}
}

func TestMirrors(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"mirror: {host: other}", "outbound|80||other.shop.svc.cluster.local 1;"},
		{"mirror: {host: other}\n    mirrorPercent: 5", "outbound|80||other.shop.svc.cluster.local 0.05;"},
		{"mirror: {host: other}\n    mirrorPercentage: {value: 0.1}", "outbound|80||other.shop.svc.cluster.local 0.001;"},
		{"mirror: {host: other}\n    mirrorPercentage: {value: 0}", ""},
		{"mirrors: [{destination: {host: other}}, {destination: {host: app}, percentage: {value: 50}}]", "outbound|80||other.shop.svc.cluster.local 1;outbound|80||app.shop.svc.cluster.local 0.5;"},
		{"mirror: {host: ghost}", ""},
	} {
		got := ""
		for _, f := range routeOf(t, "  - route: [{destination: {host: app}}]\n    "+c.yaml+"\n").Filters {
			m := f.(*plan.Mirror)
			got += fmt.Sprintf("%s %v;", m.Backend.Key, m.Share)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.yaml, got, c.want)
		}
	}
}

func TestFiltersComeInEnvoysOrder(t *testing.T) {
	r := routeOf(t, `  - mirror: {host: other}
    headers: {response: {set: {a: b}}}
    corsPolicy: {allowOrigins: [{exact: "https://a"}]}
    fault: {abort: {httpStatus: 500, percentage: {value: 1}}}
    route: [{destination: {host: app}}]
`)
	var got []string
	for _, f := range r.Filters {
		got = append(got, fmt.Sprintf("%T", f))
	}
	if want := []string{"*plan.Fault", "*plan.CORS", "*plan.HeaderRoute", "*plan.Mirror"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRoutesKnowWhereTheyWereWritten(t *testing.T) {
	r := routeOf(t, "  - name: main\n    match: [{name: first, uri: {prefix: /a}}]\n    route: [{destination: {host: app}}]\n")
	if got, want := r.Origin.String(), "VirtualService shop/vs spec.http[0].match[0] (m.yaml:"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s...", got, want)
	}
	if r.Name != "main.first" {
		t.Errorf("got name %q, want main.first", r.Name)
	}
	if got := r.Action.(*plan.Forward).To[0].Origin.Field; got != "spec.http[0].route[0]" {
		t.Errorf("got destination at %s", got)
	}
}

func TestRegexReplacements(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{`/\1/x`, "/${1}/x", true}, {`\0`, "${0}", true}, {`$1`, "$$1", true}, {`a\\b`, `a\b`, true},
		{`\3`, "", false}, {`\`, "", false}, {`\x`, "", false},
	} {
		got, ok := goTemplate(c.in, 2)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %q, %v, want %q, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestGatewayNames(t *testing.T) {
	for _, c := range []struct{ written, want string }{
		{"gw", "shop/gw"}, {"./gw", "shop/gw"}, {"kubeflow/gw", "kubeflow/gw"},
		{"gw.kubeflow", "kubeflow/gw"}, {"gw.kubeflow.svc.cluster.local", "kubeflow/gw"}, {"", "shop/"},
	} {
		if got := gatewayName(c.written, "shop"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.written, got, c.want)
		}
	}
}

// The order in which manifests are read leaves no trace.
func TestOrderDoesNotMatter(t *testing.T) {
	docs := strings.Split(strings.TrimSpace(ground)+"\n---\n"+shuffled, "\n---\n")
	random := rand.New(rand.NewPCG(1, 2))
	want := ""
	for range 30 {
		random.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		p, problems := Compile(loadYAML(t, docs...), Options{})
		for i := range problems {
			problems[i].Line = 0
		}
		problems.Sort()
		got := describe(p) + problems.String()
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("in the order\n%s\ngot\n%s\nwant\n%s", strings.Join(docs, "\n---\n"), got, want)
		}
	}
	if !strings.Contains(want, "shop/b spec.http[0]") || !strings.Contains(want, "host-not-found") {
		t.Errorf("the plan is not what it should be:\n%s", want)
	}
}

const shuffled = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: second, namespace: shop}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example.com", "shop/*"], tls: {httpsRedirect: true}}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: ghost}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: ["*", app.example.com]
  gateways: [kubeflow/gateway, second]
  http:
  - match: [{uri: {prefix: /}}]
    route: [{destination: {host: app}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [second, kubeflow/gateway]
  http:
  - match: [{headers: {b: {exact: "1"}, a: {exact: "2"}, c: {}}, withoutHeaders: {z: {}, y: {}}, queryParams: {q: {exact: a}, p: {exact: b}}}]
    headers: {request: {set: {x: "1", y: "2"}, add: {z: "3", w: "4"}}}
    route: [{destination: {host: app}, weight: 1}, {destination: {host: ghost}, weight: 2}]
  - delegate: {name: d}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: d, namespace: shop}
spec:
  http: [{redirect: {uri: /d}}]`

// describe prints what a plan says, without lines.
func describe(p *plan.Plan) string {
	var b strings.Builder
	for _, l := range p.Listeners() {
		fmt.Fprintf(&b, "listener %s %v %d\n", l.Key, l.Form, l.TrustedHops)
		for _, c := range l.Chains {
			fmt.Fprintf(&b, " chain %v %v %s\n", c.Names, c.Closed, c.Origin.Ref)
			for _, h := range c.Hosts {
				fmt.Fprintf(&b, "  host %s\n", h.Name)
				for _, r := range h.Routes {
					fmt.Fprintf(&b, "   %s %s: %s %s", r.Origin.Ref, r.Origin.Field, r.Rule.String(), describeAction(r.Action))
					for _, f := range r.Filters {
						fmt.Fprintf(&b, " %+v", f)
					}
					b.WriteByte('\n')
				}
			}
		}
	}
	for _, k := range p.Backends() {
		fmt.Fprintf(&b, "backend %s %v\n", k.Key, k.Endpoints)
	}
	return b.String()
}

func describeAction(a plan.Action) string {
	f, ok := a.(*plan.Forward)
	if !ok {
		return fmt.Sprintf("%+v", a)
	}
	s := fmt.Sprintf("%+v %+v %s", f.Limits, f.Retry, f.Host)
	for _, d := range f.To {
		s += fmt.Sprintf(" %s %d", d.Backend.Key, d.Weight)
	}
	return s
}
