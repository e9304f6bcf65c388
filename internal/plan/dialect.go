package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// enter edits a request on its way in, before any rule is read.
func (l *Listener) enter(w *walk) bool {
	switch l.Dialect {
	case NGINX:
		return l.enterNGINX(w)
	case Sidecar:
		return l.enterSidecar(w)
	case Service:
		return true
	}
	return l.enterEnvoy(w)
}

// hostName is the name that the virtual host is looked up by: without port, in lower
// case. NGINX leaves out a dot at its end; to Envoy that is another name.
func (l *Listener) hostName(r *match.Request) string {
	name := r.Name()
	if l.Dialect == Envoy && (strings.HasSuffix(r.Host, ".") || strings.Contains(r.Host, ".:")) {
		return name + "."
	}
	return name
}

// outside is the scheme and host that the client has connected to, as the listener
// believes. The edge's own answer counts, not what it tells the hops behind it.
func (l *Listener) outside(r *match.Request) (scheme, host string) {
	if l.Dialect == NGINX {
		scheme, _, host = l.edge().believed(r)
	} else {
		scheme, host = r.Scheme, r.Host
	}
	if scheme != "https" {
		scheme = "http"
	}
	return scheme, host
}

// send edits a request on its way out to a backend.
func (l *Listener) send(w *walk, f *Forward) {
	switch l.Dialect {
	case NGINX:
		l.sendNGINX(w)
	case Envoy:
		l.sendEnvoy(w, f)
	}
}

// leave edits a response on its way back; own says that this hop made it.
func (l *Listener) leave(h *Hop, status int, f *header.Fields, took time.Duration, own bool) {
	if h.To != nil && h.To.Headers != nil && !own {
		h.To.Headers.Response.apply(f, h, status)
	}
	if h.Route != nil {
		for _, flt := range slices.Backward(h.Route.Filters) {
			if _, edits := flt.(*HeaderRoute); edits && own && !h.acted {
				continue // edits are for what the route brings, not for failures
			}
			flt.respond(h, status, f)
		}
	}
	if l.Dialect != NGINX || keepsCookies(status) {
		h.allowed.editAnswer(f)
	}
	switch l.Dialect {
	case NGINX:
		l.leaveNGINX(h, f)
	case Envoy:
		l.leaveEnvoy(status, f, took, own)
	case Sidecar:
		l.leaveSidecar(f, took, own)
	}
}

// render gives a reply of this listener the form of its layer.
func (l *Listener) render(r *match.Request, p Reply) Reply {
	if l.Dialect == NGINX {
		return renderNGINX(r, p)
	}
	return renderEnvoy(r, p)
}

// unreachableStatus is what the layer before l answers when l takes no
// connection.
func (l *Listener) unreachableStatus() int {
	if l.Dialect == NGINX {
		return 502
	}
	return 503
}

// missing is the answer for a backend that does not exist: Envoy's empty 503
// for an unknown cluster, the edge's 503.
func (l *Listener) missing(b *Backend) Reply {
	return Reply{Status: 503, Reason: b.Missing}
}

// noEndpoint is the answer for a backend without a ready endpoint.
func (l *Listener) noEndpoint(b *Backend) Reply {
	r := Reply{Status: 503, Reason: "no ready endpoint of " + b.Key}
	if l.Dialect != NGINX {
		r.Body = "no healthy upstream"
	}
	return r
}

// Failure is why an upstream gave no answer.
type Failure uint8

const (
	ConnectFailure Failure = iota
	ConnectTimeout
	Reset        // the connection ended before the answer's head
	Overflow     // a bound of the connection pool is reached
	BadResponse  // what came is not HTTP
	Timeout      // no answer in time
	NoneHealthy  // every endpoint is out
	HeaderTooBig // the answer's head is over the limit
	ClientGone   // nobody is left to answer
	RemoteReset  // the upstream ended the stream, not the connection (HTTP/2)
	NotTLS       // mutual TLS was begun with who speaks none
)

// Fail is the answer of listener l to a failure; retried says that an earlier
// try failed as well.
func (l *Listener) Fail(r *match.Request, f Failure, retried bool) Reply {
	if l.Dialect == NGINX {
		status := 502
		switch f {
		case Timeout, ConnectTimeout:
			status = 504
		case NoneHealthy, Overflow:
			status = 503
		}
		return renderNGINX(r, Reply{Status: status, Reason: f.String()})
	}
	prefix := "upstream connect error or disconnect/reset before headers. "
	if retried {
		prefix += "retried and the latest "
	}
	p := Reply{Status: 503, Reason: f.String()}
	switch f {
	case ConnectFailure:
		p.Body = prefix + "reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"
	case ConnectTimeout:
		p.Body = prefix + "reset reason: connection timeout"
	case Reset:
		p.Body = prefix + "reset reason: connection termination"
	case NotTLS:
		p.Body = prefix + "reset reason: remote connection failure, transport failure reason: " +
			"TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end"
	case RemoteReset:
		p.Body = prefix + "reset reason: remote reset"
	case Overflow:
		p.Body = prefix + "reset reason: overflow"
		p.Header.Add("x-envoy-overloaded", "true")
	case BadResponse, HeaderTooBig:
		p.Status = 502
		p.Body = prefix + "reset reason: protocol error"
	case Timeout:
		p.Status, p.Body = 504, "upstream request timeout"
	case NoneHealthy:
		p.Body = "no healthy upstream"
	}
	return renderEnvoy(r, p)
}

// String names the failure in the words of metrics and logs.
func (f Failure) String() string {
	return [...]string{"connection failure", "connection timeout", "connection termination", "overflow", "protocol error",
		"upstream timeout", "no healthy upstream", "upstream header too big", "client gone", "remote reset", "no TLS"}[f]
}
