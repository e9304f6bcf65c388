package compile

import (
	"fmt"
	"runtime"
	"testing"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
)

// BenchmarkCompile10k compiles 10,000 VirtualServices with as many Services, all
// on one host or each on its own. It reports what the plan holds beyond the
// objects, in bytes a route.
func BenchmarkCompile10k(b *testing.B) {
	const n = 10_000
	for _, c := range []struct {
		name string
		host func(i int) string
	}{
		{"one-host", func(int) string { return "*" }},
		{"host-each", func(i int) string { return fmt.Sprintf("app-%d.example.com", i) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			set := manyRoutes(n, c.host, names{"istio-system/gateway", "app-%d"})
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Compile(set, Options{}); len(problems) > 0 {
					b.Fatal(problems[0])
				}
			}
			before := heap()
			p, _ := Compile(set, Options{})
			b.ReportMetric(float64(heap()-before)/n, "plan-B/route")
			runtime.KeepAlive(p)
			runtime.KeepAlive(set)
		})
	}
}

// BenchmarkCompileMistakes compiles 10,000 VirtualServices that all name a Service,
// or a Gateway, with a slip: what is told of them must not grow with their square.
func BenchmarkCompileMistakes(b *testing.B) {
	const n = 10_000
	any := func(int) string { return "*" }
	for _, c := range []struct {
		name string
		slip names
	}{
		{"service", names{"istio-system/gateway", "ap-%d"}},
		{"gateway", names{"istio-system/gatway", "app-%d"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			set := manyRoutes(n, any, c.slip)
			for b.Loop() {
				if _, problems := Compile(set, Options{}); len(problems) != n {
					b.Fatalf("%d problems", len(problems))
				}
			}
		})
	}
}

// names is how the VirtualServices of manyRoutes name their Gateway and Service.
type names struct{ gateway, service string }

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// manyRoutes is a gateway, and n applications with a Service and a VirtualService each.
func manyRoutes(n int, host func(int) string, to names) *object.Set {
	b := &object.Builder{}
	put := func(o any) { b.Add(o, object.Origin{File: "many.yaml", Line: 1}) }
	put(testService("istio-system", "gateway", map[string]string{"istio": "gateway"}))
	put(&networkingv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: "istio-system"}, Spec: networkingv1alpha3.Gateway{
		Selector: map[string]string{"istio": "gateway"},
		Servers:  []*networkingv1alpha3.Server{{Port: &networkingv1alpha3.Port{Number: 80, Name: "http", Protocol: "HTTP"}, Hosts: []string{"*"}}},
	}})
	for i := range n {
		app := fmt.Sprintf("app-%d", i)
		put(testService("apps", app, map[string]string{"app": app}))
		put(&networkingv1.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: app, Namespace: "apps"}, Spec: networkingv1alpha3.VirtualService{
			Hosts: []string{host(i)}, Gateways: []string{to.gateway},
			Http: []*networkingv1alpha3.HTTPRoute{{
				Match:   []*networkingv1alpha3.HTTPMatchRequest{{Uri: &networkingv1alpha3.StringMatch{MatchType: &networkingv1alpha3.StringMatch_Prefix{Prefix: "/" + app + "/"}}}},
				Rewrite: &networkingv1alpha3.HTTPRewrite{Uri: "/"},
				Headers: &networkingv1alpha3.Headers{Request: &networkingv1alpha3.Headers_HeaderOperations{Set: map[string]string{"x-forwarded-prefix": "/" + app}}},
				Route:   []*networkingv1alpha3.HTTPRouteDestination{{Destination: &networkingv1alpha3.Destination{Host: fmt.Sprintf(to.service, i)}}},
			}},
		}})
	}
	return b.Build()
}

func testService(namespace, name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: corev1.ServiceSpec{
		Selector: selector, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
}

// BenchmarkCompile10kIngresses compiles 10,000 Ingresses with TLS, a host each
// or all on one host.
func BenchmarkCompile10kIngresses(b *testing.B) {
	const n = 10_000
	for _, c := range []struct {
		name string
		host func(i int) string
	}{
		{"one-host", func(int) string { return "app.example.com" }},
		{"host-each", func(i int) string { return fmt.Sprintf("app-%d.example.com", i) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var objects object.Builder
			class, prefix := "public", netv1.PathTypePrefix
			objects.Add(&netv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Spec: netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"}}, object.Origin{})
			objects.Add(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}, object.Origin{})
			for i := range n {
				host := c.host(i)
				objects.Add(&netv1.Ingress{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("app-%d", i), Annotations: map[string]string{annotationPrefix + "proxy-body-size": "8m"}},
					Spec: netv1.IngressSpec{IngressClassName: &class, TLS: []netv1.IngressTLS{{Hosts: []string{host}}},
						Rules: []netv1.IngressRule{{Host: host, IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: []netv1.HTTPIngressPath{
							{Path: fmt.Sprintf("/app-%d", i), PathType: &prefix, Backend: netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: "app", Port: netv1.ServiceBackendPort{Number: 80}}}},
						}}}}}},
				}, object.Origin{})
			}
			set := objects.Build()
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Compile(set, Options{}); len(problems) > 0 {
					b.Fatal(problems[0])
				}
			}
		})
	}
}
