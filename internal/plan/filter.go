package plan

import (
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Filter edits or answers a request that a route has taken, before the route's
// action. Filters run in the order of the layer: faults, then CORS, then
// mirrors. The set is closed.
type Filter interface {
	// apply returns true to end the walk at this hop with an answer.
	apply(w *walk) (stop bool)
	// respond edits the response on its way back through this hop, the last
	// filter first.
	respond(h *Hop, status int, f *header.Fields)
	// String tells the filter, for people.
	String() string
}

// Headers are edits of a route or destination: remove, then set, then add
// (Envoy header_parser).
type Headers struct {
	Request, Response HeaderEdits
}

// HeaderEdits are edits of one message. Names are in lower case.
type HeaderEdits struct {
	Remove []string
	Set    []HeaderValue
	Add    []HeaderValue
}

// HeaderValue is one header to set or add.
type HeaderValue struct {
	Name  string
	Value Value
}

// Empty tells whether there is nothing to edit.
func (e *HeaderEdits) Empty() bool { return len(e.Remove)+len(e.Set)+len(e.Add) == 0 }

// apply edits f. Values are formatted before any is written, so none sees the
// others; one that comes out empty is not written (Envoy header_parser).
func (e *HeaderEdits) apply(f *header.Fields, h *Hop, status int) {
	for _, n := range e.Remove {
		f.Del(n)
	}
	m := moment{hop: h, status: status}
	if status != 0 {
		m.response = *f
	}
	var room [8]string
	values := room[:0]
	for _, list := range [...][]HeaderValue{e.Set, e.Add} {
		for i := range list {
			values = append(values, list[i].Value.expand(&m))
		}
	}
	for i := range e.Set {
		if values[i] != "" {
			f.Set(e.Set[i].Name, values[i])
		}
	}
	values = values[len(e.Set):]
	for i := range e.Add {
		if values[i] != "" {
			f.Add(e.Add[i].Name, values[i])
		}
	}
}

// HeaderRoute is the Filter of a route's header edits.
type HeaderRoute struct{ Headers }

func (*HeaderRoute) apply(*walk) bool { return false } // request edits come with the action
func (f *HeaderRoute) respond(h *Hop, status int, fields *header.Fields) {
	f.Response.apply(fields, h, status)
}

// Fault delays or aborts a share of the requests (HTTPFaultInjection). The
// delay comes before the route's timeout starts.
type Fault struct {
	Delay      time.Duration
	DelayShare float64 // 0 to 1
	Abort      int     // HTTP status
	AbortGRPC  int     // grpc-status, used instead of Abort when AbortIsGRPC
	IsGRPC     bool
	AbortShare float64
}

func (f *Fault) apply(w *walk) bool {
	if f.DelayShare > 0 && w.world.Chance() < f.DelayShare {
		w.out.Delay += f.Delay
		w.note("fault", "delay "+f.Delay.String(), true, "")
	}
	if f.AbortShare <= 0 || w.world.Chance() >= f.AbortShare {
		return false
	}
	if f.IsGRPC {
		w.reply(Reply{Status: 200, GRPC: f.AbortGRPC, IsGRPC: true, Body: "fault filter abort", Reason: "fault injected by the route"})
		return true
	}
	w.reply(Reply{Status: f.Abort, Body: "fault filter abort", Reason: "fault injected by the route"})
	return true
}

func (*Fault) respond(*Hop, int, *header.Fields) {}

// CORS answers preflights and marks answers for allowed origins (CorsPolicy).
type CORS struct {
	Origins       []match.Text
	Methods       string // joined by ","; "*" echoes what is asked for
	AllowHeaders  string // the same
	ExposeHeaders string
	MaxAge        string // seconds
	Credentials   string // "true" or ""
	// IgnoreUnmatched answers preflights of other origins with 200, without
	// Access-Control-Allow-Origin, instead of forwarding them.
	IgnoreUnmatched bool
}

func (c *CORS) apply(w *walk) bool {
	origin, ok := w.req.Header.Get("origin")
	if !ok || origin == "" {
		return false
	}
	allowed := c.allowed(origin)
	if allowed {
		w.hop.Origin = origin
	}
	method := w.req.Header.Value("access-control-request-method")
	if w.req.Method != "OPTIONS" || method == "" || !allowed && !c.IgnoreUnmatched {
		return false
	}
	reply := Reply{Status: 200, Reason: "preflight of an allowed origin"}
	if !allowed {
		reply.Reason = "preflight of origin " + origin + ", which corsPolicy does not allow"
	}
	add := func(name, value, asked string) {
		if value == "*" {
			value = asked
		}
		if value != "" {
			reply.Header.Add(name, value)
		}
	}
	add("access-control-allow-credentials", c.Credentials, "")
	add("access-control-allow-methods", c.Methods, method)
	add("access-control-allow-headers", c.AllowHeaders, w.req.Header.Value("access-control-request-headers"))
	add("access-control-max-age", c.MaxAge, "")
	w.reply(reply)
	return true
}

// allowed tells whether an origin is allowed; a condition that "*" fulfils
// allows all of them (Envoy cors_filter).
func (c *CORS) allowed(origin string) bool {
	for i := range c.Origins {
		if c.Origins[i].Match("*", true) || c.Origins[i].Match(origin, true) {
			return true
		}
	}
	return false
}

func (c *CORS) respond(h *Hop, _ int, f *header.Fields) {
	if h.Origin == "" {
		return
	}
	f.Set("access-control-allow-origin", h.Origin)
	if c.Credentials != "" {
		f.Set("access-control-allow-credentials", c.Credentials)
	}
	if c.ExposeHeaders != "" {
		f.Set("access-control-expose-headers", c.ExposeHeaders)
	}
}

// Mirror sends a share of the requests to another backend as well; its answers
// are thrown away (HTTPRoute.mirrors).
type Mirror struct {
	Backend *Backend
	Share   float64 // 0 to 1
	Origin  Origin
}

func (m *Mirror) apply(w *walk) bool {
	if m.Share < 1 && w.world.Chance() >= m.Share {
		return false
	}
	w.out.Mirrors = append(w.out.Mirrors, m)
	return false
}

func (*Mirror) respond(*Hop, int, *header.Fields) {}
