package plan

import (
	"errors"
	"time"

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
}

// Closed is the Verifier and Authorizer of a world that has none: it accepts no
// token and lets nobody in.
type Closed struct{}

// Verify accepts no token.
func (Closed) Verify(*TokenRule, string, time.Time) (*match.Token, TokenFailure) {
	return nil, TokenFailure{Text: "Jwks remote fetch is failed", Status: 401, Reason: "tokens cannot be verified here"}
}

// Ask has no verdict.
func (Closed) Ask(*Provider, *Check) Verdict {
	return Verdict{Err: errors.New("there is no external authorizer here")}
}
