package compile

import (
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// Kubeflow's rendered objects compile without a false error, and its pages are
// where its users know them.
func TestKubeflow(t *testing.T) {
	const file = "../../../shared/kubeflow/rendered-networking.yaml"
	if _, err := os.Stat(file); err != nil {
		t.Skip("the rendered platform is not beside the repository: ", err)
	}
	set, problems, err := source.Load(t.Context(), source.Options{Files: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	pages := []struct{ target, namespace, service, upstream string }{
		{"/", "kubeflow", "centraldashboard", "/"},
		{"/jupyter/", "kubeflow", "jupyter-web-app-service", "/"},
		{"/jupyter/static/x.js?v=1", "kubeflow", "jupyter-web-app-service", "/static/x.js?v=1"},
		{"/pipeline", "kubeflow", "ml-pipeline-ui", "/pipeline"},
		{"/volumes/", "kubeflow", "volumes-web-app-service", "/"},
		{"/katib/", "kubeflow", "katib-ui", "/katib/"},
		{"/dex/auth", "auth", "dex", "/dex/auth"},
	}
	var opts Options
	for _, c := range pages {
		s, ok := set.Services.Get(c.namespace, c.service)
		if !ok {
			t.Fatalf("there is no Service %s/%s", c.namespace, c.service)
		}
		opts.Endpoints = append(opts.Endpoints, Attached{Namespace: c.namespace, Service: c.service,
			Port: strconv.Itoa(int(s.Object.Spec.Ports[0].Port)), Address: "127.0.0.1:1"})
	}
	p, more := Compile(set, opts)
	for _, got := range append(problems, more...) {
		if got.Severity == problem.Error {
			t.Error(got)
		}
	}
	walk := func(p *plan.Plan, target string) (*match.Request, *plan.Outcome) {
		gateway := p.Listener("istio-system/istio-ingressgateway:80")
		if gateway == nil {
			t.Fatalf("there is no gateway; problems: %v", more)
		}
		r := &match.Request{Peer: netip.MustParseAddr("127.0.0.1"), Major: 1, Minor: 1, Method: "GET", Host: "kubeflow.example.com", Target: target}
		var out plan.Outcome
		p.Walk(gateway, r, still{}, nil, &out)
		return r, &out
	}
	open := *set
	open.AuthorizationPolicies = object.Collection[*securityv1.AuthorizationPolicy]{}
	anyone, _ := Compile(&open, opts)
	for _, c := range pages {
		r, out := walk(anyone, c.target)
		if out.Kind != plan.ToForward {
			t.Errorf("%s: got %d: %s", c.target, out.Reply.Status, out.Reason)
			continue
		}
		if got := out.Backend.Service; got.Namespace != c.namespace || got.Name != c.service || r.Target != c.upstream {
			t.Errorf("%s: got %v %s, want %s/%s %s", c.target, got, r.Target, c.namespace, c.service, c.upstream)
		}
		if _, out := walk(p, c.target); (out.Kind == plan.ToForward) != (c.namespace == "auth") {
			t.Errorf("%s without login: got %v %d: %s", c.target, out.Kind, out.Reply.Status, out.Reason)
		}
	}
}

// still is a world in which nothing happens.
type still struct{ plan.Closed }

func (still) Now() time.Time  { return time.Unix(1700000000, 0) }
func (still) Chance() float64 { return 0.5 }
func (still) ID() [16]byte    { return [16]byte{} }
