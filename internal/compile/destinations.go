package compile

import (
	"fmt"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// destination finds what a destination of a VirtualService in namespace leads to,
// never nil; what does not exist is Missing. gatewayPort is the server's port: it
// counts where the destination names none and the Service has several. at is where
// the destination is written.
func (c *compiler) destination(d *networkingv1alpha3.Destination, namespace string, gatewayPort uint32, at plan.Origin) *plan.Backend {
	host := fullName(d.GetHost(), namespace)
	svc, ok := strings.CutSuffix(host, "."+clusterDomain)
	svcName, ns, _ := strings.Cut(svc, ".")
	s := c.service(ns, svcName)
	port := d.GetPort().GetNumber()
	if port == 0 && s != nil && len(s.item.Object.Spec.Ports) == 1 {
		port = uint32(s.item.Object.Spec.Ports[0].Port)
	}
	if port == 0 {
		port = gatewayPort
	}
	key := fmt.Sprintf("outbound|%d|%s|%s", port, d.GetSubset(), host)
	missing := func(code, message, remedy string) *plan.Backend {
		c.problem(code, at.Ref, at.Origin, at.Field+".destination", message, remedy)
		return &plan.Backend{Key: key, Missing: message}
	}
	if !ok || s == nil {
		return missing(problem.HostNotFound, "there is no Service "+d.GetHost()+" ("+host+")"+nearest(svcName, c.serviceNames(ns)),
			"name a Service as NAME.NAMESPACE."+clusterDomain)
	}
	p := s.port(int32(port))
	if p == nil {
		return missing(problem.PortNotFound, fmt.Sprintf("Service %s/%s has no port %d; it has %s", ns, svcName, port, s.portsText()), "use a port of the Service")
	}
	if b := c.backends[key]; b != nil {
		return b
	}
	labels, ok := c.subset(ns, host, d.GetSubset())
	if !ok {
		return missing(problem.SubsetNotFound, "no DestinationRule defines subset "+d.GetSubset()+" of "+host, "define the subset")
	}
	b := &plan.Backend{
		Key: key, Origin: plan.Origin{Ref: s.item.Ref, Origin: s.item.Origin},
		Service: object.Ref{Kind: "Service", Namespace: ns, Name: svcName}, Port: int(port), Subset: d.GetSubset(),
		Protocol: protocolOf(p), Next: c.gatewayListener(ns, svcName, p.Port),
	}
	if b.Next == nil {
		b.Endpoints, b.DNS = c.endpoints(s, p, labels)
	}
	c.backends[key] = b
	return b
}

// subset finds the labels of a subset of a Service.
func (c *compiler) subset(namespace, host, subset string) (map[string]string, bool) {
	for _, item := range c.set.DestinationRules.In(namespace) {
		for _, s := range item.Object.Spec.Subsets {
			if fullName(item.Object.Spec.Host, namespace) == host && s.Name == subset {
				return s.Labels, true
			}
		}
	}
	return nil, subset == ""
}
