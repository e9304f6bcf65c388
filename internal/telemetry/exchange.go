package telemetry

import (
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// Exchange is one request and what became of it. The one who records it owns
// it: nothing here keeps it, or anything that it points to.
type Exchange struct {
	// Listener is where the request came in: "edge" or NAMESPACE/SERVICE:PORT.
	Listener string
	// Outcome is what the walk decided; nil for a message that was refused
	// before it was a request.
	Outcome *plan.Outcome

	Start    time.Time
	Duration time.Duration // to the last byte
	// Wait is the time from sending the request on to the head of the
	// response; -1 when no response came from an upstream.
	Wait time.Duration

	// What the client sent, before any hop changed it.
	Client    netip.AddrPort
	Secure    bool
	Method    string
	Host      string
	Target    string // path and query
	Major     int    // of the HTTP version
	Minor     int
	UserAgent string
	Referer   string
	Forwarded string // X-Forwarded-For
	RequestID string

	// What came back.
	Status   int
	Received int64 // bytes of the request's body
	Sent     int64 // bytes of the response's body
	GRPC     bool  // the request is a gRPC call
	// Endpoint is the upstream's address, "" when none was asked.
	Endpoint       string
	UpstreamStatus int // 0 when none answered
	Attempts       int // tries towards upstreams
	Flags          Flags
	// Reason says in words why Doorward itself answered, or what broke.
	Reason string
}

// protocol is HTTP/1.1 and its kin, as logs write it.
func (x *Exchange) protocol() string {
	switch {
	case x.Major == 2:
		return "HTTP/2.0"
	case x.Major == 3:
		return "HTTP/3.0"
	case x.Minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}
