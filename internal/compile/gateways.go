package compile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// gateway is a Gateway that names itself as VirtualServices do: NAMESPACE/NAME.
type gateway struct {
	item object.Item[*networkingv1.Gateway]
	name string
	used bool // some workload with a Service has its labels
	http bool // some server of it carries HTTP
	// behind is a workload that has its labels, and no Service leads to it.
	behind *object.Workload
}

// server is one server of a Gateway as a workload carries it out.
type server struct {
	*networkingv1alpha3.Server
	gateway *gateway
	field   string // spec.servers[0]
	hosts   *serverHosts
}

// serverGroup is the servers that share one set of virtual hosts: the plain HTTP
// servers of a port, or one server with TLS (Istio's route configuration).
type serverGroup struct {
	workload *gatewayWorkload
	target   intstr.IntOrString
	tls      bool
	opaque   bool // it is no HTTP that Doorward carries out: closed
	servers  []*server
	chain    *plan.Chain
}

// readGateways turns the Gateways into listeners, one for each port of a Service
// before a gateway workload that some server binds. Their hosts come with the
// VirtualServices.
func (c *compiler) readGateways() {
	c.gateways = map[string]*gateway{}
	var all []*gateway
	for _, item := range c.set.Gateways.All() {
		g := &gateway{item: item, name: item.Ref.Namespace + "/" + item.Ref.Name}
		c.gateways[g.name], all = g, append(all, g)
	}
	slices.SortStableFunc(all, func(a, b *gateway) int { return older(a.item.Object, b.item.Object) })
	for _, w := range c.gatewayWorkloads(all) {
		if len(w.services) == 0 {
			for _, g := range w.gateways {
				g.behind = w.pods
			}
		}
		if len(w.gateways) == 0 || len(w.services) == 0 {
			continue
		}
		c.workloads = append(c.workloads, w)
		c.mergeServers(w)
		c.listen(w)
	}
	for _, g := range all {
		if !g.used {
			c.selectsNothing(g)
		}
	}
}

// mergeServers sorts the servers of all Gateways of a workload into groups, as
// Istio merges them (mergeGateways): plain HTTP servers of a port join, servers
// with TLS stand beside each other by their server names.
func (c *compiler) mergeServers(w *gatewayWorkload) {
	tlsHosts := map[intstr.IntOrString]map[string]*server{} // by target: host → the server that has it
	for _, g := range w.gateways {
		g.used = true
		for i, s := range g.item.Object.Spec.Servers {
			sv := &server{Server: s, gateway: g, field: "spec.servers[" + strconv.Itoa(i) + "]"}
			if !c.valid(sv) {
				continue
			}
			sv.hosts = newServerHosts(s.Hosts, g.item.Ref.Namespace)
			target, known := w.resolve(s.Port.Number)
			if !known {
				c.onServer(problem.GatewayPortNotOnService, sv, ".port.number",
					fmt.Sprintf("port %d is no port or targetPort of the gateway; there is %s", s.Port.Number, w.portsText()),
					"use a port of the gateway's Service, or add the port to it")
			}
			if s.Tls != nil {
				if tlsHosts[target] == nil {
					tlsHosts[target] = map[string]*server{}
				}
				if host, other := claim(tlsHosts[target], sv); other != nil {
					c.conflict(sv, other, ".hosts", fmt.Sprintf("host %s on port %d", host, s.Port.Number), "let one server serve the host")
					continue
				}
			}
			c.join(w, target, sv)
		}
	}
}

// valid tells whether a server can be carried out at all; one that a cluster would
// refuse, or that nobody could reach there, is left out and reported.
func (c *compiler) valid(sv *server) bool {
	s := sv.Server
	plain := httpProtocol(s.GetPort().GetProtocol())
	mode := s.GetTls().GetMode()
	switch {
	case s.GetPort() == nil:
		c.onServer(problem.Schema, sv, ".port", "the server has no port; it is left out", "add port: {number: 80, name: http, protocol: HTTP}")
		return false
	case len(s.Hosts) == 0:
		c.onServer(problem.Schema, sv, ".hosts", "the server has no hosts; it is left out", `add hosts: ["*"], or the names that it serves`)
		return false
	case plain && s.Tls != nil && mode != networkingv1alpha3.ServerTLSSettings_PASSTHROUGH && mode != networkingv1alpha3.ServerTLSSettings_AUTO_PASSTHROUGH:
		c.onServer(problem.Schema, sv, ".tls", "protocol "+s.Port.Protocol+" is plain text and cannot have TLS mode "+mode.String()+"; the server is left out", "use protocol HTTPS")
		return false
	}
	if s.Bind != "" {
		a, err := netip.ParseAddr(s.Bind)
		if err != nil || a.IsLoopback() {
			c.onServer(problem.NotCarriedOut, sv, ".bind", "no Service leads to "+s.Bind+"; the server is left out", "remove bind")
			return false
		}
		c.onServer(problem.NotCarriedOut, sv, ".bind", "bind is not carried out: the server is reached through the Services of its gateway", "remove it")
	}
	if s.DefaultEndpoint != "" {
		c.onServer(problem.NotCarriedOut, sv, ".defaultEndpoint", "defaultEndpoint is not carried out: the server is reached through the Services of its gateway", "remove it")
	}
	return true
}

// httpProtocol tells whether a server's protocol is HTTP in plain text.
func httpProtocol(p string) bool {
	switch strings.ToUpper(p) {
	case "HTTP", "HTTP2", "GRPC", "GRPC-WEB":
		return true
	}
	return false
}

// claim notes the hosts of a server with TLS settings, unless one is taken.
func claim(taken map[string]*server, sv *server) (host string, other *server) {
	for _, h := range sv.hosts.raw {
		if other = taken[h]; other != nil {
			return h, other
		}
	}
	for _, h := range sv.hosts.raw {
		taken[h] = sv
	}
	return "", nil
}

// conflict reports two servers that want one thing, of which the second is left out:
// on both Gateways, as either may be the wrong one.
func (c *compiler) conflict(late, first *server, field, what, remedy string) {
	name := func(sv *server) string { return "Gateway " + sv.gateway.name + " " + sv.field }
	c.onServer(problem.GatewayConflict, late, field, what+" is already taken by "+name(first)+"; this server is left out", remedy)
	if first.gateway != late.gateway {
		c.onServer(problem.GatewayConflict, first, field, what+" is wanted by "+name(late)+" too, which is left out", remedy)
	}
}

// join puts a server into the group that it belongs to.
func (c *compiler) join(w *gatewayWorkload, target intstr.IntOrString, sv *server) {
	secure, opaque := c.kindOf(w, sv)
	for _, g := range w.groups {
		if g.target != target || g.tls {
			continue
		}
		if secure || opaque != g.opaque {
			for _, first := range g.servers {
				c.conflict(sv, first, ".port.protocol", fmt.Sprintf("port %d, which %s and %s cannot share,", sv.Port.Number, sv.Port.Protocol, first.Port.Protocol),
					"give one of them another port")
			}
			return
		}
		g.servers = append(g.servers, sv)
		return
	}
	group := &serverGroup{workload: w, target: target, tls: secure, opaque: opaque, servers: []*server{sv}}
	group.chain = &plan.Chain{
		Origin: plan.Origin{Ref: sv.gateway.item.Ref, Origin: sv.gateway.item.Origin, Field: sv.field},
		Closed: opaque,
	}
	if secure {
		group.chain.Names = sv.hosts.serverNames()
		if !opaque {
			limits, closed := c.tlsLimits(sv)
			if group.chain.Limits = limits; closed {
				group.chain.Closed = true
			} else {
				group.chain.Certificate, group.chain.Closed = c.serverCertificate(w, sv)
			}
			if from, written := c.certificates[group.chain.Certificate]; written {
				group.chain.From = map[string]plan.Origin{"": from}
			}
		}
	}
	w.groups = append(w.groups, group)
}

// kindOf tells whether a server takes TLS connections, and whether what it
// speaks is carried out.
func (c *compiler) kindOf(w *gatewayWorkload, sv *server) (secure, opaque bool) {
	if httpProtocol(sv.Port.Protocol) {
		return false, false
	}
	switch strings.ToUpper(sv.Port.Protocol) {
	case "HTTPS":
		switch m := sv.Tls.GetMode(); {
		case sv.Tls == nil:
			c.onServer(problem.Schema, sv, ".tls", "a server with protocol HTTPS needs tls; it is closed", "add tls: {mode: SIMPLE, credentialName: NAME}")
			return true, true
		case m == networkingv1alpha3.ServerTLSSettings_SIMPLE:
			return true, false
		default:
			c.onServer(problem.NotCarriedOut, sv, ".tls.mode", "TLS mode "+m.String()+" is not carried out; the server refuses every connection", "use mode SIMPLE")
			return true, true
		}
	default:
		c.onServer(problem.NotCarriedOut, sv, ".port.protocol", "protocol "+sv.Port.Protocol+" is not carried out; the server refuses every connection",
			"use HTTP or HTTPS")
		return sv.Tls != nil, true
	}
}

// listen adds a listener for each Service port that leads to a group.
func (c *compiler) listen(w *gatewayWorkload) {
	door := w.secured()
	door.address = c.gatewayAddress(w)
	guards, identity, trusted := c.guards(door), c.identity(door), c.trustedHops(w)
	for _, s := range w.services {
		s.gateway = true
		for i := range s.item.Object.Spec.Ports {
			p := &s.item.Object.Spec.Ports[i]
			key := listenerKey(s.item.Ref.Namespace, s.item.Ref.Name, p.Port)
			if c.listeners[key] != nil || object.PortProtocol(*p) != "TCP" {
				continue
			}
			target := w.target(p)
			l := &plan.Listener{Key: key, Dialect: plan.Envoy, Form: c.mesh.form, Port: int(p.Port), Address: door.address, TargetPort: target.IntValue(),
				TrustedHops: trusted, Guards: guards, Identity: identity}
			for _, g := range w.groups {
				if g.target == target {
					l.Chains = append(l.Chains, g.chain)
				}
			}
			if len(l.Chains) > 0 {
				c.listeners[key] = l
			}
		}
	}
}

// secured is the workload as security objects select it.
func (w *gatewayWorkload) secured() *secured {
	door := &secured{namespace: w.namespace, labels: w.labels, gateway: true}
	for _, s := range w.services {
		door.services = append(door.services, s.item.Ref.Name)
	}
	if w.pods != nil {
		door.account = w.pods.ServiceAccount()
	}
	return door
}

func listenerKey(namespace, svc string, port int32) string {
	return namespace + "/" + svc + ":" + strconv.Itoa(int(port))
}

// gatewayListener is the listener of a gateway's Service port, nil when no
// Gateway serves there.
func (c *compiler) gatewayListener(namespace, svc string, port int32) *plan.Listener {
	return c.listeners[listenerKey(namespace, svc, port)]
}

// selectsNothing reports a Gateway that no workload carries out.
func (c *compiler) selectsNothing(g *gateway) {
	selector := g.item.Object.Spec.Selector
	var want []string
	for _, k := range slices.Sorted(maps.Keys(selector)) {
		want = append(want, k+": "+selector[k])
	}
	message := "there is no gateway workload"
	if len(want) > 0 {
		message = "no Service or workload has the labels " + strings.Join(want, ", ")
		if near := c.nearLabel(selector); near != "" {
			message += "; there is " + near
		}
	}
	if g.behind != nil {
		message = "no Service leads to the Pods of " + g.behind.Namespace + "/" + g.behind.Name + ", which have the labels"
	}
	c.problem(problem.GatewaySelectsNothing, g.item.Ref, g.item.Origin, "spec.selector", message,
		"use the labels of the gateway's Pods, as its Service selects them")
}

// nearLabel tells a gateway that can be selected instead.
func (c *compiler) nearLabel(selector map[string]string) string {
	if !c.look(c.set.Services.Len()) {
		return ""
	}
	var have []string
	for _, item := range c.set.Services.All() {
		for k := range selector {
			if v, ok := item.Object.Spec.Selector[k]; ok && (k == "istio" || strings.Contains(v, "gateway")) {
				have = append(have, "Service "+item.Ref.Namespace+"/"+item.Ref.Name+" with "+k+": "+v)
			}
		}
	}
	return some(slices.Compact(have), "")
}

// onServer reports a problem of a Gateway's server.
func (c *compiler) onServer(code string, sv *server, field, message, remedy string) {
	c.problem(code, sv.gateway.item.Ref, sv.gateway.item.Origin, sv.field+field, message, remedy)
}
