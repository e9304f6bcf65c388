package apikey

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// UsesFile is where the state directory keeps when keys were last used.
const UsesFile = "apikey-uses.json"

// Uses remember when each key was last used, to the minute. They outlive plans, and
// hold no more than the keys that ever worked. The zero value is ready.
type Uses struct {
	changed atomic.Bool
	by      sync.Map // of Digest to *atomic.Int64, minutes since 1970
}

// KeyUsed notes that a good key was used. It costs nothing when it was within the minute.
func (u *Uses) KeyUsed(d Digest, now time.Time) {
	at, ok := u.by.Load(d)
	if !ok {
		at, _ = u.by.LoadOrStore(d, new(atomic.Int64))
	}
	minute := now.Unix() / 60
	if last := at.(*atomic.Int64); last.Load() < minute {
		last.Store(minute)
		u.changed.Store(true)
	}
}

// Last is when a key was last used; zero if never.
func (u *Uses) Last(d Digest) time.Time {
	if at, ok := u.by.Load(d); ok {
		return time.Unix(60*at.(*atomic.Int64).Load(), 0).UTC()
	}
	return time.Time{}
}

// Changed tells whether some key was used since it was last asked.
func (u *Uses) Changed() bool { return u.changed.Swap(false) }

// MarshalJSON writes the uses as an object of times by digest.
func (u *Uses) MarshalJSON() ([]byte, error) {
	all := map[string]time.Time{}
	u.by.Range(func(d, _ any) bool {
		all[d.(Digest).String()] = u.Last(d.(Digest))
		return true
	})
	return json.Marshal(all)
}

// UnmarshalJSON adds what MarshalJSON has written.
func (u *Uses) UnmarshalJSON(data []byte) error {
	var all map[string]time.Time
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for text, at := range all {
		digest, err := hex.DecodeString(strings.TrimPrefix(text, algorithm))
		if err == nil && len(digest) == len(Digest{}) {
			u.KeyUsed(Digest(digest), at)
		}
	}
	u.changed.Store(false)
	return nil
}
