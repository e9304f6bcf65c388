package proxy

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// live is the world of a running server. Request ids need to be unlike each
// other, not secret; the runtime's source is a ChaCha8 with a random seed.
type live struct {
	plan.Verifier
	plan.Authorizer
	plan.Loginer
	plan.Throttle
	plan.Meter
	plan.Passwords
}

// newLive returns the live world with what Options bring; what they do not
// bring is closed.
func newLive(o *Options) live {
	w := live{plan.Closed{}, plan.Closed{}, plan.Closed{}, plan.Closed{}, plan.Closed{}, plan.Closed{}}
	if o.Verifier != nil {
		w.Verifier = o.Verifier
	}
	if o.Throttle != nil {
		w.Throttle = o.Throttle
	}
	if o.Passwords != nil {
		w.Passwords = o.Passwords
	}
	if o.Meter != nil {
		w.Meter = o.Meter
	}
	return w
}

func (live) Now() time.Time  { return time.Now() }
func (live) Chance() float64 { return rand.Float64() }
func (live) ID() (id [16]byte) {
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// world is the world of one exchange: it can ask an authorizer, for as long as the
// client is there.
type world struct {
	plan.World
	x *exchange
}

// Ask sends a check, with the body where the provider wants it.
func (w *world) Ask(p *plan.Provider, c *plan.Check) plan.Verdict {
	x := w.x
	if p.Body > 0 {
		if err := x.up.read(p.Body, p.PartialBody, x.out.MaxBody); err != nil {
			return plan.Verdict{Err: err}
		}
		if x.up.count > 0 {
			c.CarryBody(p, x.up.kept, x.up.whole || x.up.count == x.req.ContentLength)
		}
	}
	if x.p.o.Authorizer == nil {
		return w.World.Ask(p, c)
	}
	x.watch()
	v := x.p.o.Authorizer.Ask(x.ctx, p, c)
	if x.ctx.Err() != nil {
		x.gone.Store(true)
	}
	return v
}

// maxLogoutToken bounds the body of a back-channel logout in bytes.
const maxLogoutToken = 32 << 10

// Login answers a visit of a login, with the body where it is a logout by the provider.
func (w *world) Login(p *plan.LoginProvider, v *plan.Visit) plan.Entry {
	x := w.x
	if x.p.o.Logins == nil {
		return w.World.Login(p, v)
	}
	if v.Page == plan.LoginBackchannel {
		if x.req.ContentLength > maxLogoutToken || x.up.read(maxLogoutToken, false, x.out.MaxBody) != nil {
			return plan.Entry{Reply: &plan.Reply{Status: 413}, Why: "the logout token is too long"}
		}
		v.Body = x.up.kept
	}
	x.watch()
	e := x.p.o.Logins.Login(x.ctx, p, v)
	if x.ctx.Err() != nil {
		x.gone.Store(true)
	}
	return e
}
