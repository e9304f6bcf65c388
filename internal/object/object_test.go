package object

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		got  any
		want string
	}{
		{Ref{"Service", "myapp", "app"}, "Service myapp/app"},
		{Ref{"Namespace", "", "myapp"}, "Namespace myapp"},
		{Origin{"a.yaml", 3}, "a.yaml:3"},
		{Origin{"a.yaml", 0}, "a.yaml"},
	} {
		if got := c.got.(interface{ String() string }).String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestCollection(t *testing.T) {
	var b Builder
	if b.Build().Services.Len() != 0 || len(b.Build().Services.In("a")) != 0 {
		t.Error("an empty collection must be empty")
	}
	for _, name := range [][2]string{{"b", "y"}, {"a", "z"}, {"b", "x"}, {"", "d"}, {"a-b", "x"}} {
		b.Add(&corev1.Service{ObjectMeta: meta(name[0], name[1])}, Origin{"f", 1})
	}
	set := b.Build()
	var got []string
	for _, s := range set.Services.All() {
		got = append(got, s.Ref.String())
	}
	want := []string{"Service a/z", "Service a-b/x", "Service b/x", "Service b/y", "Service default/d"}
	if !slices.Equal(got, want) {
		t.Errorf("All: got %v, want %v", got, want)
	}
	if in := set.Services.In("b"); len(in) != 2 || in[0].Ref.Name != "x" || in[1].Ref.Name != "y" {
		t.Errorf("In: got %v", in)
	}
	if in := set.Services.In("c"); len(in) != 0 {
		t.Errorf("In a namespace without any: got %v", in)
	}
	d, ok := set.Services.Get("default", "d")
	if !ok || !d.NoNamespace || d.Object.Namespace != "default" {
		t.Errorf("an object without namespace is in default: got %v, %v", d, ok)
	}
	if x, _ := set.Services.Get("b", "x"); x.NoNamespace {
		t.Error("NoNamespace is set for an object with a namespace")
	}
	if _, ok := set.Services.Get("b", "z"); ok {
		t.Error("found what is not there")
	}
	allocs := testing.AllocsPerRun(100, func() {
		set.Services.Get("b", "y")
		set.Services.In("b")
	})
	if allocs != 0 {
		t.Errorf("Get and In allocate %v times", allocs)
	}
}

func TestBuilder(t *testing.T) {
	var b Builder
	pod := &corev1.Pod{ObjectMeta: meta("n", "bare")}
	deployment := &appsv1.Deployment{ObjectMeta: meta("n", "app")}
	for _, o := range []any{
		pod, deployment,
		&appsv1.StatefulSet{ObjectMeta: meta("n", "app")},
		&batchv1.CronJob{ObjectMeta: meta("n", "tick")},
		&corev1.Namespace{ObjectMeta: meta("oops", "n")},
		&netv1.IngressClass{ObjectMeta: meta("", "nginx")},
		&networkingv1.VirtualService{ObjectMeta: meta("n", "vs")},
	} {
		if ref, ok := b.Add(o, Origin{}); !ok || ref.IsZero() {
			t.Errorf("Add(%T): got %v, %v", o, ref, ok)
		}
	}
	if _, ok := b.Add(&corev1.Node{}, Origin{}); ok {
		t.Error("a Set does not hold Nodes")
	}
	b.Count("Node")
	set := b.Build()
	b.Count("Node")
	if set.Others["Node"] != 1 {
		t.Errorf("the Set changed with its builder: %v", set.Others)
	}
	if set.Len() != 7 || set.Pods.Len() != 1 || set.Workloads.Len() != 4 {
		t.Errorf("got %d objects, %d Pods, %d workloads; want 7, 1, 4", set.Len(), set.Pods.Len(), set.Workloads.Len())
	}
	if w, ok := set.Workloads.Get("n", "app"); !ok || w.Ref.Kind != "Deployment" {
		t.Errorf("of two workloads of a name: got %v", w.Ref)
	}
	if ns, ok := set.Namespaces.Get("", "n"); !ok || ns.Ref.String() != "Namespace n" {
		t.Errorf("a Namespace is in no namespace: got %v", ns.Ref)
	}
	b.Add(&networkingv1.VirtualService{ObjectMeta: meta("n", "vs")}, Origin{"later", 1})
	if vs, _ := b.Build().VirtualServices.Get("n", "vs"); vs.Origin.File != "later" {
		t.Error("the last one added must win")
	}
}

func TestOrderLeavesNoTrace(t *testing.T) {
	objects := []any{
		&corev1.Service{ObjectMeta: meta("a", "x")}, &corev1.Service{ObjectMeta: meta("b", "x")}, &corev1.Service{ObjectMeta: meta("a", "y")},
		&appsv1.Deployment{ObjectMeta: meta("a", "x")}, &appsv1.StatefulSet{ObjectMeta: meta("a", "x")}, &corev1.Pod{ObjectMeta: meta("a", "x")},
		&corev1.Namespace{ObjectMeta: meta("", "a")}, &corev1.Secret{ObjectMeta: meta("", "x")},
	}
	random := rand.New(rand.NewPCG(1, 2))
	var want *Set
	for range 10 {
		var b Builder
		for _, o := range objects {
			b.Add(o, Origin{"f", 1})
		}
		got := b.Build()
		if want == nil {
			want = got
		}
		for i := range want.Secrets.items { // the first pass filled in the namespace
			got.Secrets.items[i].NoNamespace = want.Secrets.items[i].NoNamespace
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	}
}

func TestWorkload(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	w := &Workload{Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "a", "version": "v1"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}, {Ports: []corev1.ContainerPort{{ContainerPort: 9090}}}},
			InitContainers: []corev1.Container{
				{Ports: []corev1.ContainerPort{{Name: "once", ContainerPort: 1}}},
				{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 15001}}},
			},
		},
	}}
	var ports []int32
	for p := range w.Ports() {
		ports = append(ports, p.ContainerPort)
	}
	if !slices.Equal(ports, []int32{8080, 9090, 15001}) {
		t.Errorf("Ports: got %v", ports)
	}
	if p, ok := w.Port("proxy"); !ok || p != 15001 {
		t.Errorf("Port(proxy): got %d, %v", p, ok)
	}
	if _, ok := w.Port(""); ok {
		t.Error("an unnamed port was found by the empty name")
	}
	if w.ServiceAccount() != "default" {
		t.Errorf("ServiceAccount: got %q", w.ServiceAccount())
	}
	for _, c := range []struct {
		selector map[string]string
		want     bool
	}{
		{map[string]string{"app": "a"}, true},
		{map[string]string{"app": "a", "version": "v2"}, false},
		{map[string]string{"tier": ""}, false},
		{nil, false},
	} {
		if got := w.Selects(c.selector); got != c.want {
			t.Errorf("Selects(%v): got %v", c.selector, got)
		}
	}
	if !Match(nil, w.PodLabels()) {
		t.Error("Match: an empty selector matches everything")
	}
}

func TestServiceDefaults(t *testing.T) {
	for _, c := range []struct {
		port corev1.ServicePort
		want intstr.IntOrString
	}{
		{corev1.ServicePort{Port: 80}, intstr.FromInt32(80)},
		{corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)}, intstr.FromInt32(8080)},
		{corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("http")}, intstr.FromString("http")},
		{corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("")}, intstr.FromInt32(80)},
	} {
		if got := TargetPort(c.port); got != c.want {
			t.Errorf("TargetPort(%v): got %v, want %v", c.port, got, c.want)
		}
	}
	if PortProtocol(corev1.ServicePort{}) != corev1.ProtocolTCP || PortProtocol(corev1.ServicePort{Protocol: "UDP"}) != corev1.ProtocolUDP {
		t.Error("a port without protocol is TCP")
	}
}

func BenchmarkBuild10000(b *testing.B) {
	var builder Builder
	for i := range 10_000 {
		builder.Add(&corev1.Service{ObjectMeta: meta("n", string(rune('a'+i%26))+string(rune(i)))}, Origin{})
	}
	b.ReportAllocs()
	for b.Loop() {
		builder.Build()
	}
}
