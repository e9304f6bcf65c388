package plan

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/match"
)

// Hash is what a consistent hash is taken of (DestinationRule consistentHash).
// The first of Header, Cookie, SourceIP, Query, Target, Peer and Sticky that is set counts.
type Hash struct {
	Header string // lower case
	Cookie string
	// Generate sets a cookie where the request has none: ttl is written, 0s included.
	Generate   bool
	Path       string        // of the cookie that is set; "" for none
	TTL        time.Duration // whole seconds; 0 lasts as long as the browser's session
	Attributes []string      // further ones: "Secure", "SameSite=Lax"
	SourceIP   bool
	Query      string
	Target     bool    // the target as it came (upstream-hash-by $request_uri)
	Peer       bool    // the peer's address alone (upstream-hash-by $remote_addr)
	Sticky     *Sticky // the edge's cookie
	Ring       int     // minimumRingSize; 0 for the default, 1024
	Maglev     int     // table size; 0 for a ring
}

// Of returns the text that the hash of a request is taken of. ok is false when
// the request has none: any endpoint will do. setCookie is the Set-Cookie value
// that the answer gets ("" for none), whose own value is the text.
//
// The request is as the listener received it: Envoy takes the hash before the
// route's edits (hash_policy).
func (h *Hash) Of(r *match.Request, world World) (key string, ok bool, setCookie string) {
	switch {
	case h.Header != "":
		key, ok = headerKey(r, h.Header)
	case h.Cookie != "":
		if key = cookieValue(r, h.Cookie); key != "" || !h.Generate {
			return key, key != "", ""
		}
		id := world.ID()
		key = hex.EncodeToString(id[:8])
		return key, true, h.newCookie(key)
	case h.SourceIP:
		// The address that the listener takes the client for, trusted proxies
		// considered; whatever the client sent under this name is gone.
		key, ok = r.Header.Get("x-envoy-external-address")
		if !ok {
			key, ok = r.Peer.String(), r.Peer.IsValid()
		}
	case h.Query != "":
		key, ok = r.QueryValue(h.Query)
	case h.Target:
		key, ok = r.Target, true
	case h.Peer:
		key, ok = r.Peer.String(), r.Peer.IsValid()
	case h.Sticky != nil:
		return h.Sticky.of(r, world)
	}
	return key, ok, ""
}

// headerKey is the value of a header; the lines of a repeated one count in any
// order, as in Envoy.
func headerKey(r *match.Request, name string) (string, bool) {
	if name[0] == ':' || name == "host" {
		return r.Part(name)
	}
	var values []string
	first, n := "", 0
	for i := range r.Header {
		if r.Header[i].Name != name {
			continue
		}
		if n++; n == 1 {
			first = r.Header[i].Value
			continue
		}
		if values == nil {
			values = append(values, first)
		}
		values = append(values, r.Header[i].Value)
	}
	if n < 2 {
		return first, n == 1
	}
	slices.Sort(values)
	return strings.Join(values, "\x00"), true
}

// cookieValue is the value of the first cookie of a name, without the quotes
// around it; "" when there is none.
func cookieValue(r *match.Request, name string) string {
	for i := range r.Header {
		if r.Header[i].Name != "cookie" {
			continue
		}
		for rest := r.Header[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			k, v, ok := strings.Cut(strings.TrimLeft(pair, " "), "=")
			if !ok || k != name {
				continue
			}
			if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
				v = v[1 : len(v)-1]
			}
			return v
		}
	}
	return ""
}

// newCookie is the Set-Cookie value in Envoy's form (makeSetCookieValue).
func (h *Hash) newCookie(value string) string {
	var b strings.Builder
	b.WriteString(h.Cookie + `="` + value + `"`)
	if seconds := int64(h.TTL / time.Second); seconds != 0 {
		b.WriteString("; Max-Age=" + strconv.FormatInt(seconds, 10))
	}
	if h.Path != "" {
		b.WriteString("; Path=" + h.Path)
	}
	for _, a := range h.Attributes {
		b.WriteString("; " + a)
	}
	b.WriteString("; HttpOnly")
	return b.String()
}
