package compile

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// serviceEntry is a ServiceEntry as written.
type serviceEntry struct {
	item object.Item[*networkingv1.ServiceEntry]
	spec *networkingv1alpha3.ServiceEntry
}

// readServiceEntries files the ServiceEntries under their hosts, the oldest first.
func (c *compiler) readServiceEntries() {
	c.entries = map[string][]*serviceEntry{}
	var all []*serviceEntry
	for _, item := range c.set.ServiceEntries.All() {
		all = append(all, &serviceEntry{item, &item.Object.Spec})
	}
	slices.SortStableFunc(all, func(a, b *serviceEntry) int { return older(a.item.Object, b.item.Object) })
	for _, e := range all {
		for _, h := range e.spec.Hosts {
			c.entries[h] = append(c.entries[h], e)
		}
		c.lintEntry(e)
	}
}

// lintEntry reports what of a ServiceEntry is not carried out. Its requests are
// then answered with an error.
func (c *compiler) lintEntry(e *serviceEntry) {
	on := func(code, field, message, remedy string) {
		c.problem(code, e.item.Ref, e.item.Origin, "spec."+field, message, remedy)
	}
	switch e.spec.Resolution {
	case networkingv1alpha3.ServiceEntry_NONE, networkingv1alpha3.ServiceEntry_DYNAMIC_DNS:
		on(problem.NotCarriedOut, "resolution", "resolution "+e.spec.Resolution.String()+" is not carried out: a gateway has no address to send requests to, they get 503",
			"use STATIC with endpoints, or DNS")
	case networkingv1alpha3.ServiceEntry_STATIC:
		if len(e.spec.Endpoints) == 0 && e.spec.WorkloadSelector == nil {
			on(problem.NoEndpoints, "endpoints", "resolution STATIC without endpoints: requests get 503", "list the endpoints, or use resolution DNS")
		}
	case networkingv1alpha3.ServiceEntry_DNS, networkingv1alpha3.ServiceEntry_DNS_ROUND_ROBIN:
		for i, h := range e.spec.Hosts {
			if strings.HasPrefix(h, "*") && len(e.spec.Endpoints) == 0 && e.spec.WorkloadSelector == nil {
				on(problem.Schema, "hosts["+strconv.Itoa(i)+"]", "the wildcard "+h+" is no name that can be resolved; its requests get 503", "list endpoints, or name the hosts")
			}
		}
	}
	if e.spec.WorkloadSelector != nil {
		on(problem.NotCarriedOut, "workloadSelector", "workloadSelector is not carried out: nothing is selected, requests get 503", "list the endpoints")
	}
	for i, ep := range e.spec.Endpoints {
		field := "endpoints[" + strconv.Itoa(i) + "].address"
		switch address := ep.GetAddress(); {
		case strings.HasPrefix(address, "unix://"):
			on(problem.NotCarriedOut, field, "the socket "+address+" is not carried out; the endpoint gets no request", "use an IP address")
		case address == "":
			on(problem.NotCarriedOut, field, "an endpoint without address is not carried out; it gets no request", "write its address")
		case e.spec.Resolution == networkingv1alpha3.ServiceEntry_STATIC && !isIP(address):
			on(problem.Schema, field, strconv.Quote(address)+" is no IP address, as resolution STATIC wants; the endpoint gets no request",
				"use an IP address, or resolution DNS")
		}
	}
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// entryHost joins the ServiceEntries of a host that a namespace can see: the
// oldest decides, and those like it in its own namespace add ports and endpoints
// (Istio, canMergeServices). hidden is one that cannot be seen.
func (c *compiler) entryHost(host, viewer string) (h *hostService, hidden *plan.Origin) {
	for _, e := range c.entries[host] {
		origin := plan.Origin{Ref: e.item.Ref, Origin: e.item.Origin}
		if !exported(e.spec.ExportTo, c.mesh.exportServices, e.item.Ref.Namespace, viewer) {
			hidden = &origin
			continue
		}
		if h == nil {
			h = &hostService{host: host, namespace: e.item.Ref.Namespace, origin: origin}
		} else if first := h.entries[0]; h.namespace != e.item.Ref.Namespace || first.spec.Resolution != e.spec.Resolution {
			continue
		}
		h.entries = append(h.entries, e)
		for _, p := range e.spec.Ports {
			if p != nil && h.port(p.Number) == nil {
				h.ports = append(h.ports, targetPort{number: p.Number, name: p.Name, protocol: parseProtocol(p.Protocol)})
			}
		}
	}
	return h, hidden
}

// wildcardEntry tells whether a ServiceEntry has a wildcard for a host.
func (c *compiler) wildcardEntry(host string) bool {
	for i := strings.IndexByte(host, '.'); i >= 0; {
		if c.entries["*"+host[i:]] != nil {
			return true
		}
		next := strings.IndexByte(host[i+1:], '.')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// entryEndpoints returns the endpoints of a ServiceEntry port whose labels fit,
// sorted by address. dns says that they may be names.
func (h *hostService) entryEndpoints(number uint32, labels map[string]string) (eps []plan.Endpoint, dns bool) {
	for _, e := range h.entries {
		i := slices.IndexFunc(e.spec.Ports, func(p *networkingv1alpha3.ServicePort) bool { return p != nil && p.Number == number })
		if i < 0 {
			continue
		}
		switch e.spec.Resolution {
		case networkingv1alpha3.ServiceEntry_DNS, networkingv1alpha3.ServiceEntry_DNS_ROUND_ROBIN:
			dns = true
		case networkingv1alpha3.ServiceEntry_STATIC:
		default:
			continue
		}
		eps = append(eps, e.endpoints(h.host, e.spec.Ports[i], labels, dns)...)
	}
	slices.SortStableFunc(eps, func(a, b plan.Endpoint) int { return cmp.Compare(a.Address, b.Address) })
	return slices.CompactFunc(eps, func(a, b plan.Endpoint) bool { return a.Address == b.Address }), dns
}

// endpoints are those of one port; without any listed, resolution DNS means the
// host itself.
func (e *serviceEntry) endpoints(host string, p *networkingv1alpha3.ServicePort, labels map[string]string, dns bool) []plan.Endpoint {
	port := p.Number
	if p.TargetPort != 0 {
		port = p.TargetPort
	}
	origin := plan.Origin{Ref: e.item.Ref, Origin: e.item.Origin}
	if len(e.spec.Endpoints) == 0 {
		if !dns || e.spec.WorkloadSelector != nil || len(labels) > 0 || strings.HasPrefix(host, "*") {
			return nil
		}
		origin.Field = "spec.hosts"
		return []plan.Endpoint{{Address: hostPort(host, int32(port)), Origin: origin}}
	}
	var all []plan.Endpoint
	for i, ep := range e.spec.Endpoints {
		address := ep.GetAddress()
		if address == "" || strings.HasPrefix(address, "unix://") || !dns && !isIP(address) || !object.Match(labels, ep.GetLabels()) {
			continue
		}
		number := port
		if own := ep.Ports[p.Name]; own != 0 {
			number = own
		}
		origin.Field = "spec.endpoints[" + strconv.Itoa(i) + "]"
		all = append(all, plan.Endpoint{Address: hostPort(address, int32(number)), Weight: ep.Weight, Origin: origin})
	}
	return all
}
