package upstream

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// Defaults of DestinationRule outlierDetection.
const (
	defaultInterval        = 10 * time.Second
	defaultEjection        = 30 * time.Second
	defaultEjectionPercent = 10
	// maxEjection is the longest ejection, unless the base is longer (Envoy's
	// max_ejection_time).
	maxEjection = 300 * time.Second
)

// Result is how an exchange with an endpoint ended: the response's status code
// (for gRPC the code that its status stands for), or one of the constants.
type Result int

const (
	// NoResult says nothing about the endpoint: the client went away.
	NoResult Result = 0
	// ConnectFailed means that there was no connection. It counts as a 503.
	ConnectFailed Result = -1
	// TimedOut means that the response did not come in time. It counts as a 504.
	TimedOut Result = -2
	// WasReset means that the connection or stream broke before the response
	// was there. It counts as a 503.
	WasReset Result = -3
)

// status is the code that a result counts as.
func (r Result) status() int {
	switch r {
	case ConnectFailed, WasReset:
		return 503
	case TimedOut:
		return 504
	}
	return int(r)
}

// Ejection tells that an endpoint gets no requests for a while (DestinationRule
// outlierDetection).
type Ejection struct {
	Backend string // "Service myapp/myapp-service:80"
	Key     string // the backend's
	Address string
	Reason  string // "5 consecutive 5xx"
	For     time.Duration
	Times   int // how often in a row, this time included
}

// health is what outlier detection knows of an endpoint.
type health struct {
	errors, gateway, local streak
	until                  atomic.Int64 // ejected until then; 0: not ejected
	ejections              atomic.Uint64

	// Guarded by the cluster's mu.
	times int   // ejections in a row
	back  int64 // when the last one ended
}

// streak counts failures in a row.
type streak struct{ n atomic.Int32 }

// count adds a failure or ends the streak, and tells whether limit is reached;
// counting then begins anew. limit 0 never is.
func (s *streak) count(failure bool, limit int) bool {
	if !failure {
		if s.n.Load() != 0 {
			s.n.Store(0)
		}
		return false
	}
	if n := s.n.Add(1); limit <= 0 || int(n) < limit {
		return false
	}
	s.n.Store(0)
	return true
}

// judge counts r and ejects the endpoint when it is enough. Failures of ours to
// reach it are status codes too, unless the rule splits the two kinds.
func (e *Endpoint) judge(o *plan.Outlier, r Result) {
	h := &e.health
	if o.SplitLocal {
		if h.local.count(r < 0, o.ConsecutiveLocal) {
			e.eject(fmt.Sprintf("%d consecutive connection failures, resets or timeouts", o.ConsecutiveLocal))
		}
		if r < 0 {
			return
		}
	}
	code := r.status()
	if h.gateway.count(code >= 502 && code <= 504, o.ConsecutiveGateway) {
		e.eject(fmt.Sprintf("%d consecutive gateway errors (502, 503, 504)", o.ConsecutiveGateway))
	}
	if h.errors.count(code >= 500, o.Consecutive5xx) {
		e.eject(fmt.Sprintf("%d consecutive 5xx", o.Consecutive5xx))
	}
}

// eject takes the endpoint out, if the rule allows one more to be out. It stays
// out for the base time, multiplied by how often it has been ejected; an interval
// in good health takes one off that number.
func (e *Endpoint) eject(reason string) {
	c, h := e.cluster, &e.health
	c.mu.Lock()
	s, now := c.state.Load(), c.m.now()
	if s.outlier == nil || h.until.Load() > now || !s.mayEject(e, now) {
		c.mu.Unlock()
		return
	}
	if h.times > 0 {
		h.times = max(0, h.times-int((now-h.back)/int64(s.outlier.Interval)))
	}
	base := s.outlier.BaseEjection
	most := max(maxEjection, base)
	if time.Duration(h.times)*base < most+base {
		h.times++
	}
	out := min(time.Duration(h.times)*base, most)
	h.until.Store(now + int64(out))
	told := Ejection{c.name, c.id.key, e.address, reason, out, h.times}
	h.ejections.Add(1)
	c.ejections.Add(1)
	c.rebuild()
	c.mu.Unlock()
	if c.m.options.Ejected != nil {
		c.m.options.Ejected(told)
	}
}

// mayEject tells whether e, one of the members, may be out together with those
// that are. The percentage holds for the first one too: of three endpoints 10%
// is none (Envoy without always_eject_one_host, which Istio does not set).
func (s *state) mayEject(e *Endpoint, now int64) bool {
	out, mine := 0, false
	for _, m := range s.members {
		mine = mine || m.endpoint == e
		if m.endpoint.health.until.Load() > now {
			out++
		}
	}
	return mine && (out+1)*100 <= s.outlier.MaxEjectionPercent*len(s.members)
}

// refresh returns until when the endpoint is ejected, 0 if it is not (any
// more). The cluster's mu is held.
func (e *Endpoint) refresh(detecting bool, now int64) int64 {
	h := &e.health
	until := h.until.Load()
	if until > now && detecting {
		return until
	}
	if until != 0 {
		h.until.Store(0)
		h.back = min(until, now)
		h.errors.n.Store(0)
		h.gateway.n.Store(0)
		h.local.n.Store(0)
	}
	if !detecting {
		h.times = 0
	}
	return 0
}
