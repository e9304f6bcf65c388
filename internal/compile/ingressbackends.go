package compile

import (
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// The values of the annotation backend-protocol that are carried out.
const (
	plainHTTP = "HTTP"
	overTLS   = "HTTPS"
	grpc      = "GRPC"
	grpcTLS   = "GRPCS"
	autoHTTP  = "AUTO_HTTP"
)

// target is what a backend of the edge is made of.
type target struct{ namespace, service, port, protocol, hash string }

// backend finds or makes the backend of a location. Its key is the name that
// ingress-nginx gives the upstream, namespace-service-port; where two Services
// would share it, as a-b/c and a/b-c do, the later one is told apart.
func (e *edge) backend(l *location, protocol string) *plan.Backend {
	svc := l.backend.Service
	port := intstr.FromInt32(svc.Port.Number)
	if svc.Port.Number == 0 {
		port = intstr.FromString(svc.Port.Name)
	}
	hash := e.hash(l, l.ingress.item.Ref.Namespace+"-"+svc.Name+"-"+port.String())
	secure := l.ingress.upstreamTLS
	if secure == nil {
		secure = &plan.UpstreamTLS{Digest: "edge"}
	}
	t := target{l.ingress.item.Ref.Namespace, svc.Name, port.String(), protocol, hashName(hash) + secureName(protocol, secure)}
	if b := e.backends[t]; b != nil && b.Missing == "" {
		return b
	}
	b := &plan.Backend{Key: e.key(t), Service: object.Ref{Kind: "Service", Namespace: t.namespace, Name: t.service},
		Port: int(svc.Port.Number), Balance: plan.RoundRobin}
	if hash != nil {
		b.Balance, b.Hash = plan.BalanceHash, hash
	}
	switch protocol {
	case grpc, grpcTLS:
		b.Protocol = plan.HTTP2
	}
	switch protocol {
	case overTLS, grpcTLS:
		// Neither a name is sent nor the certificate checked (proxy-ssl-verify off).
		b.TLS = secure
	}
	e.fill(b, l, svc, port)
	e.backends[t] = b
	return b
}

// secureName tells the backends of one Service apart that are spoken to under other
// TLS settings: connections must not be shared.
func secureName(protocol string, t *plan.UpstreamTLS) string {
	if protocol != overTLS && protocol != grpcTLS || t.Digest == "edge" {
		return ""
	}
	return "-" + t.Digest[:8]
}

// key names a backend.
func (e *edge) key(t target) string {
	key := t.namespace + "-" + t.service + "-" + t.port
	if t.protocol != plainHTTP {
		key += "-" + strings.ToLower(t.protocol)
	}
	key += t.hash
	if _, again := e.backends[t]; !again && e.keys[key] {
		key = t.namespace + "/" + t.service + "-" + t.port + "-" + strings.ToLower(t.protocol) + t.hash
	}
	e.keys[key] = true
	return key
}

// fill finds the Service and its endpoints, or says why there are none.
func (e *edge) fill(b *plan.Backend, l *location, svc *netv1.IngressServiceBackend, port intstr.IntOrString) {
	ref, origin, field := l.ingress.item.Ref, l.ingress.item.Origin, l.backendField
	s := e.c.service(ref.Namespace, svc.Name)
	if s == nil {
		b.Missing = "no Service " + svc.Name + " in namespace " + ref.Namespace
		instead := ""
		if names := e.c.serviceNames(ref.Namespace); e.c.look(len(names)) {
			instead = "; there is " + some(names, "none") + nearest(svc.Name, names)
		}
		e.c.problem(problem.IngressServiceNotFound, ref, origin, field+".service.name", b.Missing+instead+"; the path answers 503",
			"name a Service of the Ingress' own namespace")
		return
	}
	b.Origin = plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin}
	if why := loopback(s.item.Object); why != "" {
		b.Missing = why
		e.c.problem(problem.IngressServiceNotFound, ref, origin, field+".service.name",
			why+"; the path answers 503", "name a host that is not this machine itself")
		return
	}
	p := edgePort(s.item.Object, port.String())
	if p == nil && object.IsExternalName(s.item.Object) && port.Type == intstr.Int {
		p = &corev1.ServicePort{Port: port.IntVal}
	}
	if p == nil {
		b.Missing = "Service " + s.item.Ref.Namespace + "/" + svc.Name + " has no port " + port.String()
		e.c.problem(problem.IngressPortNotFound, ref, origin, field+".service.port",
			b.Missing+"; it has "+s.portsText()+"; the path answers 503",
			"use a port of the Service, by its number or name")
		return
	}
	if strconv.Itoa(int(p.Port)) != port.String() && p.Name != port.String() {
		e.c.problemAs(problem.Warning, problem.IngressPortNotFound, ref, origin, field+".service.port",
			"Service "+s.item.Ref.Namespace+"/"+svc.Name+" has no port "+port.String()+"; it has "+s.portsText()+", which leads to it: ingress-nginx takes that, other controllers do not",
			"port: {number: "+strconv.Itoa(int(p.Port))+"}")
	}
	b.Port = int(p.Port)
	b.Next = e.c.gatewayListener(ref.Namespace, svc.Name, p.Port)
	if b.Next == nil {
		b.Mutual = plan.MutualNever // the controller is not in the mesh
		e.c.settle(b, s, p, nil)
		e.c.lintCaller(l, b, s)
	}
}

// edgePort finds the first port of a Service that has the given number or name,
// or the number or name of its targetPort (ingress-nginx, serviceEndpoints).
func edgePort(s *corev1.Service, want string) *corev1.ServicePort {
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		target := object.TargetPort(*p)
		if strconv.Itoa(int(p.Port)) == want || target.String() == want || p.Name == want {
			return p
		}
	}
	return nil
}

// loopback tells why an ExternalName must not be followed: it leads to this
// very machine, past everything that guards its ports.
func loopback(s *corev1.Service) string {
	if !object.IsExternalName(s) {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(s.Spec.ExternalName, "."))
	a, err := netip.ParseAddr(host)
	if err == nil && (a.Unmap().IsLoopback() || a.IsUnspecified()) || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return "the external name " + strconv.Quote(s.Spec.ExternalName) + " of Service " + s.Namespace + "/" + s.Name + " is this machine itself"
	}
	return ""
}
