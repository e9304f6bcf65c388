// Package meter counts how often clients ask. Its counts outlive plans.
package meter

import (
	"net/netip"
	"sync"
	"time"
)

// maxBuckets bounds the buckets of one generation that are remembered.
const maxBuckets = 65536

// Buckets are leaky buckets, one for each zone and client, as NGINX's limit_req
// has them. Their memory is bounded: they are kept in two generations, and those
// of clients that did not ask during a whole one are forgotten, which only lets
// them ask again. The zero value is ready.
type Buckets struct {
	mu         sync.Mutex
	young, old map[key]bucket
}

type key struct {
	zone   string
	client netip.Addr
}

// bucket is how much was in it, in thousandths of a request, and when.
type bucket struct {
	excess int64
	at     time.Time
}

// Drip puts a request into the bucket of a zone and client, which leaks perMinute
// and has room for burst beside the one. It is false, and the bucket as before,
// when it has no room.
func (b *Buckets) Drip(zone string, client netip.Addr, perMinute, burst int, now time.Time) bool {
	k := key{zone, client}
	b.mu.Lock()
	defer b.mu.Unlock()
	was, young := b.young[k]
	known := young
	if !young {
		was, known = b.old[k]
	}
	next := bucket{at: now}
	if known {
		// The clock may have been set back.
		passed := max(now.Sub(was.at), 0).Milliseconds()
		next.excess = max(was.excess-int64(perMinute)*passed/60+1000, 0)
		if next.excess > int64(burst)*1000 {
			return false
		}
	}
	if !young && len(b.young) >= maxBuckets || b.young == nil {
		b.young, b.old = map[key]bucket{}, b.young
	}
	b.young[k] = next
	return true
}
