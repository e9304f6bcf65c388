package check

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/object"
)

// backendProtocolMismatch: the edge speaks another protocol to a Service port than
// the port says that it does.
func backendProtocolMismatch(p *Pass) {
	const name = "nginx.ingress.kubernetes.io/backend-protocol"
	for _, ing := range p.Set.Ingresses.All() {
		protocol := strings.ToUpper(ing.Object.Annotations[name])
		if protocol == "" {
			protocol = "HTTP"
		}
		for i, r := range ing.Object.Spec.Rules {
			if r.HTTP == nil {
				continue
			}
			for j, path := range r.HTTP.Paths {
				port, ok := p.backendPort(ing, path.Backend.Service)
				says := spoken(port)
				want := spokenTo(says)
				if !ok || want == "" || fits(protocol, says) {
					continue
				}
				field := "spec.rules[" + strconv.Itoa(i) + "].http.paths[" + strconv.Itoa(j) + "].backend.service"
				p.report(fieldOf(ing, field), "the edge speaks "+protocol+" to port "+strconv.Itoa(int(port.Port))+" of Service "+path.Backend.Service.Name+
					", which says by its name or appProtocol that it speaks "+says, name+": "+want)
			}
		}
	}
}

// backendPort is the Service port that an Ingress names.
func (p *Pass) backendPort(ing object.Item[*netv1.Ingress], b *netv1.IngressServiceBackend) (corev1.ServicePort, bool) {
	if b == nil {
		return corev1.ServicePort{}, false
	}
	s, ok := p.Set.Services.Get(ing.Ref.Namespace, b.Name)
	if !ok {
		return corev1.ServicePort{}, false
	}
	for _, port := range s.Object.Spec.Ports {
		if b.Port.Name != "" && b.Port.Name == port.Name || b.Port.Name == "" && b.Port.Number == port.Port {
			return port, true
		}
	}
	return corev1.ServicePort{}, false
}

// spokenTo is the backend-protocol for a port that says what it speaks; "" where
// that tells nothing.
func spokenTo(says string) string {
	switch says {
	case "http", "http2", "grpc-web":
		return "HTTP"
	case "https":
		return "HTTPS"
	case "grpc":
		return "GRPC"
	}
	return ""
}

// fits tells whether a backend-protocol goes with what a port says.
func fits(protocol, says string) bool {
	switch protocol {
	case "HTTP":
		return says != "https" && says != "grpc"
	case "HTTPS":
		return says == "https"
	case "GRPC":
		return says == "grpc" || says == "http2"
	case "GRPCS":
		return says == "grpc" || says == "https"
	}
	return true
}
