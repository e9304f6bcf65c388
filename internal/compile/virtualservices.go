package compile

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// virtualService is a VirtualService with its names resolved.
type virtualService struct {
	item  object.Item[*networkingv1.VirtualService]
	hosts []string // full names in lower case; none for a delegate
	built bool     // some listener, or the lint, has read its rules
}

func (v *virtualService) namespace() string { return v.item.Ref.Namespace }

// readVirtualServices gives the gateway listeners their hosts and routes.
func (c *compiler) readVirtualServices() {
	c.byGateway = map[string][]*virtualService{}
	c.delegates = map[name]*virtualService{}
	c.bound = map[built]bool{}
	var all []*virtualService
	for _, item := range c.set.VirtualServices.All() {
		v := &virtualService{item: item}
		all = append(all, v)
		for _, h := range item.Object.Spec.Hosts {
			v.hosts = append(v.hosts, strings.ToLower(c.virtualHost(v, h)))
		}
		if len(v.hosts) == 0 {
			c.delegates[name{item.Ref.Namespace, item.Ref.Name}] = v
		}
	}
	slices.SortStableFunc(all, func(a, b *virtualService) int { return older(a.item.Object, b.item.Object) })
	for _, v := range all {
		c.bind(v)
	}
	for _, w := range c.workloads {
		for _, g := range w.groups {
			if !g.opaque {
				c.buildHosts(g)
			}
		}
	}
	c.lint(all)
}

// virtualHost is the full name of a host of a VirtualService.
func (c *compiler) virtualHost(v *virtualService, h string) string {
	if _, err := netip.ParseAddr(h); err == nil {
		return h
	}
	if strings.ContainsFunc(h, notInHost) || strings.LastIndexByte(h, '*') > 0 {
		c.onVS(problem.Schema, v, "spec.hosts", strconv.Quote(h)+" is no host name; it gets no request", "write a name without scheme, port and path, or *.SUFFIX")
	}
	if strings.HasPrefix(h, "*") && h != "*" && !strings.HasPrefix(h, "*.") {
		c.onVS(problem.NotCarriedOut, v, "spec.hosts", "the wildcard "+h+" inside a label is not carried out; the host gets no request", "use *."+h[1:]+", or exact names")
	}
	return fullName(h, v.namespace())
}

// notInHost tells a letter that no host name has.
func notInHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._*", r))
}

// bind files a VirtualService under the Gateways that it names; without any it is
// for the mesh alone.
func (c *compiler) bind(v *virtualService) {
	if len(v.hosts) == 0 {
		return
	}
	seen := map[string]bool{}
	for i, written := range v.item.Object.Spec.Gateways {
		if written == "mesh" {
			continue
		}
		gw := gatewayName(written, v.namespace())
		if c.gateways[gw] == nil {
			c.gatewayNotFound(v, "spec.gateways["+strconv.Itoa(i)+"]", written, gw)
			continue
		}
		if !seen[gw] {
			seen[gw] = true
			c.byGateway[gw] = append(c.byGateway[gw], v)
		}
	}
}

// gatewayName resolves how a VirtualService names a Gateway: "ns/name", "./name",
// "name" of its own namespace, or the old form "name.ns.svc.cluster.local"
// (Istio, resolveGatewayName).
func gatewayName(s, namespace string) string {
	if ns, rest, ok := strings.Cut(s, "/"); ok {
		if ns == "." {
			return namespace + "/" + rest
		}
		return s
	}
	local, rest, ok := strings.Cut(s, ".")
	if !ok {
		return namespace + "/" + s
	}
	ns, _, _ := strings.Cut(rest, ".")
	return ns + "/" + local
}

func (c *compiler) gatewayNotFound(v *virtualService, field, written, resolved string) {
	message, remedy := "there is no Gateway "+resolved, "name a Gateway as NAMESPACE/NAME"
	if !c.look(c.set.Gateways.Len()) {
		c.onVS(problem.GatewayNotFound, v, field, message, remedy)
		return
	}
	var have, same []string
	_, local, _ := strings.Cut(resolved, "/")
	for _, item := range c.set.Gateways.All() {
		full := item.Ref.Namespace + "/" + item.Ref.Name
		have = append(have, full)
		if item.Ref.Name == local {
			same = append(same, full)
		}
	}
	if near, ok := problem.Nearest(resolved, have); len(same) == 0 && ok {
		same = []string{near}
	}
	if len(same) > 0 {
		remedy = "write " + same[0]
		message += "; there is " + some(same, "")
	} else {
		message += "; there is " + some(have, "none at all")
	}
	if !strings.Contains(written, "/") {
		message += " (a name without a slash is looked up in the VirtualService's own namespace)"
	}
	c.onVS(problem.GatewayNotFound, v, field, message, remedy)
}

// servedBy returns the VirtualServices of a Gateway that a workload's namespace
// can see, in Istio's order: those for that namespace alone, those exported to
// it by name, then those for all (VirtualServicesForGateway).
func (c *compiler) servedBy(gw *gateway, w *gatewayWorkload) []*virtualService {
	var seen []*virtualService
	for _, v := range c.byGateway[gw.name] {
		if exported(v.item.Object.Spec.ExportTo, c.mesh.exportVirtualServices, v.namespace(), w.namespace) {
			seen = append(seen, v)
			continue
		}
		c.bound[built{v, gw}] = true // told here
		c.onVS(problem.NotExported, v, "spec.exportTo",
			"exportTo hides it from namespace "+w.namespace+", where the gateway workload of Gateway "+gw.name+" runs; it gets no request there",
			"add "+strconv.Quote(w.namespace)+" to exportTo, or leave exportTo out")
	}
	slices.SortStableFunc(seen, func(a, b *virtualService) int {
		return cmp.Compare(c.exportRank(a, w.namespace), c.exportRank(b, w.namespace))
	})
	return seen
}

func (c *compiler) exportRank(v *virtualService, namespace string) int {
	to := v.item.Object.Spec.ExportTo
	if len(to) == 0 {
		to = c.mesh.exportVirtualServices
	}
	switch {
	case len(to) == 0 || slices.Contains(to, "*"):
		return 2
	case v.namespace() == namespace:
		return 0
	}
	return 1
}

// buildHosts makes the virtual hosts of a group of servers: one for each name that
// a server and a VirtualService share, its routes concatenated in order, what takes
// every request at the end (Istio, buildGatewayHTTPRouteConfig).
func (c *compiler) buildHosts(g *serverGroup) {
	hosts := map[string]*builtHost{}
	at := func(name string) *builtHost {
		h := hosts[name]
		if h == nil {
			h = &builtHost{Host: &plan.Host{Name: name}, from: map[built]bool{}}
			hosts[name] = h
		}
		return h
	}
	served := map[*gateway][]*virtualService{}
	routes := map[built][]*plan.Route{}
	for _, sv := range g.servers {
		vss, ok := served[sv.gateway]
		if !ok {
			vss = c.servedBy(sv.gateway, g.workload)
			served[sv.gateway] = vss
		}
		sv.gateway.http = true
		var redirect *plan.Origin // of the server that asks for https
		if sv.Tls.GetHttpsRedirect() {
			redirect = &plan.Origin{Ref: sv.gateway.item.Ref, Origin: sv.gateway.item.Origin, Field: sv.field}
		}
		for _, v := range vss {
			key := built{v, sv.gateway}
			for _, h := range v.hosts {
				sv.hosts.shared(h, v.namespace(), func(name string) {
					rs, ok := routes[key]
					if !ok {
						rs = c.buildRoutes(v, binding{group: g, gateway: sv.gateway.name, port: sv.Port.Number, tls: sv.Tls != nil})
						routes[key] = rs
						c.bound[key] = true
					}
					if len(rs) > 0 { // without a rule for this place there is no host, and a wider one counts
						at(name).add(key, rs, redirect)
					}
				})
			}
		}
		if redirect != nil {
			for name := range sv.hosts.names {
				at(name).add(built{}, nil, redirect)
			}
		}
	}
	for _, h := range hosts {
		g.chain.Hosts = append(g.chain.Hosts, h.finish())
	}
	slices.SortFunc(g.chain.Hosts, func(a, b *plan.Host) int { return cmp.Compare(a.Name, b.Name) })
}

// built names the routes of a VirtualService as bound to one Gateway.
type built struct {
	*virtualService
	gateway *gateway
}

// builtHost is a host in the making.
type builtHost struct {
	*plan.Host
	from     map[built]bool
	redirect *plan.Origin // of the server that wants the redirect to https
}

func (h *builtHost) add(key built, routes []*plan.Route, redirect *plan.Origin) {
	h.redirect = cmp.Or(h.redirect, redirect)
	if h.from[key] {
		return
	}
	h.from[key] = true
	h.Routes = append(h.Routes, routes...)
}

// finish moves what takes every request to the end, and puts the redirect to
// https before everything.
func (h *builtHost) finish() *plan.Host {
	slices.SortStableFunc(h.Routes, func(a, b *plan.Route) int { return last(a) - last(b) })
	if h.redirect != nil {
		plain := match.Condition{Attr: match.Scheme, Text: match.Text{Op: match.Exact, Value: "http"}}
		h.Routes = append([]*plan.Route{{
			Origin: *h.redirect, Rule: match.Rule{All: []match.Condition{plain}}, Place: "httpsRedirect comes first",
			Action: &plan.Redirect{Code: 301, Scheme: "https", KeepHost: true},
		}}, h.Routes...)
	}
	return h.Host
}

func last(r *plan.Route) int {
	if catchAll(&r.Rule) {
		return 1
	}
	return 0
}

// catchAll tells whether a rule takes every request in Istio's eyes: prefix / or
// regex .* alone.
func catchAll(u *match.Rule) bool {
	return len(u.All) == 0 && (u.Path.Op == match.Prefix && u.Path.Value == "/" || u.Path.Op == match.Regex && u.Path.Value == ".*")
}

// lint reads the rules of the VirtualServices that no listener has read, so that
// their mistakes are told as well, and reports the bindings that serve nothing.
func (c *compiler) lint(all []*virtualService) {
	for _, gw := range c.gateways {
		for _, v := range c.byGateway[gw.name] {
			if gw.http && !c.bound[built{v, gw}] || !gw.used && !gw.serves(v) {
				c.hostNotInGateway(v, gw)
			}
		}
	}
	for _, v := range all {
		spec := &v.item.Object.Spec
		if len(spec.Tls) > 0 {
			c.onVS(problem.NotCarriedOut, v, "spec.tls", "tls routes are not carried out yet", "terminate TLS at the gateway and use http routes")
		}
		if len(spec.Tcp) > 0 {
			c.onVS(problem.NotCarriedOut, v, "spec.tcp", "tcp routes are not carried out yet", "use http routes")
		}
		if !v.built {
			if routes := c.buildRoutes(v, binding{}); len(v.hosts) > 0 {
				c.unserved = append(c.unserved, &plan.Host{Name: v.hosts[0], Routes: routes})
			}
		}
	}
}

// serves tells whether some server of a Gateway has a host of a VirtualService.
func (gw *gateway) serves(v *virtualService) bool {
	found := false
	for _, s := range gw.item.Object.Spec.Servers {
		hosts := newServerHosts(s.GetHosts(), gw.item.Ref.Namespace)
		for _, h := range v.hosts {
			hosts.shared(h, v.namespace(), func(string) { found = true })
		}
	}
	return found
}

// onVS reports a problem of a VirtualService.
func (c *compiler) onVS(code string, v *virtualService, field, message, remedy string) {
	c.problem(code, v.item.Ref, v.item.Origin, field, message, remedy)
}

// hostNotInGateway reports a VirtualService none of whose hosts a Gateway serves.
func (c *compiler) hostNotInGateway(v *virtualService, gw *gateway) {
	var have []string
	for _, s := range gw.item.Object.Spec.Servers {
		have = append(have, s.Hosts...)
	}
	c.onVS(problem.VSHostNotInGateway, v, "spec.hosts",
		"Gateway "+gw.name+" serves none of the hosts "+some(v.item.Object.Spec.Hosts, "")+" for namespace "+v.namespace()+"; it serves "+some(have, "no host"),
		"use a host that the Gateway serves, or add the host to a server of the Gateway")
}
