package plan

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// walk is the state of one Walk. It lives in the Outcome so that a walk
// allocates nothing for itself.
type walk struct {
	req   *match.Request
	world World
	tr    *Trace
	out   *Outcome
	hop   *Hop
	chain *Chain
	way   way
	text  text
	// mirrors counts the mirrors of the hops before this one.
	mirrors int
	// behind is where requests go that the sidecar lets in.
	behind *Backend
}

// way is where a hop sends the request.
type way struct {
	known bool
	name  string // the host name that was looked for
	host  *Host  // nil: no host has the name
	route *Route // nil: no route takes the request
	steps []Step // of finding it: they are told when it is taken
}

// Walk takes req through the hops from listener l on and decides. It edits req
// in place: for ToForward it ends in the form that the upstream gets. tr may be
// nil. out is reset first.
func (p *Plan) Walk(l *Listener, req *match.Request, world World, tr *Trace, out *Outcome) {
	mirrors := out.Mirrors[:0]
	out.Leave()
	*out = Outcome{MaxBody: -1, Mirrors: mirrors}
	w := &out.w
	*w = walk{req: req, world: world, tr: tr, out: out}
	for l != nil {
		l = w.through(l)
	}
	*w = walk{}
}

// through takes the request through one hop and returns the next listener, or
// nil when the outcome stands.
func (w *walk) through(l *Listener) *Listener {
	if w.out.n == maxHops {
		w.hop = &w.out.hops[w.out.n-1]
		w.reply(Reply{Status: l.unreachableStatus(), Reason: "the routes send the request round in a circle"})
		return nil
	}
	w.hop = &w.out.hops[w.out.n]
	w.out.n++
	w.mirrors = len(w.out.Mirrors)
	w.out.By = Origin{} // the hop before has decided nothing but to come here
	*w.hop = Hop{
		Listener: l, Secure: w.req.Secure, target: w.req.Target, sni: w.req.SNI, major: w.req.Major, minor: w.req.Minor,
		req: w.req, world: w.world,
	}
	if w.tr != nil {
		w.note("hop", l.Title(), true, "")
	}
	w.req.Remote, w.req.Local, w.req.LocalPort, w.req.Token = w.req.Peer, l.Address, l.TargetPort, nil
	w.chain, w.way = l.chain(w.req.Secure, w.req.SNI), way{}
	if l.Dialect == Sidecar && w.behind == nil || l.Dialect != Sidecar && (w.chain == nil || w.chain.Closed) {
		w.reply(Reply{Status: l.unreachableStatus(), Reason: "no server of " + l.Key + " takes this connection"})
		return nil
	}
	if !w.req.Normalise(l.Form) {
		w.reply(Reply{Status: 400, Reason: "the path cannot be normalised"})
		return nil
	}
	if !l.enter(w) {
		return nil
	}
	if w.out.n == 1 {
		w.out.scheme, w.out.host = l.outside(w.req)
	}
	if w.guarded(l.Guards) {
		return nil
	}
	if l.Dialect == Sidecar {
		w.admit()
		return nil
	}
	if w.req.Token != nil {
		w.way = way{} // claims may be written into headers that routes read
	}
	w.find()
	if w.tr != nil {
		w.tr.Steps = append(w.tr.Steps, w.way.steps...)
	}
	w.hop.Host = w.way.host
	switch {
	case w.way.host == nil:
		w.reply(Reply{Status: 404, Reason: "no host of " + l.Key + " fits " + w.way.name})
		return nil
	case w.way.route == nil:
		w.reply(Reply{Status: 404, Reason: "no route of host " + w.way.host.Name + " takes " + w.req.Path})
		return nil
	}
	w.hop.Route = w.way.route
	w.out.By = w.hop.Route.Origin
	return w.take(w.hop.Route)
}

// routed tells whether some route takes the request. What guards write into it
// afterwards does not change the route, unless they forget it (Envoy's route cache).
func (w *walk) routed() bool {
	if w.hop.Listener.Dialect == Sidecar {
		return true
	}
	w.find()
	return w.way.route != nil
}

// find finds the host and the route of the request, unless that is done.
func (w *walk) find() {
	if w.way.known {
		return
	}
	if w.tr != nil {
		before := len(w.tr.Steps)
		defer func() { w.way.steps, w.tr.Steps = slices.Clone(w.tr.Steps[before:]), w.tr.Steps[:before] }()
	}
	w.way = way{known: true, name: w.hop.Listener.hostName(w.req)}
	w.way.host = w.chain.hosts.find(w.way.name)
	if w.way.host == nil {
		w.note("host", w.way.name, false, "no host of the listener fits")
		return
	}
	w.note("host", w.way.host.Name, true, "")
	w.way.route = w.route(w.way.host)
}

// route finds the first route that takes the request. With a trace it looks at
// every rule in order and tells why each does or does not match.
func (w *walk) route(h *Host) *Route {
	if w.tr == nil {
		return h.routes.find(h.Routes, w.req)
	}
	for _, r := range h.Routes {
		why := r.Rule.Why(w.req)
		w.tr.add("route", r.Rule.String(), r.Origin, why == "", why)
		if why == "" {
			return r
		}
	}
	return nil
}

// guarded asks the guards in order, and tells whether one has answered.
func (w *walk) guarded(guards []Guard) bool {
	for _, g := range guards {
		stop := g.check(w)
		if w.tr != nil {
			w.note("guard", g.String(), !stop, "")
		}
		if stop {
			return true
		}
	}
	return false
}

// take runs the guards, filters and action of a route.
func (w *walk) take(r *Route) *Listener {
	if w.guarded(r.Guards) {
		return nil
	}
	for _, f := range r.Filters {
		stop := f.apply(w)
		if w.tr != nil {
			why := ""
			if stop {
				why = "it answers"
			}
			w.note("filter", f.String(), true, why)
		}
		if stop {
			return nil
		}
	}
	switch a := r.Action.(type) {
	case *Redirect:
		w.hop.acted = true
		w.redirect(a.Code, a.Location(w.req), "redirect by the route")
	case *Direct:
		w.hop.acted = true
		w.reply(Reply{Status: a.Status, Body: a.Body, Header: a.Header.Clone(), Reason: a.Reason})
	case *Forward:
		return w.forward(r, a)
	}
	return nil
}

// forward picks a destination and edits the request for it.
func (w *walk) forward(r *Route, f *Forward) *Listener {
	d := f.pick(w.world)
	if d == nil {
		w.reply(Reply{Status: 503, Reason: "no destination has a weight"})
		return nil
	}
	w.hop.To = d
	b := d.Backend
	if b.Missing != "" {
		w.note("backend", b.Key, false, b.Missing)
		w.reply(w.hop.Listener.missing(b))
		return nil
	}
	if b.Next == nil && len(b.Endpoints) == 0 {
		w.note("backend", b.Key, false, "no ready endpoint")
		w.reply(w.hop.Listener.noEndpoint(b))
		return nil
	}
	if b.Hash != nil && b.Next == nil {
		w.out.HashKey, w.out.Hashed, w.out.cookie = b.Hash.Of(w.req, w.world)
	}
	if b = b.share(w); w.locked(b, f) {
		return nil
	}
	w.note("backend", b.Key, true, "")
	// What the layer writes by itself comes first: a manifest may edit it.
	w.hop.Listener.send(w, f)
	w.editHeaders(r, d)
	if host := cmp.Or(f.Host, d.Host); host != "" {
		if w.tr != nil && host != w.req.Host {
			w.note("rewrite", "host "+w.req.Host+" to "+host, true, "")
		}
		w.req.Host = host
	}
	if f.Rewrite != nil && f.Rewrite.First {
		if !w.rewriteFirst(f.Rewrite) {
			return nil
		}
	} else {
		w.rewrite(f.Rewrite)
	}
	w.mirrorDoors()
	if b.Next != nil {
		w.cross(b)
		return b.Next
	}
	if b.Sidecar != nil {
		return w.knock(b)
	}
	w.sendTo(b)
	return nil
}

// sendTo ends the walk at the endpoints of b.
func (w *walk) sendTo(b *Backend) {
	w.out.Kind, w.out.Backend = ToForward, b
	w.out.Reason = "forwarded"
}

// editHeaders applies the destination's edits, then the route's.
func (w *walk) editHeaders(r *Route, d *Destination) {
	if d.Headers != nil {
		d.Headers.Request.apply(&w.req.Header, w.hop, 0)
	}
	for _, f := range r.Filters {
		if h, ok := f.(*HeaderRoute); ok {
			h.Request.apply(&w.req.Header, w.hop, 0)
		}
	}
}

func (w *walk) rewrite(rw *Rewrite) {
	if rw == nil {
		return
	}
	path := rw.apply(w.req.Path)
	if path == "" {
		return // Envoy forwards no empty path, and leaves it as it is
	}
	if w.hop.Listener.Dialect == Envoy { // also where the path stays as it is
		w.req.Header.Set("x-envoy-original-path", w.req.Target)
	}
	if path == w.req.Path {
		return
	}
	if w.tr != nil {
		w.note("rewrite", w.req.Path+" to "+path, true, "")
	}
	w.req.SetPath(path)
}

// layerPeer is the address under which one layer reaches the next when both are
// this process.
var layerPeer = netip.AddrFrom4([4]byte{127, 0, 0, 1})

const layerPeerText = "127.0.0.1"

// cross makes the request what the next layer would receive on its socket.
func (w *walk) cross(b *Backend) {
	w.req.Peer, w.req.PeerText = layerPeer, layerPeerText
	w.req.Secure, w.req.SNI, w.req.Source = b.TLS != nil, "", ""
	if b.TLS != nil {
		w.req.SNI = b.TLS.Name
	}
	if b.Protocol == HTTP1 {
		w.req.Major, w.req.Minor = 1, 1
	}
	if w.tr != nil {
		w.tr.hop++
	}
}

// pick chooses a destination by weight.
func (f *Forward) pick(world World) *Destination {
	if len(f.To) == 1 {
		return &f.To[0]
	}
	var total uint64
	for i := range f.To {
		total += uint64(f.To[i].Weight)
	}
	if total == 0 {
		return nil
	}
	n := uint64(world.Chance() * float64(total))
	for i := range f.To {
		w := uint64(f.To[i].Weight)
		if n < w {
			return &f.To[i]
		}
		n -= w
	}
	return nil
}

// reply ends the walk with an answer of this hop.
func (w *walk) reply(r Reply) {
	w.hop.replied = true
	w.out.Mirrors = w.out.Mirrors[:w.mirrors] // what is not sent on is not copied
	w.out.Kind = ToRespond
	w.out.Reason = r.Reason
	w.out.Reply = w.hop.Listener.render(w.req, r)
	w.note("answer", statusText(r.Status), true, r.Reason)
}

// redirect ends the walk with a Location.
func (w *walk) redirect(code int, location, reason string) {
	r := Reply{Status: code, Reason: reason}
	r.Header.Add("location", location)
	w.reply(r)
}

// note records a step if there is a trace.
func (w *walk) note(kind, subject string, ok bool, why string) {
	if w.tr == nil {
		return
	}
	var origin Origin
	if w.hop != nil && w.hop.Route != nil && (kind == "backend" || kind == "guard" || kind == "answer") {
		origin = w.hop.Route.Origin
	}
	w.tr.add(kind, subject, origin, ok, strings.TrimSpace(why))
}
