package plan

import (
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Kind is what is to be done with a request.
type Kind uint8

const (
	// ToRespond answers with Outcome.Reply.
	ToRespond Kind = iota
	// ToForward sends the request, in its final form, to Outcome.Backend. Only
	// Walk can say so.
	ToForward
)

func (k Kind) String() string { return [...]string{"respond", "forward"}[k] }

// Reply is an answer of Doorward's own.
type Reply struct {
	Status int
	Header header.Fields
	Body   string
	// Closed ends the client's connection without an answer. Status and Body are what
	// a proxy before it would tell its own client.
	Closed bool
	// IsGRPC answers a gRPC caller: HTTP 200 with grpc-status and grpc-message.
	IsGRPC bool
	GRPC   int
	// Reason says why, in a few words, for the trace and the access record.
	Reason string
}

// maxHops bounds the listeners that one request can pass: routes that send it
// round in a circle end there.
const maxHops = 6

// Hop is one listener that the request has passed.
type Hop struct {
	Listener *Listener
	Host     *Host
	Route    *Route
	To       *Destination
	// Secure tells whether the request came to this hop over TLS.
	Secure bool
	// Origin is the origin that CORS allowed; "" for none.
	Origin  string
	allowed *Verdict // of the authorizer that was asked; nil none
	replied bool     // this hop answered by itself
	acted   bool     // and it was the route's action that did

	// As the hop received the request:
	target, sni, peer string
	major, minor      int
	client            string // the address that the hop takes the client for
	// What Values are formatted with; nil in a hop that read no rule.
	req   *match.Request
	world World
}

// Outcome is what a walk decides. The caller owns it and may use it again for
// the next walk: it holds no memory of its own that must be allocated anew.
type Outcome struct {
	Kind    Kind
	Reply   Reply    // for ToRespond
	Backend *Backend // for ToForward
	// Delay is to be waited before anything else (an injected fault).
	Delay time.Duration
	// MaxBody bounds the request body in bytes; -1 is no bound.
	MaxBody int64
	// HashKey is the text that Backend.Hash is taken of; Hashed says that there
	// is one.
	HashKey string
	Hashed  bool
	// Mirrors get copies of the request.
	Mirrors []*Mirror
	// Reason says why, By the rule that decided.
	Reason string
	By     Origin
	// Audit names the AUDIT rules that the request matches, DryRun what policies
	// say that are not enforced; "" for none.
	Audit, DryRun string
	// Unauthorized says that an external authorizer has refused the request, or
	// gave no verdict.
	Unauthorized bool

	leave  []func() // of what counts requests under way
	cookie string   // Set-Cookie for an answer of the upstream's; "" for none
	// The scheme and host that the client's address bar shows: those of the first hop,
	// which nothing behind it can know better.
	scheme, host string
	// The login that has taken its cookies out of the request, and those.
	login        *LoginProvider
	loginCookies header.Fields

	hops [maxHops]Hop
	n    int
	w    walk
}

// Hops returns the listeners that the request passed, the client's first.
func (o *Outcome) Hops() []Hop { return o.hops[:o.n] }

// Forwarder is the number of the hop that forwards to the upstream: the last,
// or the one before a sidecar, which has neither routes nor limits of its own.
func (o *Outcome) Forwarder() int {
	if i := o.n - 1; o.hops[i].Listener.Dialect != Sidecar {
		return i
	}
	return o.n - 2
}

// Inner returns the forwarding of hop Forwarder: its limits and retries govern
// the upstream. It is nil unless Kind is ToForward.
func (o *Outcome) Inner() *Forward {
	if o.Kind != ToForward {
		return nil
	}
	return o.hops[o.Forwarder()].Route.Action.(*Forward)
}

// Last returns the listener whose words failures are told in.
func (o *Outcome) Last() *Listener { return o.hops[o.n-1].Listener }

// Route returns the route that the last hop took, or nil.
func (o *Outcome) Route() *Route { return o.hops[o.n-1].Route }

// ReadLimit is the strictest limit between two reads of all hops, and the
// listener that sets it; zero is none.
func (o *Outcome) ReadLimit() (time.Duration, *Listener) {
	var limit time.Duration
	var by *Listener
	for i := range o.Hops() {
		r := o.hops[i].Route
		if r == nil {
			continue
		}
		f, ok := r.Action.(*Forward)
		if ok && f.Limits.Read > 0 && (limit == 0 || f.Limits.Read < limit) {
			limit, by = f.Limits.Read, o.hops[i].Listener
		}
	}
	return limit, by
}

// EditResponse edits the status line's fields of a response on its way back
// through the hops, the innermost first. took is the time that the upstream
// needed, for responses that came from one.
func (o *Outcome) EditResponse(status int, f *header.Fields, took time.Duration, upstream bool) {
	if upstream && o.cookie != "" {
		f.Add("set-cookie", o.cookie)
	}
	for i := o.n - 1; i >= 0; i-- {
		h := &o.hops[i]
		own := h.replied || !upstream && i == o.n-1
		h.Listener.leave(h, status, f, took, own)
	}
}
