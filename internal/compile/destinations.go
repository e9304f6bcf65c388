package compile

import (
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// destinationKey is all that decides what a destination leads to.
type destinationKey struct {
	host, subset string
	port         uint32 // 0: omitted
	gatewayPort  uint32 // of the server; 0: no gateway carries the route
	viewer       string // the namespace of the gateway workload
}

// found is what a destination leads to, and the mistake in it, if any.
type found struct {
	backend *plan.Backend
	field   string
	mistake problem.Problem // without its place
}

// destination finds what a destination leads to, never nil; what does not exist is
// Missing. A host without a dot is a Service of namespace, that of the (delegate)
// VirtualService; any other is taken as it is. The server's port counts where the
// destination names none and there are several. Its mistakes are told at field,
// further on from origin.
//
// Destinations that mean the same share one backend.
func (c *compiler) destination(d *networkingv1alpha3.Destination, namespace string, at binding, origin plan.Origin, field string) *plan.Backend {
	k := destinationKey{host: fullName(d.GetHost(), namespace), subset: d.GetSubset(), port: d.GetPort().GetNumber(), viewer: namespace}
	if at.group != nil {
		k.gatewayPort, k.viewer = at.port, at.group.workload.namespace
	}
	f, ok := c.found[k]
	if !ok {
		f = c.resolve(k)
		c.found[k] = f
	}
	if p := f.mistake; p.Code != "" {
		if p.Code == problem.NotExported && c.hiddenFrom(k.host, namespace) {
			p.Istio = "IST0101" // istioctl looks from the VirtualService's namespace
		}
		c.problems = append(c.problems, place(p, origin.Ref, origin.Origin, origin.Field+field+"."+f.field, p.Message, p.Remedy))
	}
	return f.backend
}

// resolve is destination for what was not asked before.
func (c *compiler) resolve(k destinationKey) found {
	port, host := k.port, k.host
	missing := func(code, field, message, remedy string) found {
		f := found{backend: &plan.Backend{Key: clusterName(host, port, k.subset), Missing: message}, field: field, mistake: problem.New(code)}
		f.mistake.Message, f.mistake.Remedy = message, remedy
		return f
	}
	h, hidden := c.hostService(host, k.viewer)
	switch {
	case h == nil && hidden != nil:
		where := ", where the gateway runs"
		if k.gatewayPort == 0 {
			where = ", where the VirtualService is"
		}
		return missing(problem.NotExported, "host", hidden.Ref.String()+" is not exported to namespace "+k.viewer+where,
			"let its exportTo hold "+strconv.Quote(k.viewer)+", or leave exportTo out")
	case h == nil && c.wildcardEntry(host):
		f := missing(problem.HostNotFound, "host", "a ServiceEntry has a wildcard for "+host+", which names no destination: a gateway answers 503",
			"write a ServiceEntry for "+host+" itself")
		f.mistake.Severity, f.mistake.Istio = problem.Info, "" // istioctl takes the wildcard
		return f
	case h == nil:
		return missing(problem.HostNotFound, "host", "there is no Service or ServiceEntry "+host+c.nearestHost(host),
			"name a Service as NAME.NAMESPACE."+clusterDomain+", or a host of a ServiceEntry")
	}
	if port == 0 && len(h.ports) == 1 {
		port = h.ports[0].number
	}
	if port == 0 {
		port = k.gatewayPort
	}
	if alias := h.alias(); alias != "" {
		concrete, _ := c.hostService(alias, k.viewer)
		if concrete == nil || concrete.alias() != "" {
			return missing(problem.HostNotFound, "host", h.String()+" stands for "+alias+", which is no Service or ServiceEntry",
				"write a ServiceEntry for "+alias+", resolution DNS")
		}
		h, host = concrete, alias
	}
	p := h.port(port)
	switch {
	case p == nil && port == 0 && len(h.ports) == 0:
		return found{backend: &plan.Backend{Key: clusterName(host, port, k.subset), Missing: h.String() + " has no port"}}
	case p == nil && port == 0: // no gateway carries the route: sidecars take the port that the client uses
		f := missing(problem.PortRequired, "port", "the destination names no port, and "+h.String()+" has several: "+h.portsText()+"; sidecars take the port that the client uses",
			"write port: {number: ...}")
		f.mistake.Severity = problem.Warning
		return f
	case p == nil && k.port == 0 && len(h.ports) > 1:
		return missing(problem.PortRequired, "port", "the destination names no port, and "+h.String()+" has several: "+h.portsText()+"; the gateway's own, "+
			strconv.Itoa(int(port))+", is none of them", "write port: {number: ...}")
	case p == nil:
		return missing(problem.PortNotFound, "port", h.String()+" has no port "+strconv.Itoa(int(port))+"; it has "+h.portsText()+h.nearestPort(port), "use a port of the Service")
	}
	sub := h.rule.subset(k.subset)
	if k.subset != "" && sub == nil {
		names := h.rule.subsetNames()
		return missing(problem.SubsetNotFound, "subset", "no DestinationRule for "+h.host+" defines subset "+k.subset+"; there is "+some(names, "none")+
			nearest(k.subset, names)+c.subsetElsewhere(h, k.subset, k.viewer), "define the subset in a DestinationRule of namespace "+h.namespace)
	}
	f := found{backend: c.backend(h, p, sub, k.viewer)}
	if k.port == 0 && len(h.ports) > 1 {
		f.field, f.mistake = "port", problem.New(problem.PortRequired)
		f.mistake.Severity = problem.Warning
		f.mistake.Message = "the destination names no port, and " + h.String() + " has several: " + h.portsText() + "; " + strconv.Itoa(int(port)) + " is taken because the gateway has the same"
		f.mistake.Remedy = "write port: {number: " + strconv.Itoa(int(port)) + "}"
	}
	return f
}

// hiddenFrom tells whether there is a host that a namespace does not see.
func (c *compiler) hiddenFrom(host, namespace string) bool {
	h, hidden := c.hostService(host, namespace)
	return h == nil && hidden != nil
}

// clusterName is how Istio names where requests go.
func clusterName(host string, port uint32, subset string) string {
	return "outbound|" + strconv.Itoa(int(port)) + "|" + subset + "|" + host
}

// nearestPort offers the port that was probably meant: it leads to the number, or
// is written almost like it.
func (h *hostService) nearestPort(number uint32) string {
	var have []string
	for _, p := range h.ports {
		if p.service != nil {
			if to := object.TargetPort(*p.service); uint32(to.IntValue()) == number {
				return "; did you mean " + strconv.Itoa(int(p.number)) + ", which leads to it?"
			}
		}
		have = append(have, strconv.Itoa(int(p.number)))
	}
	return nearest(strconv.Itoa(int(number)), have)
}

// backend makes the backend of a port of a target, or a subset of it (nil: none).
func (c *compiler) backend(h *hostService, p *targetPort, sub *subsetRule, viewer string) *plan.Backend {
	b := &plan.Backend{Origin: h.origin, Port: int(p.number)}
	var labels map[string]string
	if sub != nil {
		b.Subset, labels = sub.Name, sub.Labels
	}
	s := h.rule.settings(sub, p.number, c.mesh.config)
	b.Key = clusterName(h.host, p.number, b.Subset)
	memo := b.Key
	if viewer != c.mesh.rootNamespace {
		if root, _ := c.hostService(h.host, c.mesh.rootNamespace); root == nil || root.rule != h.rule || !slices.Equal(root.entries, h.entries) {
			b.Key += "|from " + viewer // a gateway of its own kind
		}
		if memo = b.Key; s.tls.GetCredentialName() != "" {
			memo += "|secrets of " + viewer
		}
	}
	if known := c.backends[memo]; known != nil {
		return known
	}
	c.backends[memo] = b
	if h.service != nil {
		b.Service = h.service.item.Ref
		b.Next = c.gatewayListener(h.namespace, b.Service.Name, int32(p.number))
	}
	if b.Next == nil {
		if h.service != nil {
			c.settle(b, h.service, p.service, labels)
		} else {
			b.Endpoints, b.DNS = h.entryEndpoints(p.number, labels)
		}
		c.noEndpoints(h, p, sub, b)
	}
	s.apply(b, p.protocol, c.mesh.config)
	b.Mutual = c.mutual(h, s, b)
	c.lintMutual(s, b, h)
	if b.TLS, b.Missing = c.upstreamTLS(h, s, viewer); b.Missing != "" {
		b.Endpoints, b.Next = nil, nil
	}
	inherit(b)
	return b
}

// noEndpoints reports why a backend has no endpoint: its subset selects nothing, or
// there is nothing behind the Service at all.
func (c *compiler) noEndpoints(h *hostService, p *targetPort, sub *subsetRule, b *plan.Backend) {
	if len(b.Endpoints) > 0 {
		return
	}
	all, _ := c.hostEndpoints(h, p, nil)
	if sub != nil {
		if some, known := c.behindSubset(h, sub.Labels); !some && (known || len(all) > 0) {
			c.selectsNothingOf(h, sub)
			return
		}
	}
	if len(all) > 0 || h.service == nil || !c.anyAddress() {
		return
	}
	port := strconv.Itoa(int(p.number))
	c.problem(problem.NoEndpoints, h.origin.Ref, h.origin.Origin, "spec", "there is no address behind port "+port+"; its requests get 503",
		"attach a process: --endpoint "+h.namespace+"/"+h.service.item.Ref.Name+":"+port+"=HOST:PORT")
}

// anyAddress tells whether anything is known of addresses. Manifests alone hold
// none, and that is no mistake of theirs.
func (c *compiler) anyAddress() bool {
	return len(c.opts.Endpoints)+c.set.EndpointSlices.Len()+c.set.Endpoints.Len()+c.set.Pods.Len() > 0
}

func labelsText(labels map[string]string) string {
	var parts []string
	for _, k := range sortedKeys(labels) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}
