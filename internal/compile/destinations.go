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
	backend                      *plan.Backend
	code, field, message, remedy string
}

// destination finds what a destination leads to, never nil; what does not exist is
// Missing. A host without a dot is a Service of namespace, that of the (delegate)
// VirtualService; any other is taken as it is. The server's port counts where the
// destination names none and there are several. Its mistakes are told at field,
// further on from origin.
//
// Destinations that mean the same share one backend.
func (c *compiler) destination(d *networkingv1alpha3.Destination, namespace string, at binding, origin plan.Origin, field string) *plan.Backend {
	k := destinationKey{host: fullName(d.GetHost(), namespace), subset: d.GetSubset(), port: d.GetPort().GetNumber(), viewer: c.mesh.rootNamespace}
	if at.group != nil {
		k.gatewayPort, k.viewer = at.port, at.group.workload.namespace
	}
	f, ok := c.found[k]
	if !ok {
		f = c.resolve(k)
		c.found[k] = f
	}
	if f.code != "" {
		c.problem(f.code, origin.Ref, origin.Origin, origin.Field+field+"."+f.field, f.message, f.remedy)
	}
	return f.backend
}

// resolve is destination for what was not asked before.
func (c *compiler) resolve(k destinationKey) found {
	port, host := k.port, k.host
	missing := func(code, field, message, remedy string) found {
		return found{&plan.Backend{Key: clusterName(host, port, k.subset), Missing: message}, code, field, message, remedy}
	}
	t, hidden := c.target(host, k.viewer)
	switch {
	case t == nil && hidden != nil:
		return missing(problem.NotExported, "host", hidden.Ref.String()+" is not exported to namespace "+k.viewer+", where the gateway runs",
			"let its exportTo hold "+strconv.Quote(k.viewer)+", or leave exportTo out")
	case t == nil:
		return missing(problem.HostNotFound, "host", "there is no Service or ServiceEntry "+host+c.nearestHost(host, k.viewer),
			"name a Service as NAME.NAMESPACE."+clusterDomain+", or a host of a ServiceEntry")
	}
	if port == 0 && len(t.ports) == 1 {
		port = t.ports[0].number
	}
	if port == 0 {
		port = k.gatewayPort
	}
	if alias := t.alias(); alias != "" {
		concrete, _ := c.target(alias, k.viewer)
		if concrete == nil || concrete.alias() != "" {
			return missing(problem.HostNotFound, "host", t.String()+" stands for "+alias+", which is no Service or ServiceEntry",
				"write a ServiceEntry for "+alias+", resolution DNS")
		}
		t, host = concrete, alias
	}
	p := t.port(port)
	switch {
	case p == nil && port == 0: // no gateway carries the route: sidecars would take the port that the client uses
		return found{backend: &plan.Backend{Key: clusterName(host, port, k.subset), Missing: "the destination names no port"}}
	case p == nil && k.port == 0:
		return missing(problem.PortRequired, "port", "the destination names no port, and "+t.String()+" has several: "+t.portsText()+"; the gateway's own, "+
			strconv.Itoa(int(port))+", is none of them", "write port: {number: ...}")
	case p == nil:
		return missing(problem.PortNotFound, "port", t.String()+" has no port "+strconv.Itoa(int(port))+"; it has "+t.portsText()+t.nearestPort(port), "use a port of the Service")
	}
	sub := t.rule.subset(k.subset)
	if k.subset != "" && sub == nil {
		names := t.rule.subsetNames()
		return missing(problem.SubsetNotFound, "subset", "no DestinationRule for "+t.host+" defines subset "+k.subset+"; there is "+some(names, "none")+
			nearest(k.subset, names)+c.subsetElsewhere(t, k.subset, k.viewer), "define the subset in a DestinationRule of namespace "+t.namespace)
	}
	return found{backend: c.backend(t, p, sub, k.viewer)}
}

// clusterName is how Istio names where requests go.
func clusterName(host string, port uint32, subset string) string {
	return "outbound|" + strconv.Itoa(int(port)) + "|" + subset + "|" + host
}

// nearestPort offers the port that was probably meant: it leads to the number, or
// is written almost like it.
func (t *target) nearestPort(number uint32) string {
	var have []string
	for _, p := range t.ports {
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
func (c *compiler) backend(t *target, p *targetPort, sub *subsetRule, viewer string) *plan.Backend {
	b := &plan.Backend{Origin: t.origin, Port: int(p.number)}
	var labels map[string]string
	if sub != nil {
		b.Subset, labels = sub.Name, sub.Labels
	}
	s := t.rule.settings(sub, p.number, c.mesh.config)
	b.Key = clusterName(t.host, p.number, b.Subset)
	memo := b.Key
	if viewer != c.mesh.rootNamespace {
		if root, _ := c.target(t.host, c.mesh.rootNamespace); root == nil || root.rule != t.rule || !slices.Equal(root.entries, t.entries) {
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
	if t.service != nil {
		b.Service = t.service.item.Ref
		b.Next = c.gatewayListener(t.namespace, b.Service.Name, int32(p.number))
	}
	if b.Next == nil {
		b.Endpoints, b.DNS = c.targetEndpoints(t, p, labels)
		c.noEndpoints(t, p, sub, b)
	}
	s.apply(b, p.protocol, c.mesh.config)
	if b.TLS, b.Missing = c.upstreamTLS(t, s, viewer); b.Missing != "" {
		b.Endpoints, b.Next = nil, nil
	}
	return b
}

// noEndpoints reports why a backend has no endpoint: its subset selects nothing, or
// there is nothing behind the Service at all.
func (c *compiler) noEndpoints(t *target, p *targetPort, sub *subsetRule, b *plan.Backend) {
	if len(b.Endpoints) > 0 {
		return
	}
	if all, _ := c.targetEndpoints(t, p, nil); sub != nil && !c.anyWorkload(t, sub.Labels, len(all) > 0) {
		c.problem(problem.SubsetSelectsNothing, sub.at.Ref, sub.at.Origin, sub.at.Field+".labels",
			"nothing behind "+t.String()+" has the labels "+labelsText(sub.Labels)+" of subset "+sub.Name+"; its requests get 503", "use labels that the Pods have")
		return
	} else if len(all) > 0 {
		return
	}
	remedy := "list endpoints that can be reached"
	if t.service != nil {
		remedy = "attach a process: --endpoint " + t.namespace + "/" + t.service.item.Ref.Name + ":" + strconv.Itoa(int(p.number)) + "=HOST:PORT"
	}
	c.problem(problem.NoEndpoints, t.origin.Ref, t.origin.Origin, "spec", "there is no address behind port "+strconv.Itoa(int(p.number))+"; its requests get 503", remedy)
}

// anyWorkload tells whether something behind a target has labels. Where nothing is
// known of what is behind it, it may have them; reached says that something is.
func (c *compiler) anyWorkload(t *target, labels map[string]string, reached bool) bool {
	known := reached
	if t.service != nil {
		for _, w := range c.set.Workloads.In(t.namespace) {
			if w.Object.Selects(t.service.item.Object.Spec.Selector) {
				known = true
				if object.Match(labels, w.Object.PodLabels()) {
					return true
				}
			}
		}
	}
	return !known
}

func labelsText(labels map[string]string) string {
	var parts []string
	for _, k := range sortedKeys(labels) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}
