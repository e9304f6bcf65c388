package proxy

import (
	"time"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
)

// limits are those of all hops of an outcome together: the strictest of each
// kind, with the hop whose it is. That hop words the failure, and its policy
// decides about another attempt.
type limits struct {
	connect, send, idle time.Duration
	read, total, perTry time.Duration
	readBy, totalBy     int
}

// limitsOf reads the limits of o's hops. The connection is made by the last that
// has a route.
func limitsOf(o *plan.Outcome) limits {
	var l limits
	hops := o.Hops()
	for i := range hops {
		if hops[i].Route == nil {
			continue
		}
		f, ok := hops[i].Route.Action.(*plan.Forward)
		if !ok {
			continue
		}
		stricter(&l.send, f.Limits.Send)
		stricter(&l.idle, f.Limits.Idle)
		if stricter(&l.read, f.Limits.Read) {
			l.readBy = i
		}
		if stricter(&l.total, f.Limits.Total) {
			l.totalBy = i
		}
		if i == o.Forwarder() {
			l.connect, l.perTry = f.Limits.Connect, f.Retry.PerTry
		}
	}
	return l
}

// stricter sets limit to d where that is less; 0 is none.
func stricter(limit *time.Duration, d time.Duration) bool {
	if d <= 0 || *limit > 0 && *limit <= d {
		return false
	}
	*limit = d
	return true
}

// first is the limit for the head of the response, from the end of the request
// on.
func (l *limits) first() time.Duration {
	d := l.read
	stricter(&d, l.perTry)
	return d
}

// quiet is how long a tunnel may carry nothing.
func (l *limits) quiet() time.Duration {
	d := l.read
	stricter(&d, l.idle)
	return d
}

// firstBy is the hop whose limit first is.
func (l *limits) firstBy(last int) int {
	if l.perTry > 0 && (l.read <= 0 || l.perTry < l.read) {
		return last
	}
	return l.readBy
}

// sent notes that the request is whole and starts the limits that begin then.
func (x *exchange) sent(c *http1.ClientConn) {
	if left, ok := x.timeLeft(); ok {
		c.LimitTotal(max(left, 1))
	}
	from := x.asked
	if x.up.count > 0 { // a head alone is sent at once
		from = time.Now()
	}
	c.LimitFirstByte(from, x.limits.first())
	x.watch()
}

// now is the time, of which only the monotonic part is read: it is half the price.
func (x *exchange) now() time.Time { return x.record.Start.Add(time.Since(x.record.Start)) }

// timeLeft is what is left of the total limit, which starts with the first
// call; ok is false when there is none.
func (x *exchange) timeLeft() (left time.Duration, ok bool) {
	if x.limits.total <= 0 {
		return 0, false
	}
	if x.deadline.IsZero() {
		x.deadline = time.Now().Add(x.limits.total)
		return x.limits.total, true
	}
	return time.Until(x.deadline), true
}

// connectLimit bounds making a connection: by the hop's own limit, and by what
// is left of the total one once that has begun.
func (x *exchange) connectLimit() time.Duration {
	d := x.limits.connect
	if !x.deadline.IsZero() {
		if left := max(time.Until(x.deadline), 1); d <= 0 || left < d {
			d = left
		}
	}
	return d
}
