package compile

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// hostService is what a host name leads to, as a gateway in some namespace sees it: a
// Service, or the ServiceEntries of a host.
type hostService struct {
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

// hostService finds what a full host name means to gateways in namespace viewer; nil if
// it means nothing. hidden is then an object that has the name and is not exported.
func (c *compiler) hostService(host, viewer string) (h *hostService, hidden *plan.Origin) {
	k := viewed{host, viewer}
	if h := c.hostServices[k]; h != nil {
		return h, nil
	}
	if s := c.serviceOf(host); s != nil {
		if exported(exportTo(s.item.Object), c.mesh.exportServices, s.item.Ref.Namespace, viewer) {
			h = serviceHost(s)
		} else {
			hidden = &plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin, Field: "metadata.annotations"}
		}
	}
	if h == nil {
		var hiddenEntry *plan.Origin
		if h, hiddenEntry = c.entryHost(host, viewer); hidden == nil {
			hidden = hiddenEntry
		}
	}
	if h != nil {
		h.rule = c.findRule(h, viewer)
		c.hostServices[k] = h
	}
	return h, hidden
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

func serviceHost(s *service) *hostService {
	h := &hostService{host: s.host, namespace: s.item.Ref.Namespace, service: s, origin: plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin}}
	ports := s.item.Object.Spec.Ports
	for i := range ports {
		h.ports = append(h.ports, targetPort{uint32(ports[i].Port), ports[i].Name, servicePortProtocol(&ports[i]), &ports[i]})
	}
	return h
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
func (h *hostService) alias() string {
	if h.service == nil || !object.IsExternalName(h.service.item.Object) || len(h.service.attached) > 0 {
		return ""
	}
	return strings.TrimSuffix(h.service.item.Object.Spec.ExternalName, ".")
}

// port finds a port by its number; nil if there is none. UDP carries no HTTP.
func (h *hostService) port(number uint32) *targetPort {
	for i := range h.ports {
		if p := &h.ports[i]; p.number == number && (p.service == nil || object.PortProtocol(*p.service) != corev1.ProtocolUDP) {
			return p
		}
	}
	return nil
}

// String names it, for messages: "Service shop/app".
func (h *hostService) String() string { return h.origin.Ref.String() }

// portsText tells which ports there are, for messages: "80 (http), 443".
func (h *hostService) portsText() string {
	var parts []string
	for _, p := range h.ports {
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

// hostEndpoints are the ready endpoints of a port whose labels fit; the second
// result tells whether they may be names.
func (c *compiler) hostEndpoints(h *hostService, p *targetPort, labels map[string]string) ([]plan.Endpoint, bool) {
	if h.service != nil {
		return c.endpoints(h.service, p.service, labels)
	}
	return h.entryEndpoints(p.number, labels)
}
