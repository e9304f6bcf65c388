// Package plan is the heart of Doorward: what the manifests mean, compiled, and
// the one function that walks it.
//
// A Plan is immutable. It is made by package compile through a Builder and read
// by everything: the proxy serves by it, explain, test and check print it. Walk
// takes a request through the listeners (hops) that the platform's layers would
// be, one after the other, and returns an Outcome: what to do with the request
// and which rule decided so.
//
//	Plan ─ Listener (hop) ─ Chain (by TLS server name) ─ Host ─ Route ─┬─ Guards   may refuse
//	                                                                  ├─ Filters  edit, may answer
//	                                                                  └─ Action   Forward · Redirect · Direct
//	Forward ─ Destination (weighted) ─ Backend ─┬─ endpoints of a Service port or subset
//	                                            └─ Next: the listener of the next hop
package plan

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
)

// Plan is everything that a set of manifests means. It never changes.
type Plan struct {
	listeners []*Listener
	byKey     map[string]*Listener
	backends  []*Backend
	unserved  []*Host
}

// Listener returns the listener called key: "edge"; a gateway's Service port, or
// that of a workload with a sidecar, as NAMESPACE/SERVICE:PORT; or the sidecar
// itself as "workload NAMESPACE/SERVICE:PORT". It is nil where there is none.
func (p *Plan) Listener(key string) *Listener { return p.byKey[key] }

// Listeners returns all listeners, the edge first, the others by key.
func (p *Plan) Listeners() []*Listener { return p.listeners }

// Unserved returns the rules of VirtualServices that no gateway carries out, each
// under its first host: they are for checks alone.
func (p *Plan) Unserved() []*Host { return p.unserved }

// Backends returns every backend that some route can forward to, by key.
func (p *Plan) Backends() []*Backend { return p.backends }

// Logins returns the logins that some listener can ask, in the order of the listeners.
func (p *Plan) Logins() []*LoginProvider {
	var all []*LoginProvider
	for _, l := range p.listeners {
		for _, g := range l.Guards {
			if g, ok := g.(*Login); ok && g.Broken == "" && !slices.Contains(all, g.Provider) {
				all = append(all, g.Provider)
			}
		}
	}
	return all
}

// Edge is the key of the listener that stands for the Ingress controller.
const Edge = "edge"

// Origin says where a rule was written.
type Origin struct {
	Ref    object.Ref
	Origin object.Origin
	// Field is the place in the object, such as "spec.http[1].match[0]".
	Field string
}

// String prints "VirtualService myapp/myapp-vs spec.http[1] (vs.yaml:12)".
func (o Origin) String() string {
	if o.Ref.Kind == "" {
		return "built in"
	}
	s := o.Ref.String()
	if o.Field != "" {
		s += " " + o.Field
	}
	if o.Origin.File != "" {
		s += " (" + o.Origin.String() + ")"
	}
	return s
}

// Dialect is the layer that a listener stands for. It decides how a request is
// read and edited on the way in and out, and how failures are told.
type Dialect uint8

const (
	// NGINX is ingress-nginx, the edge.
	NGINX Dialect = iota
	// Envoy is an Istio gateway.
	Envoy
	// Sidecar is a workload's own proxy: the last hop before the application.
	Sidecar
	// Service is a Service's port as callers without a sidecar reach it: it
	// changes nothing.
	Service
)

// String is the name that users know the layer by.
func (d Dialect) String() string {
	return [...]string{"edge", "gateway", "workload", "service"}[d]
}

// Listener is one hop: the edge, one port of a gateway workload, or the door of
// any other workload.
type Listener struct {
	Key     string
	Dialect Dialect
	Form    match.Form
	// Port is the number that the listener's layer believes to listen on, as
	// Location headers tell it.
	Port int
	// Chains are the servers of the listener. A plain connection takes the
	// first chain without server names; a TLS connection the one that fits its
	// server name best.
	Chains []*Chain
	// Guards judge every request before its host and route are chosen, in the
	// order of the layer: external authorizers, tokens, policies.
	Guards []Guard
	// Identity is who the workload is to others: TRUSTDOMAIN/ns/NS/sa/SA; "" nobody.
	Identity string
	// Address and TargetPort are the Pod's, by which policies know the workload; the
	// address is mostly not known.
	Address    netip.Addr
	TargetPort int
	// TrustedHops is how many proxies before this one are believed in
	// X-Forwarded-For and -Proto (MeshConfig gatewayTopology.numTrustedProxies).
	TrustedHops int
	// Edge holds the settings that only the edge has; nil elsewhere.
	Edge *EdgeSettings
	// Door holds those that only a sidecar has; nil elsewhere.
	Door *Door
}

// Title is what people call the listener: "edge", "gateway istio-system/gateway:80",
// "workload shop/app:80".
func (l *Listener) Title() string {
	if name := l.Dialect.String(); !strings.HasPrefix(l.Key, name) {
		return name + " " + l.Key
	}
	return l.Key
}

// Chain is the hosts behind one or more server names of a listener.
type Chain struct {
	Origin Origin
	// Names are the TLS server names, exact or "*.suffix" or "*"; none means
	// plain text.
	Names []string
	// Closed refuses every connection: TLS settings that cannot be honoured
	// must not be served in a weaker way.
	Closed bool
	// Limits are the versions and cipher suites of a TLS chain.
	Limits TLSLimits
	// Certificate is what a TLS chain shows unless Hosts bring their own
	// (Certificates).
	Certificate *tls.Certificate
	// Certificates by server name, exact or "*.suffix" (one label), for the edge.
	Certificates map[string]*tls.Certificate
	// From tells where certificates were written, by server name; that of
	// Certificate is under "".
	From  map[string]Origin
	Hosts []*Host

	hosts hostIndex
}

// Host is one virtual host: a host name and its routes in their final order.
type Host struct {
	// Name is exact, "*.suffix" or "*".
	Name   string
	Routes []*Route

	routes routeIndex
}

// Find returns the route that takes a request in the listener's normal form, as a
// walk would; nil where none does.
func (h *Host) Find(r *match.Request) *Route { return h.routes.find(h.Routes, r) }

// Route is one rule and what happens to the requests that it takes.
type Route struct {
	Origin  Origin
	Name    string // the name that the manifest gives it, if any
	Rule    match.Rule
	Guards  []Guard
	Filters []Filter
	Action  Action
	// Place tells why the route stands where it does among the others of its
	// host, for people; "" means as written.
	Place string
	// Memo is made by Builder.Build.
	Memo *Memo
}

// Builder makes a Plan.
type Builder struct {
	listeners []*Listener
	unserved  []*Host
}

// Leave notes rules that no listener carries out.
func (b *Builder) Leave(h *Host) { b.unserved = append(b.unserved, h) }

// Add appends a listener. Its chains, hosts and routes must not change afterwards.
func (b *Builder) Add(l *Listener) { b.listeners = append(b.listeners, l) }

// Build indexes what was added and returns the plan. Routes keep their order.
func (b *Builder) Build() *Plan {
	p := &Plan{byKey: make(map[string]*Listener, len(b.listeners)), unserved: b.unserved}
	sort.SliceStable(b.listeners, func(i, j int) bool {
		a, c := b.listeners[i], b.listeners[j]
		if (a.Key == Edge) != (c.Key == Edge) {
			return a.Key == Edge
		}
		return a.Key < c.Key
	})
	seen := map[*Backend]bool{}
	for _, l := range b.listeners {
		p.listeners = append(p.listeners, l)
		p.byKey[l.Key] = l
		if l.Door != nil {
			l.Door.certificate = "By=spiffe://" + l.Identity + `;Subject="";URI=spiffe://`
		}
		for _, g := range l.Guards {
			if x, ok := g.(*External); ok && x.Provider != nil {
				p.collect(x.Provider.Backend, seen)
			}
		}
		for _, c := range l.Chains {
			c.hosts.build(c.Hosts, l.Dialect)
			for _, h := range c.Hosts {
				h.routes.build(h.Routes)
				for _, r := range h.Routes {
					r.Memo = new(Memo)
					p.collectRoute(r, seen)
				}
			}
		}
	}
	sort.Slice(p.backends, func(i, j int) bool { return p.backends[i].Key < p.backends[j].Key })
	return p
}

// collectRoute keeps the backends of a route.
func (p *Plan) collectRoute(r *Route, seen map[*Backend]bool) {
	if f, ok := r.Action.(*Forward); ok {
		for i := range f.To {
			p.collect(f.To[i].Backend, seen)
		}
	}
	p.collectGuards(r.Guards, seen)
	for _, f := range r.Filters {
		if m, ok := f.(*Mirror); ok {
			p.collect(m.Backend, seen)
		}
	}
}

// collectGuards keeps the backends of those whom the edge asks.
func (p *Plan) collectGuards(guards []Guard, seen map[*Backend]bool) {
	for _, g := range guards {
		switch g := g.(type) {
		case *EdgeAuth:
			p.collect(g.Provider.Backend, seen)
		case *AnyOf:
			p.collectGuards(g.Guards, seen)
		}
	}
}

func (p *Plan) collect(b *Backend, seen map[*Backend]bool) {
	if b == nil || b.Next != nil || b.Missing != "" || seen[b] {
		return
	}
	seen[b] = true
	p.backends = append(append(p.backends, b), b.Split...)
}

// chain picks the chain for a connection: by server name for TLS, the first
// plain one otherwise.
func (l *Listener) chain(secure bool, sni string) *Chain {
	if l.Dialect == NGINX && len(l.Chains) > 0 {
		return l.Chains[0]
	}
	var best *Chain
	score := -1
	for _, c := range l.Chains {
		if !secure {
			if len(c.Names) == 0 {
				return c
			}
			continue
		}
		for _, n := range c.Names {
			if s := nameScore(n, sni); s > score {
				best, score = c, s
			}
		}
	}
	return best
}

// RouteOf returns the host and the route that would take a request which has entered the
// listener (in a walk that a guard has ended), for tools; nil where there is none.
func (l *Listener) RouteOf(r *match.Request) (*Host, *Route) {
	c := l.chain(r.Secure, r.SNI)
	if c == nil {
		return nil, nil
	}
	h := c.hosts.find(l.hostName(r))
	if h == nil {
		return nil, nil
	}
	return h, h.Find(r)
}

// nameScore tells how closely pattern (exact, "*.suffix", "*") fits name: -1 not
// at all, otherwise the longer the better, exact best.
func nameScore(pattern, name string) int {
	switch {
	case pattern == name:
		return 1 << 16
	case pattern == "*":
		return 0
	case strings.HasPrefix(pattern, "*.") && strings.HasSuffix(name, pattern[1:]) && len(name) > len(pattern)-1:
		return len(pattern)
	}
	return -1
}

// TLS tells whether the listener takes TLS connections on its own port.
func (l *Listener) TLS() bool {
	for _, c := range l.Chains {
		if len(c.Names) > 0 {
			return true
		}
	}
	return false
}

// TLSLimits bound what a handshake may agree on. Zero versions and no suites leave it
// to crypto/tls.
type TLSLimits struct {
	Min, Max uint16
	Ciphers  []uint16 // of TLS 1.2
}

// Open tells that there are none.
func (t *TLSLimits) Open() bool { return t.Min == 0 && t.Max == 0 && len(t.Ciphers) == 0 }

// LimitsFor returns the limits of a handshake that asks for sni.
func (l *Listener) LimitsFor(sni string) TLSLimits {
	c := l.chain(true, strings.ToLower(strings.TrimSuffix(sni, ".")))
	if c == nil {
		return TLSLimits{}
	}
	return c.Limits
}

// CertificateFor returns the certificate for a handshake that asks for sni, or
// nil if the listener refuses the connection.
func (l *Listener) CertificateFor(sni string) *tls.Certificate {
	cert, _ := l.certificate(sni)
	return cert
}

// CertificateFrom tells where the certificate was written that CertificateFor
// returns; the zero Origin for one that was not.
func (l *Listener) CertificateFrom(sni string) Origin {
	_, from := l.certificate(sni)
	return from
}

func (l *Listener) certificate(sni string) (*tls.Certificate, Origin) {
	sni = strings.ToLower(strings.TrimSuffix(sni, "."))
	c := l.chain(true, sni)
	if c == nil || c.Closed {
		return nil, Origin{}
	}
	if cert := c.Certificates[sni]; cert != nil {
		return cert, c.From[sni]
	}
	if i := strings.IndexByte(sni, '.'); i > 0 {
		if cert := c.Certificates["*"+sni[i:]]; cert != nil {
			return cert, c.From["*"+sni[i:]]
		}
	}
	return c.Certificate, c.From[""]
}
