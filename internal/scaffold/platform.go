package scaffold

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// What the platform's guide names, where its manifests are not at hand.
const (
	DefaultGateway         = "kubeflow/kubeflow-gateway"
	DefaultProgramsGateway = "istio-system/cluster-local-gateway"
	DefaultProgramsPrefix  = "/serving"
	DefaultHost            = "cluster.example.com"
	DefaultIngressClass    = "public"
	DefaultIssuer          = "letsencrypt-prod"
)

// Platform is what an application must know of the platform that it joins.
type Platform struct {
	// Gateway is the one that it joins, as NAMESPACE/NAME.
	Gateway string
	// Principal is who the gateway's workload is to others; or, where only that is known,
	// Namespace is where it runs.
	Principal, Namespace string
	// Host is the platform's own, which leads to the gateway under the path Path; Found says
	// that the manifests tell it.
	Host, Path string
	Found      bool
	// Via is the gateway's own Service port, as NAMESPACE/SERVICE:PORT, where the manifests have
	// no Ingress that leads to it: there the tests ask. "" is the edge.
	Via string
	// IngressClass and Issuer are for an Ingress of its own.
	IngressClass, Issuer string
	// UserHeader is the one in which the gateway tells the e-mail address of who is logged in;
	// "" if there is none.
	UserHeader string
	// Manifests are those of the platform, relative to the application's test file.
	Manifests []string
	// HasService says that the manifests have the Service of an application without an image.
	HasService bool
	// Login says that the gateway asks for one, and Shut that it also does of those who show
	// an Authorization header: logins often make an exception for it.
	Login, Shut bool
}

// NewPlatform is what is known of a gateway without manifests.
func NewPlatform(gateway string) Platform {
	workload, path := "istio-ingressgateway", ""
	if gateway == DefaultProgramsGateway {
		workload, path = "cluster-local-gateway", DefaultProgramsPrefix
	}
	return Platform{Gateway: gateway, Principal: "cluster.local/ns/istio-system/sa/" + workload + "-service-account",
		Host: DefaultHost, Path: path, IngressClass: DefaultIngressClass, Issuer: DefaultIssuer}
}

// LookAt finds out about a gateway in the platform's manifests and their plan. It fails if
// they have no such gateway.
func (f *Platform) LookAt(set *object.Set, p *plan.Plan) error {
	namespace, name, _ := strings.Cut(f.Gateway, "/")
	gateway, ok := set.Gateways.Get(namespace, name)
	if !ok {
		var have []string
		for _, g := range set.Gateways.All() {
			have = append(have, g.Ref.Namespace+"/"+g.Ref.Name)
		}
		if len(have) == 0 {
			return nil // they are a part that says nothing of gateways
		}
		return fmt.Errorf("there is no Gateway %s in the platform's manifests; there is %s", f.Gateway, strings.Join(have, ", "))
	}
	for _, l := range p.Listeners() {
		if l.Dialect != plan.Envoy {
			continue
		}
		key, _, _ := strings.Cut(l.Key, ":")
		ns, service, _ := strings.Cut(key, "/")
		if s, ok := set.Services.Get(ns, service); ok && object.Match(gateway.Object.Spec.Selector, s.Object.Spec.Selector) {
			if f.Principal, f.Namespace = l.Identity, ""; !runs(set, s.Object) {
				f.Principal, f.Namespace = "", ns
			}
			f.wayTo(l, p.Listener(plan.Edge))
			f.UserHeader = userHeader(l)
			if f.Via == "" && !l.TLS() {
				f.Via = l.Key
			}
		}
	}
	if f.Found {
		f.Via = ""
	}
	for _, item := range set.IngressClasses.All() {
		f.IngressClass = item.Ref.Name
		break
	}
	return nil
}

// userHeader finds the header that every token's e-mail address is written to.
func userHeader(l *plan.Listener) string {
	header := ""
	for _, g := range l.Guards {
		tokens, ok := g.(*plan.Tokens)
		if !ok {
			continue
		}
		for _, r := range tokens.Rules {
			i := slices.IndexFunc(r.ClaimsTo, func(c plan.ClaimHeader) bool { return slices.Equal(c.Claim, []string{"email"}) })
			if i < 0 || header != "" && header != r.ClaimsTo[i].Name {
				return "" // some would come without it, or as somebody else
			}
			header = r.ClaimsTo[i].Name
		}
	}
	return header
}

// runs tells whether the set has a workload or a Pod behind a Service: without one nothing
// says under which account it runs.
func runs(set *object.Set, s *corev1.Service) bool {
	behind := func(labels map[string]string) bool { return object.Match(s.Spec.Selector, labels) }
	return slices.ContainsFunc(set.Workloads.In(s.Namespace), func(w object.Item[*object.Workload]) bool { return behind(w.Object.PodLabels()) }) ||
		slices.ContainsFunc(set.Pods.In(s.Namespace), func(p object.Item[*corev1.Pod]) bool { return behind(p.Object.Labels) })
}

// wayTo finds the host and path at which the edge hands requests to a gateway: those
// with the shortest path, as nearest to all that it has.
func (f *Platform) wayTo(gateway, edge *plan.Listener) {
	if edge == nil {
		return
	}
	for _, c := range edge.Chains {
		for _, h := range c.Hosts {
			for _, r := range h.Routes {
				to, ok := r.Action.(*plan.Forward)
				if !ok || strings.HasPrefix(h.Name, "*") || len(to.To) == 0 || to.To[0].Backend.Next != gateway {
					continue
				}
				path := strings.TrimSuffix(r.Rule.Path.Value, "/")
				if CheckHost(h.Name) == nil && (path == "" || CheckPrefix(path) == nil) && (!f.Found || len(path) < len(f.Path)) {
					f.Host, f.Path, f.Found = h.Name, path, true
				}
			}
		}
	}
}
