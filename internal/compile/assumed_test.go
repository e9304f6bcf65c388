package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// Questions about files are answered as if the Pods were there that the workloads
// would make. Where something is known of real ones, nothing is assumed, and never
// without the option.
func TestAssumedPods(t *testing.T) {
	const (
		vs    = "  - route: [{destination: {host: app, subset: SUBSET}}]\n"
		rule  = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: app, namespace: shop}\nspec: {host: app, subsets: [{name: v1, labels: {version: v1}}]}"
		named = "apiVersion: v1\nkind: Service\nmetadata: {name: app, namespace: shop}\nspec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: web}]}"
		bad   = "apiVersion: v1\nkind: Service\nmetadata: {name: app, namespace: shop}\nspec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: wep}]}"
		slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: app, namespace: shop, labels: {kubernetes.io/service-name: app}}\naddressType: IPv4\n" +
			"ports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: READY}}]"
		pod   = "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: shop, labels: {app: app}}\nspec: {containers: [{name: app, image: app}]}\n"
		other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other, namespace: shop}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: []}}}"
	)
	for _, c := range []struct {
		name, subset string
		yaml         []string
		want         string
	}{
		{"a template", "", []string{deploymentYAML("", "", "")}, "pods of Deployment shop/app, port 80"},
		{"a named port", "", []string{deploymentYAML("", "", ""), named}, "pods of Deployment shop/app, port 8080"},
		{"a name that no container has", "", []string{deploymentYAML("", "", ""), bad}, ""},
		{"a subset", "v1", []string{deploymentYAML("", ", version: v1", ""), rule}, "pods of Deployment shop/app, port 80"},
		{"another subset", "v1", []string{deploymentYAML("", ", version: v2", ""), rule}, ""},
		{"no replicas", "", []string{strings.Replace(deploymentYAML("", "", ""), "spec:\n", "spec:\n  replicas: 0\n", 1)}, ""},
		{"a Pod that is written", "", []string{pod}, "Pod shop/app, port 80"},
		{"a Pod of a cluster, not ready", "", []string{pod + "status: {phase: Pending}", deploymentYAML("", "", "")}, ""},
		{"a slice", "", []string{strings.Replace(slice, "READY", "true", 1), deploymentYAML("", "", "")}, "10.0.0.1:80"},
		{"a slice, not ready", "", []string{strings.Replace(slice, "READY", "false", 1), deploymentYAML("", "", "")}, ""},
		{"another workload", "", []string{other}, ""},
		{"no workload", "", nil, "pods with app=app (not in these files), port 80"},
		{"no workload, and a name", "", []string{named}, "pods with app=app (not in these files), port web"},
		{"no workload, and a subset", "v1", []string{rule}, "pods with app=app,version=v1 (not in these files), port 80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := ground
			if slices.Contains(c.yaml, named) || slices.Contains(c.yaml, bad) {
				base = strings.Replace(ground, "{name: app, namespace: shop}", "{name: replaced, namespace: shop}", 1)
			}
			set := loadYAML(t, append([]string{base, rulesYAML(strings.Replace(vs, ", subset: SUBSET", strings.TrimSuffix(", subset: "+c.subset, ", subset: "), 1))}, c.yaml...)...)
			if got := addressesOf(t, compiled(set, Options{AssumePods: true})); got != c.want {
				t.Errorf("endpoints are %q, want %q", got, c.want)
			}
			if got := addressesOf(t, compiled(set, Options{})); strings.Contains(got, "pods") || strings.Contains(got, "Pod ") {
				t.Errorf("endpoints without the option are %q", got)
			}
		})
	}
}

// A local process is what there is, as when it is served; and the door of an assumed
// Pod is that of its template.
func TestAssumedPodsBesideLocalOnes(t *testing.T) {
	set := loadYAML(t, ground, rulesYAML("  - route: [{destination: {host: app}}]\n"), deploymentYAML("", `, sidecar.istio.io/inject: "true"`, ""))
	local := []Attached{{Namespace: "shop", Service: "app", Port: "80", Address: "127.0.0.1:8000"}}
	if got := addressesOf(t, compiled(set, Options{AssumePods: true, Endpoints: local})); got != "127.0.0.1:8000" {
		t.Errorf("endpoints are %q", got)
	}
	p := compiled(set, Options{AssumePods: true})
	if b := p.Backends()[0]; b.Sidecar == nil || b.Sidecar.Title() != "workload shop/app:80" {
		t.Errorf("the sidecar is %v", b.Sidecar)
	}
}

func compiled(set *object.Set, opts Options) *plan.Plan {
	p, _ := Compile(set, opts)
	return p
}

// addressesOf are the endpoints behind the one route of the ground's gateway.
func addressesOf(t *testing.T, p *plan.Plan) string {
	t.Helper()
	f, ok := p.Listener("istio-system/ingress:80").Chains[0].Hosts[0].Routes[0].Action.(*plan.Forward)
	if !ok {
		t.Fatal("the route does not forward")
	}
	var all []string
	for _, e := range f.To[0].Backend.Endpoints {
		all = append(all, e.Address)
	}
	return strings.Join(all, "; ")
}
