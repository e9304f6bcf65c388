package compile

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// target is what a host name leads to, as a gateway in some namespace sees it: a
// Service, or the ServiceEntries of a host.
type target struct {
	host      string
	namespace string
	origin    plan.Origin
	service   *service        // nil for ServiceEntries
	entries   []*serviceEntry // the oldest first; none for a Service
	ports     []targetPort
	rule      *mergedRule // the DestinationRules that hold for it, or nil
}

// targetPort is a port that a destination can name.
type targetPort struct {
	number   uint32
	name     string
	protocol protocol
	service  *corev1.ServicePort // nil for ServiceEntries
}

// viewed names something as seen from a namespace.
type viewed struct{ host, viewer string }

// exportToAnnotation of a Service names the namespaces that see it.
const exportToAnnotation = "networking.istio.io/exportTo"

// target finds what a full host name means to gateways in namespace viewer; nil if
// it means nothing. hidden is then an object that has the name and is not exported.
func (c *compiler) target(host, viewer string) (t *target, hidden *plan.Origin) {
	k := viewed{host, viewer}
	if t := c.targets[k]; t != nil {
		return t, nil
	}
	if s := c.serviceOf(host); s != nil {
		if exported(exportTo(s.item.Object), c.mesh.exportServices, s.item.Ref.Namespace, viewer) {
			t = serviceTarget(s)
		} else {
			hidden = &plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin, Field: "metadata.annotations"}
		}
	}
	if t == nil {
		var h *plan.Origin
		if t, h = c.entryTarget(host, viewer); hidden == nil {
			hidden = h
		}
	}
	if t != nil {
		t.rule = c.findRule(t, viewer)
		c.targets[k] = t
	}
	return t, hidden
}

// serviceOf finds a Service by its full name; nil if there is none.
func (c *compiler) serviceOf(host string) *service {
	local, ok := strings.CutSuffix(host, "."+clusterDomain)
	if !ok {
		return nil
	}
	svc, namespace, _ := strings.Cut(local, ".")
	return c.service(namespace, svc)
}

func serviceTarget(s *service) *target {
	t := &target{host: s.host, namespace: s.item.Ref.Namespace, service: s, origin: plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin}}
	ports := s.item.Object.Spec.Ports
	for i := range ports {
		t.ports = append(t.ports, targetPort{uint32(ports[i].Port), ports[i].Name, servicePortProtocol(&ports[i]), &ports[i]})
	}
	return t
}

// exportTo reads the annotation of a Service; nil without one.
func exportTo(s *corev1.Service) []string {
	text := s.Annotations[exportToAnnotation]
	if text == "" {
		return nil
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// alias is the host that an ExternalName Service stands for, "" for anything
// else. Local processes attached to it are what it stands for then.
func (t *target) alias() string {
	if t.service == nil || !object.IsExternalName(t.service.item.Object) || len(t.service.attached) > 0 {
		return ""
	}
	return strings.TrimSuffix(t.service.item.Object.Spec.ExternalName, ".")
}

// port finds a port by its number; nil if there is none. UDP carries no HTTP.
func (t *target) port(number uint32) *targetPort {
	for i := range t.ports {
		if p := &t.ports[i]; p.number == number && (p.service == nil || object.PortProtocol(*p.service) != corev1.ProtocolUDP) {
			return p
		}
	}
	return nil
}

// String names the target, for messages: "Service shop/app".
func (t *target) String() string { return t.origin.Ref.String() }

// portsText tells which ports there are, for messages: "80 (http), 443".
func (t *target) portsText() string {
	var parts []string
	for _, p := range t.ports {
		text := strconv.Itoa(int(p.number))
		if p.name != "" {
			text += " (" + p.name + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "no port"
	}
	return strings.Join(parts, ", ")
}

// endpoints are the ready ones of a port whose labels fit, as endpoints of
// compiler gives them.
func (c *compiler) targetEndpoints(t *target, p *targetPort, labels map[string]string) ([]plan.Endpoint, bool) {
	if t.service != nil {
		return c.endpoints(t.service, p.service, labels)
	}
	return t.entryEndpoints(p.number, labels)
}
