package server

import (
	"maps"
	"slices"

	"github.com/doorward/doorward/internal/plan"
)

// The form of /plan. It is part of the interface (docs/operations.md): members
// may be added, none is renamed or removed.

type planView struct {
	Listeners []listenerView `json:"listeners"`
	Backends  []backendView  `json:"backends"`
}

// listenerView is one hop: the edge, a gateway's Service port, or a workload's
// sidecar and its Service port.
type listenerView struct {
	Key    string      `json:"key"`
	Layer  string      `json:"layer"` // edge, gateway, workload or service
	Port   int         `json:"port,omitempty"`
	Guards []string    `json:"guards,omitempty"` // of every request, in order
	Peers  string      `json:"peers,omitempty"`  // what a sidecar takes: PERMISSIVE, STRICT or DISABLE
	Chains []chainView `json:"chains"`
}

// chainView is the hosts behind some TLS server names, or in plain text.
type chainView struct {
	ServerNames  []string    `json:"serverNames,omitempty"` // none: plain text
	Certificates []string    `json:"certificates,omitempty"`
	Closed       bool        `json:"closed,omitempty"` // refuses every connection
	Origin       *originView `json:"origin,omitempty"`
	Hosts        []hostView  `json:"hosts"`
}

type hostView struct {
	Name   string      `json:"name"`
	Routes []routeView `json:"routes"` // in the order in which they are tried
}

type routeView struct {
	Name       string      `json:"name,omitempty"`
	Path       string      `json:"path"` // "anything", `exact "/a"`, `prefix "/a/"`, `regex "..."`
	Conditions []string    `json:"conditions,omitempty"`
	Origin     *originView `json:"origin,omitempty"`
	Place      string      `json:"place,omitempty"` // why it stands where it does
	Guards     []string    `json:"guards,omitempty"`
	Filters    []string    `json:"filters,omitempty"`
	Action     actionView  `json:"action"`
}

// actionView is what a route does; Text says it in words.
type actionView struct {
	Kind string            `json:"kind"` // forward, redirect or answer
	Text string            `json:"text"`
	To   []destinationView `json:"to,omitempty"`
}

type destinationView struct {
	Backend  string `json:"backend"`
	Weight   uint32 `json:"weight"`
	Listener string `json:"listener,omitempty"` // that takes the request over
	Missing  string `json:"missing,omitempty"`  // why there is no such backend
	Headers  string `json:"headers,omitempty"`
}

type backendView struct {
	Key       string      `json:"key"`
	Service   string      `json:"service,omitempty"`
	Port      int         `json:"port"`
	Subset    string      `json:"subset,omitempty"`
	Protocol  string      `json:"protocol"`
	TLS       bool        `json:"tls"`
	Balance   string      `json:"balance"`
	Endpoints []string    `json:"endpoints"`
	Sidecar   string      `json:"sidecar,omitempty"` // the listener before the endpoints
	Origin    *originView `json:"origin,omitempty"`
}

type originView struct {
	Object string `json:"object"`
	Field  string `json:"field,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"` // of the object
}

func viewPlan(p *plan.Plan) planView {
	return planView{each(p.Listeners(), viewListener), each(p.Backends(), viewBackend)}
}

// each is never nil, so that JSON has [] and not null.
func each[T, V any](all []T, view func(T) V) []V {
	views := make([]V, len(all))
	for i, x := range all {
		views[i] = view(x)
	}
	return views
}

func viewListener(l *plan.Listener) listenerView {
	v := listenerView{Key: l.Key, Layer: l.Dialect.String(), Port: l.Port, Chains: each(l.Chains, viewChain)}
	for _, g := range l.Guards {
		v.Guards = append(v.Guards, g.String())
	}
	if l.Door != nil {
		v.Peers = l.Door.Peers.String()
	}
	return v
}

func viewChain(c *plan.Chain) chainView {
	return chainView{
		ServerNames: c.Names, Certificates: slices.Sorted(maps.Keys(c.Certificates)),
		Closed: c.Closed, Origin: viewOrigin(c.Origin), Hosts: each(c.Hosts, viewHost),
	}
}

func viewHost(h *plan.Host) hostView { return hostView{h.Name, each(h.Routes, viewRoute)} }

func viewRoute(r *plan.Route) routeView {
	v := routeView{Name: r.Name, Path: r.Rule.Path.String(), Origin: viewOrigin(r.Origin), Place: r.Place, Action: viewAction(r.Action)}
	for i := range r.Rule.All {
		v.Conditions = append(v.Conditions, r.Rule.All[i].String())
	}
	for _, g := range r.Guards {
		v.Guards = append(v.Guards, g.String())
	}
	for _, f := range r.Filters {
		v.Filters = append(v.Filters, f.String())
	}
	return v
}

func viewAction(a plan.Action) actionView {
	v := actionView{Text: plan.Describe(a)}
	switch a := a.(type) {
	case *plan.Redirect:
		v.Kind = "redirect"
	case *plan.Direct:
		v.Kind = "answer"
	case *plan.Forward:
		v.Kind = "forward"
		v.To = each(a.To, viewDestination)
	}
	return v
}

func viewDestination(d plan.Destination) destinationView {
	v := destinationView{Backend: d.Backend.Key, Weight: d.Weight, Missing: d.Backend.Missing}
	if d.Backend.Next != nil {
		v.Listener = d.Backend.Next.Key
	}
	if d.Headers != nil {
		v.Headers = d.Headers.String()
	}
	return v
}

func viewBackend(b *plan.Backend) backendView {
	v := backendView{
		Key: b.Key, Port: b.Port, Subset: b.Subset, Protocol: b.Protocol.String(), TLS: b.TLS != nil, Balance: b.Balance.String(),
		Endpoints: each(b.Endpoints, func(e plan.Endpoint) string { return e.Address }), Origin: viewOrigin(b.Origin),
	}
	if b.Sidecar != nil {
		v.Sidecar = b.Sidecar.Key
	}
	if !b.Service.IsZero() {
		v.Service = b.Service.Namespace + "/" + b.Service.Name
	}
	return v
}

func viewOrigin(o plan.Origin) *originView {
	if o.Ref.IsZero() {
		return nil
	}
	return &originView{o.Ref.String(), o.Field, o.Origin.File, o.Origin.Line}
}
