package plan

import (
	"time"

	"github.com/doorward/doorward/internal/header"
)

// The workload's door: the sidecar before the endpoints of a Backend is the last
// hop of a walk. It has guards and no routes: what it lets in goes to the
// endpoints of the Backend that the request came by, under the limits and
// retries of the hop before.

// Peers are the connections that a sidecar takes (PeerAuthentication).
type Peers uint8

const (
	// Permissive takes mutual TLS and plain text.
	Permissive Peers = iota
	// Strict closes connections in plain text.
	Strict
	// PlainOnly does not end TLS (mode DISABLE).
	PlainOnly
)

func (p Peers) String() string { return [...]string{"PERMISSIVE", "STRICT", "DISABLE"}[p] }

// Door is what a sidecar's listener has beside guards.
type Door struct {
	Peers Peers
	// By is the PeerAuthentication that says so; zero for the default.
	By Origin

	certificate string // what its X-Forwarded-Client-Cert begins with; made by Build
}

// Mutual is how the hop before speaks to the sidecars of a Backend.
type Mutual uint8

const (
	// MutualAuto is mutual TLS where the sidecar takes it (Istio's auto mTLS).
	MutualAuto Mutual = iota
	// MutualAlways is mutual TLS whoever answers (ISTIO_MUTUAL).
	MutualAlways
	// MutualNever is plain text, or TLS without the mesh's identity.
	MutualNever
)

// spoken tells whether a hop that speaks m to a sidecar uses mutual TLS, and
// why the connection does not come about, if so.
func (m Mutual) spoken(d *Door) (mutual bool, failure Failure, why string) {
	switch {
	case d == nil && m == MutualAlways:
		return true, NotTLS, "the DestinationRule asks for ISTIO_MUTUAL, and the workload has no sidecar"
	case d == nil || m == MutualNever && d.Peers != Strict:
		return false, 0, ""
	case m == MutualNever:
		return false, Reset, "the workload takes mutual TLS only (" + d.by() + "), and its caller speaks none"
	case d.Peers != PlainOnly:
		return true, 0, ""
	case m == MutualAlways:
		return true, NotTLS, "the DestinationRule asks for ISTIO_MUTUAL, and the workload takes plain text only (" + d.by() + ")"
	}
	return false, 0, ""
}

func (d *Door) by() string {
	if d.By.Ref.Kind == "" {
		return d.Peers.String()
	}
	return d.Peers.String() + " by " + d.By.Ref.String()
}

// mutual is how the hop speaks to the sidecars of b. Who comes to a Service's port as
// somebody of the mesh has a sidecar, and speaks as the mesh does; no client of the
// server's can come so.
func (w *walk) mutual(b *Backend) Mutual {
	if w.hop.Listener.Dialect == Service && w.req.Source != "" {
		return MutualAuto
	}
	return b.Mutual
}

// locked answers when no connection to the sidecar comes about.
func (w *walk) locked(b *Backend, f *Forward) bool {
	if b.Next != nil {
		return false
	}
	var door *Door
	if b.Sidecar != nil {
		door = b.Sidecar.Door
	}
	_, failure, why := w.mutual(b).spoken(door)
	if why == "" {
		return false
	}
	retried := f.Retry.Attempts > 0 && (f.Retry.On&OnReset != 0 || failure == NotTLS && f.Retry.On&OnConnectFailure != 0)
	w.note("backend", b.Key, false, why)
	r := w.hop.Listener.Fail(w.req, failure, retried)
	r.Reason = why
	if w.hop.Listener.Dialect == Service { // nobody stands between the client and the sidecar
		r.Closed, r.Reason = true, why+": the connection is closed"
	}
	w.reply(r)
	return true
}

// knock makes the request what the sidecar receives on its socket.
func (w *walk) knock(b *Backend) *Listener {
	mutual, _, _ := w.mutual(b).spoken(b.Sidecar.Door)
	source := w.hop.Listener.Identity
	if w.hop.Listener.Dialect == Service {
		source = w.req.Source
	}
	w.cross(b)
	w.behind = b
	if mutual {
		w.req.Secure, w.req.Source = true, source
	}
	return b.Sidecar
}

// admit ends the walk at the application behind the sidecar.
func (w *walk) admit() {
	w.out.By = w.out.hops[w.out.Forwarder()].Route.Origin
	w.sendTo(w.behind)
}

// enterSidecar is what a sidecar does with the fields of a request: it believes
// the proxy before it (no use_remote_address), so the client is the last address
// of X-Forwarded-For, and scheme and request id stay. Who the peer is it tells
// in X-Forwarded-Client-Cert, where nobody else can.
//
// Left out are the Hash of the peer's certificate there, which does not exist on
// one machine, and the trace headers.
func (l *Listener) enterSidecar(w *walk) bool {
	r := w.req
	kept := r.Header[:0]
	for _, f := range r.Header {
		if !isInternalOnly(f.Name) {
			kept = append(kept, f)
		}
	}
	clear(r.Header[len(kept):])
	r.Header = kept
	forwarded, _ := r.Header.Joined("x-forwarded-for", ",")
	r.Remote = fromRight(forwarded, 1, r.Peer)
	r.Scheme = "http"
	if r.Secure {
		r.Scheme = "https"
	}
	if p, said := r.Header.Get("x-forwarded-proto"); !said {
		r.Header.Set("x-forwarded-proto", r.Scheme)
	} else if p == "http" || p == "https" {
		r.Scheme = p
	}
	if r.Source != "" {
		r.Header.Set("x-forwarded-client-cert", w.text.join(l.Door.certificate, "", r.Source))
	}
	if !r.Header.Has("x-request-id") {
		r.Header.Set("x-request-id", w.text.uuid(w.world.ID()))
	}
	return true
}

// isInternalOnly names the fields that a sidecar removes from requests that are
// not from inside of an internal network (conn_manager_utility cleanInternalHeaders),
// and the one that it writes by itself.
func isInternalOnly(name string) bool {
	switch name {
	case "x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node",
		"x-envoy-original-path", "x-envoy-original-host", "x-envoy-external-address", "x-envoy-attempt-count":
		return false // as the gateway wrote them
	}
	return isExternalOnly(name)
}

// leaveSidecar is what a sidecar does with a response: it passes the
// application's server name through.
func (l *Listener) leaveSidecar(f *header.Fields, took time.Duration, own bool) {
	if own {
		f.Set("server", "istio-envoy")
		return
	}
	f.Set("x-envoy-upstream-service-time", milliseconds(took))
}

// mirrorDoors takes the copies that this hop wants to the doors of the workloads
// that they are for: those that are refused there are not sent. A copy is judged
// as this hop sends the request on.
func (w *walk) mirrorDoors() {
	mirrors := w.out.Mirrors
	kept := mirrors[:w.mirrors]
	for _, m := range mirrors[w.mirrors:] {
		if m = w.mirrored(m); m != nil {
			kept = append(kept, m)
		}
	}
	w.out.Mirrors = kept
}

// mirrored is m as its door lets it in, or nil.
func (w *walk) mirrored(m *Mirror) *Mirror {
	b := m.Backend
	if b.Next != nil || b.Sidecar == nil && len(b.Split) == 0 && b.Mutual != MutualAlways {
		return m
	}
	req := *w.req
	req.Header = w.req.Header.Clone()
	out := &Outcome{MaxBody: -1, n: 1}
	out.hops[0] = *w.hop
	v := &walk{req: &req, world: w.world, out: out, hop: &out.hops[0]}
	b = b.share(v)
	if v.locked(b, &Forward{}) {
		return nil
	}
	if b.Sidecar != nil {
		if v.through(v.knock(b)); out.Kind != ToForward {
			return nil
		}
	}
	if b == m.Backend {
		return m
	}
	part := *m
	part.Backend = b
	return &part
}

// share picks the endpoints behind one of several doors: by the hash where the
// request has one, so that it stays with its endpoint, otherwise at random, by
// their number.
func (b *Backend) share(w *walk) *Backend {
	if len(b.Split) == 0 {
		return b
	}
	var total uint64
	for _, s := range b.Split {
		total += s.weight()
	}
	var at uint64
	if w.out.Hashed {
		at = fnv(w.out.HashKey) % total
	} else {
		at = uint64(w.world.Chance() * float64(total))
	}
	for _, s := range b.Split {
		if n := s.weight(); at >= n {
			at -= n
			continue
		}
		return s
	}
	return b.Split[len(b.Split)-1]
}

func (b *Backend) weight() uint64 {
	var n uint64
	for i := range b.Endpoints {
		n += uint64(max(b.Endpoints[i].Weight, 1))
	}
	return max(n, 1)
}

// fnv is FNV-1a: the same over restarts.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
