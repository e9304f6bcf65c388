package telemetry

import (
	"strings"

	"github.com/doorward/doorward/internal/plan"
)

// Flags are Envoy's response flags: what went wrong with a request beyond its
// status (Envoy, access log command operator RESPONSE_FLAGS).
type Flags uint16

const (
	NoHealthyUpstream     Flags = 1 << iota // UH
	UpstreamFailure                         // UF: no connection
	UpstreamOverflow                        // UO: a bound of the connection pool
	NoRoute                                 // NR: no host or route takes the request
	NoCluster                               // NC: the route's backend does not exist
	RetriesExceeded                         // URX: the last retry failed as well
	ClientGone                              // DC: nobody is left to answer
	UpstreamTermination                     // UC: the upstream's connection ended
	UpstreamTimeout                         // UT
	UpstreamProtocol                        // UPE: what came is no HTTP
	DelayInjected                           // DI: by a fault
	FaultInjected                           // FI: by a fault
	ClientProtocol                          // DPE: what the client sent is no HTTP
	UpstreamReset                           // UR: the upstream broke the response off
	StreamIdle                              // SI: nothing moved for too long
	UnauthorizedByService                   // UAEX: refused by an external authorizer
)

// flagNames are in the order of the constants. The array is never written to.
var flagNames = [...]string{"UH", "UF", "UO", "NR", "NC", "URX", "DC", "UC", "UT", "UPE", "DI", "FI", "DPE", "UR", "SI", "UAEX"}

// String joins Envoy's short names with commas; no flag is "-".
func (f Flags) String() string {
	if f == 0 {
		return "-"
	}
	if f&(f-1) == 0 { // one flag: no memory needed
		for i, name := range flagNames {
			if f == 1<<i {
				return name
			}
		}
	}
	var b strings.Builder
	for i, name := range flagNames {
		if f&(1<<i) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
	}
	return b.String()
}

// FlagsOf are the flags of a failure of the upstream.
func FlagsOf(f plan.Failure) Flags {
	switch f {
	case plan.ConnectFailure, plan.ConnectTimeout, plan.NotTLS:
		return UpstreamFailure
	case plan.Reset:
		return UpstreamTermination
	case plan.RemoteReset:
		return UpstreamReset
	case plan.Overflow:
		return UpstreamOverflow
	case plan.BadResponse, plan.HeaderTooBig:
		return UpstreamProtocol
	case plan.Timeout:
		return UpstreamTimeout
	case plan.NoneHealthy:
		return NoHealthyUpstream
	case plan.ClientGone:
		return ClientGone
	}
	return 0
}

// WalkFlags are the flags of what the walk itself decided: answers without a
// route or backend, and injected faults.
func WalkFlags(o *plan.Outcome) Flags {
	var f Flags
	if o == nil || len(o.Hops()) == 0 {
		return 0
	}
	if o.Delay > 0 {
		f |= DelayInjected
	}
	if o.Kind != plan.ToRespond {
		return f
	}
	if o.Unauthorized {
		return f | UnauthorizedByService
	}
	last := &o.Hops()[len(o.Hops())-1]
	switch {
	case last.Route == nil:
		if o.Reply.Status == 404 || o.Reply.IsGRPC && o.Reply.GRPC == 12 { // unimplemented stands for 404
			f |= NoRoute
		}
	case last.To != nil && last.To.Backend.Missing != "":
		f |= NoCluster
	case last.To != nil && last.To.Backend.Next == nil && len(last.To.Backend.Endpoints) == 0:
		f |= NoHealthyUpstream
	case last.To == nil && o.Reason == faultReason:
		f |= FaultInjected
	}
	return f
}

// faultReason is how plan.Fault tells an abort.
const faultReason = "fault injected by the route"
