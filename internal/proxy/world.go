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
}

// newLive returns the live world with what Options bring; what they do not
// bring is closed.
func newLive(o *Options) live {
	w := live{plan.Closed{}, plan.Closed{}}
	if o.Verifier != nil {
		w.Verifier = o.Verifier
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
