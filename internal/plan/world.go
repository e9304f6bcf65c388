package plan

import (
	"errors"
	"net/netip"
	"time"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/match"
)

// World is the only door from a walk to what is not data. The server's is
// live; the offline tools' is fixed, so that they repeat.
type World interface {
	Now() time.Time
	// Chance returns a number in [0, 1).
	Chance() float64
	// ID returns 16 random bytes for a request id.
	ID() [16]byte
	Verifier
	Authorizer
	Loginer
	Throttle
	Meter
	Passwords
}

// Closed is what a world has that lacks the rest: it accepts no token, lets nobody in and
// counts nothing.
type Closed struct{}

// Verify accepts no token.
func (Closed) Verify(*TokenRule, string, time.Time) (*match.Token, TokenFailure) {
	return nil, TokenFailure{Text: "Jwt verification fails", Status: 401, Reason: "tokens cannot be verified here"}
}

// Ask has no verdict.
func (Closed) Ask(*Provider, *Check) Verdict {
	return Verdict{Err: errors.New("there is no external authorizer here")}
}

// Login knows nobody: it tells where people would be sent, and programs that they must
// log in.
func (Closed) Login(p *LoginProvider, v *Visit) Entry {
	e := Entry{Reply: &Reply{Status: 401, Body: "login required"}, Why: "nobody is logged in"}
	if v.Navigation {
		e.Reply, e.Why = &Reply{Status: 302}, "sent to log in at "+p.Issuer
		e.Reply.Header.Add("location", p.Issuer)
	}
	e.Reply.Reason = e.Why
	return e
}

// WrongKey counts nothing.
func (Closed) WrongKey(netip.Addr, time.Time) time.Duration { return 0 }

// KeyUsed notes nothing.
func (Closed) KeyUsed(apikey.Digest, time.Time) {}

// Drip counts nothing.
func (Closed) Drip(string, netip.Addr, int, int, time.Time) bool { return true }

// Password fits nothing.
func (Closed) Password(string, string) bool { return false }

// Enter counts nothing.
func (Closed) Enter(string, netip.Addr, int) (leave func(), ok bool) { return func() {}, true }
