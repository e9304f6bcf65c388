package telemetry

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/internal/plan"
)

// Metrics counts exchanges. Its methods may be called from all goroutines.
type Metrics struct {
	gateway, edge *family
	sidecar       *family // as the workload's own proxy reports
	refused       *counts // messages that were no requests, by listener

	mu      sync.Mutex // guards writing of unrouted
	unruled atomic.Pointer[map[place]*handle]
}

// place is where a request ended that no route took; or a sidecar, and the
// listener before it.
type place struct{ listener, host string }

// NewMetrics returns counters at zero.
func NewMetrics() *Metrics {
	m := &Metrics{gateway: newFamily(), edge: newFamily(), sidecar: newFamily(), refused: newCounts()}
	m.unruled.Store(&map[place]*handle{})
	return m
}

// Record counts an exchange, once in each layer that it passed.
func (m *Metrics) Record(x *Exchange) {
	if x.Outcome == nil {
		m.refused.add(x.Listener)
		return
	}
	hops := x.Outcome.Hops()
	for i := range hops {
		h := &hops[i]
		var handle *handle
		switch h.Listener.Dialect {
		case plan.Service:
			continue // nobody counts there
		case plan.Sidecar:
			handle = m.unrouted(place{h.Listener.Key, hops[i-1].Listener.Key})
		default:
			handle = m.handle(h)
		}
		k := keyOf(x, h)
		s := handle.find(k)
		if s == nil {
			if h.Listener.Dialect == plan.Sidecar {
				s = m.behind(x, &hops[i-1], h)
			} else {
				s = m.series(x, h, k)
			}
			handle.keep(k, s)
		}
		s.add(x.Duration)
	}
}

// handle is what has been counted of one route: its series by what differs
// between its requests. There are few, so a list is the fastest table.
type handle struct{ entries atomic.Pointer[[]entry] }

type entry struct {
	key    key
	series *series
}

// key packs what differs between the requests of one route: the status in bits
// 0 to 15, the flags to 31, the method to 39, gRPC in 40, the destination from 48.
type key uint64

func keyOf(x *Exchange, h *plan.Hop) key {
	k := key(uint16(x.Status)) | key(x.Flags)<<16
	if h.Listener.Dialect == plan.NGINX {
		k |= key(methodNumber(x.Method)) << 32
	}
	if x.GRPC {
		k |= 1 << 40
	}
	return k | key(destination(h))<<48
}

// destination is the number of the hop's destination among its route's.
func destination(h *plan.Hop) int {
	if h.To == nil {
		return 0
	}
	if f, ok := h.Route.Action.(*plan.Forward); ok {
		for i := range f.To {
			if &f.To[i] == h.To {
				return i + 1
			}
		}
	}
	return 0
}

func (h *handle) find(k key) *series {
	list := h.entries.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if e := &(*list)[i]; e.key == k {
			return e.series
		}
	}
	return nil
}

// keep adds a series. Two that do so at once may lose one entry, not a count:
// the next request adds it again.
func (h *handle) keep(k key, s *series) {
	var list []entry
	if old := h.entries.Load(); old != nil {
		list = append(list, *old...)
	}
	list = append(list, entry{k, s})
	h.entries.Store(&list)
}

// handle finds what is counted of a hop's route, or of its host where no route
// took the request.
func (m *Metrics) handle(h *plan.Hop) *handle {
	if h.Route == nil || h.Route.Memo == nil {
		p := place{listener: h.Listener.Key}
		if h.Host != nil {
			p.host = h.Host.Name
		}
		return m.unrouted(p)
	}
	if v, ok := h.Route.Memo.Load().(*handle); ok {
		return v
	}
	v := new(handle)
	h.Route.Memo.Store(v)
	return v
}

func (m *Metrics) unrouted(p place) *handle {
	if v := (*m.unruled.Load())[p]; v != nil {
		return v
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.unruled.Load()
	if v := old[p]; v != nil {
		return v
	}
	next := maps.Clone(old)
	v := new(handle)
	next[place{strings.Clone(p.listener), strings.Clone(p.host)}] = v
	m.unruled.Store(&next)
	return v
}

// series makes, or finds again after a swap, the series of a hop.
func (m *Metrics) series(x *Exchange, h *plan.Hop, k key) *series {
	status := strconv.Itoa(x.Status)
	if h.Listener.Dialect == plan.NGINX {
		var ingress, namespace, service string
		if h.Route != nil {
			ingress, namespace = h.Route.Origin.Ref.Name, h.Route.Origin.Ref.Namespace
		}
		if h.To != nil {
			service = h.To.Backend.Service.Name
		}
		host := "_" // as the controller calls hosts that no Ingress names
		if h.Host != nil && h.Host.Name != "*" {
			host = h.Host.Name
		}
		return m.edge.with(host, ingress, namespace, service, methodName(methodNumber(x.Method)), status)
	}
	protocol := "http"
	if x.GRPC {
		protocol = "grpc"
	}
	namespace, workload := split(h.Listener.Key)
	host, name, in := target(h.To)
	return m.gateway.with(workload, namespace, host, name, in, protocol, status, x.Flags.String())
}

// behind is the series of a sidecar: h, with the hop before it.
func (m *Metrics) behind(x *Exchange, before, h *plan.Hop) *series {
	protocol := "http"
	if x.GRPC {
		protocol = "grpc"
	}
	sourceNamespace, source := "unknown", "unknown"
	if before.Listener.Dialect == plan.Envoy {
		sourceNamespace, source = split(before.Listener.Key)
	}
	host, name, in := target(before.To)
	return m.sidecar.with(source, sourceNamespace, host, name, in, protocol, strconv.Itoa(x.Status), x.Flags.String())
}

// split cuts NAMESPACE/SERVICE:PORT into namespace and Service.
func split(key string) (namespace, service string) {
	namespace, service, _ = strings.Cut(key, "/")
	service, _, _ = strings.Cut(service, ":")
	return namespace, service
}

// target names a destination as Istio's metrics do.
func target(to *plan.Destination) (host, name, namespace string) {
	if to == nil {
		return "unknown", "unknown", "unknown"
	}
	b := to.Backend
	host = b.Key[strings.LastIndexByte(b.Key, '|')+1:]
	if b.Service.IsZero() {
		return host, host, or(b.Origin.Ref.Namespace, "unknown")
	}
	return host, b.Service.Name, b.Service.Namespace
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// methods are the values of the label method. The array is never written to.
var methods = [...]string{"OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func methodName(n int) string { return methods[n] }

func methodNumber(m string) int {
	switch m {
	case "GET":
		return 1
	case "HEAD":
		return 2
	case "POST":
		return 3
	case "PUT":
		return 4
	case "DELETE":
		return 5
	case "CONNECT":
		return 6
	case "OPTIONS":
		return 7
	case "TRACE":
		return 8
	case "PATCH":
		return 9
	}
	return 0
}
