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
	inside     map[key]int // requests under way
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
	known, ok := young, true
	if !young {
		was, known = b.old[k]
	}
	next := bucket{at: now}
	if known {
		// The clock may have been set back.
		passed := max(now.Sub(was.at), 0).Milliseconds()
		next.excess = max(was.excess-int64(perMinute)*passed/60+1000, 0)
		if next.excess > int64(burst)*1000 {
			next, ok = was, false // who is refused has asked, too, and is not forgotten
		}
	}
	if !young && len(b.young) >= maxBuckets || b.young == nil {
		b.young, b.old = map[key]bucket{}, b.young
	}
	b.young[k] = next
	return ok
}

// Enter notes that a request of client to zone is under way, until leave is called. It
// is false when there are most of them already.
func (b *Buckets) Enter(zone string, client netip.Addr, most int) (leave func(), ok bool) {
	k := key{zone, client}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inside[k] >= most {
		return nil, false
	}
	if b.inside == nil {
		b.inside = map[key]int{}
	}
	b.inside[k]++
	return func() { b.leave(k) }, true
}

func (b *Buckets) leave(k key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inside[k]--; b.inside[k] <= 0 {
		delete(b.inside, k)
	}
}
