package jwt

import (
	"hash/maphash"
	"sync"

	"github.com/doorward/doorward/internal/match"
)

// cache keeps tokens whose signature was verified. It is two generations: what
// is used moves to the young one; when that is full it becomes the old one, and
// what was in the old one and not used since is forgotten. So memory is bounded
// and nothing need be sorted. Only good tokens are kept: bad ones come in any
// number.
type cache struct {
	seed maphash.Seed
	// Bounds of one generation.
	entries, bytes int

	mu         sync.RWMutex // guards:
	young, old map[uint64]*verified
	size       int // bytes of the young generation
}

// verified is a token, and the keys that verified it: under other keys it must
// be verified anew.
type verified struct {
	token              *match.Token
	keys               *keys
	expires, notBefore uint64
}

func newCache() *cache {
	return &cache{seed: maphash.MakeSeed(), entries: 8192, bytes: 16 << 20, young: map[uint64]*verified{}}
}

// get finds a token that was verified by keys; nil if there is none. The whole
// token is compared, so a collision of hashes finds nothing.
func (c *cache) get(token string, by *keys) *verified {
	h := maphash.String(c.seed, token)
	c.mu.RLock()
	v, young := c.young[h]
	if !young {
		v = c.old[h]
	}
	c.mu.RUnlock()
	if v == nil || v.keys != by || v.token.Raw != token {
		return nil
	}
	if !young {
		c.put(v)
	}
	return v
}

func (c *cache) put(v *verified) {
	h := maphash.String(c.seed, v.token.Raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.entries || c.size >= c.bytes {
		c.old, c.young, c.size = c.young, map[uint64]*verified{}, 0
	}
	if _, again := c.young[h]; !again {
		c.size += cost(v)
	}
	c.young[h] = v
}

// cost estimates the memory of an entry: the token, its claims read, and what
// holds them.
func cost(v *verified) int { return 4*len(v.token.Raw) + 512 }
