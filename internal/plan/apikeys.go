package plan

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// KeyIssuer is the issuer of the request principals that API keys make:
// apikey/NAME.
const KeyIssuer = "apikey"

// APIKey is a key of a doorward.dev APIKeySet.
type APIKey struct {
	Origin  Origin
	Name    string
	Digests []apikey.Digest
	// Header is the field, in lower case, that may hold the key, beside Authorization.
	Header string
	// Forward leaves the key in the request.
	Forward bool
	// Broken tells why the key never works; "" for a sound one.
	Broken   string
	Disabled bool
	Expires  time.Time  // zero: never
	Scopes   []KeyScope // alternatives; none is everything
	// Token is what policies see of the key.
	Token *match.Token
	// Outputs are the fields that tell the application whose key it was.
	Outputs []header.Field
}

// refusal tells why a key that is known does not work now; "" if it does.
func (k *APIKey) refusal(now time.Time) string {
	switch {
	case k.Broken != "":
		return k.Broken
	case k.Disabled:
		return "it is disabled"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "it has expired"
	}
	return ""
}

// KeyRing is the keys that a workload takes.
type KeyRing struct {
	// By are the sets of the keys. The first is told where a key is unknown.
	By      []Origin
	Keys    int
	all     []*APIKey
	headers []string
	outputs []string
	found   map[apikey.Digest]*APIKey
}

// NewKeyRing makes the ring of keys, of the sets by. headers may hold keys, outputs
// may be filled by them; both are in lower case. Of two keys with one digest the
// first counts. Nothing may change afterwards.
func NewKeyRing(by []Origin, keys []*APIKey, headers, outputs []string) *KeyRing {
	r := &KeyRing{By: by, Keys: len(keys), all: keys, headers: headers, outputs: outputs, found: make(map[apikey.Digest]*APIKey, len(keys))}
	for _, k := range keys {
		for _, d := range k.Digests {
			if r.found[d] == nil && d != (apikey.Digest{}) {
				r.found[d] = k
			}
		}
	}
	return r
}

// All are the keys, in order. They must not be changed.
func (r *KeyRing) All() []*APIKey { return r.all }

// APIKeys is the Guard of a workload's APIKeySets: whoever brings a key must bring a
// good one, and who brings none passes. It comes before Tokens and removes what
// either fills.
type APIKeys struct {
	Ring    *KeyRing
	outputs []string
}

// NewAPIKeys makes the guard; tokens is the one behind it, or nil.
func NewAPIKeys(ring *KeyRing, tokens *Tokens) *APIKeys {
	g := &APIKeys{Ring: ring, outputs: ring.outputs}
	if tokens != nil {
		tokens.BesideKeys = true
		g.outputs = append(append([]string{}, ring.outputs...), tokens.outputs...)
	}
	return g
}

// Throttle bounds what one source may get wrong, and notes what was right. It is a part
// of World.
type Throttle interface {
	// WrongKey notes a wrong key from source. It returns how long the source must wait
	// if it has shown too many, and 0 if not.
	WrongKey(source netip.Addr, now time.Time) (wait time.Duration)
	// KeyUsed notes that a key has let a request in.
	KeyUsed(key apikey.Digest, now time.Time)
}

func (g *APIKeys) check(w *walk) bool {
	sanitise(w, g.outputs)
	if preflight(w.req) {
		return false // it cannot carry a key
	}
	place, text, n := g.Ring.find(w.req)
	switch {
	case keyInQuery(w.req):
		return w.refuseKey(g.Ring.By[0], "", " is in the URL, where logs keep it")
	case n == 0:
		return false
	case n > 1:
		return w.refuseKey(g.Ring.By[0], "", " is one of "+strconv.Itoa(n))
	}
	digest := apikey.Of(text)
	k := g.Ring.found[digest]
	if k == nil || place != authorization && place != k.Header {
		return w.refuseKey(g.Ring.By[0], "", " is unknown")
	}
	if why := k.refusal(w.world.Now()); why != "" {
		return w.refuseKey(k.Origin, k.Name, ": "+why)
	}
	if !k.covers(w.req) {
		return w.outOfScope(k)
	}
	k.accept(w, place)
	w.world.KeyUsed(digest, w.world.Now())
	return false
}

const authorization = "authorization"

// find returns the key of the request and the field that it is in, or how many it
// has. An Authorization field counts only if it is a Bearer with a key's prefix, so
// that tokens stay what they are.
func (r *KeyRing) find(q *match.Request) (place, text string, n int) {
	for i := range q.Header {
		f := &q.Header[i]
		v := f.Value
		if f.Name == authorization {
			if v = bearer(v); !strings.HasPrefix(v, apikey.Prefix) {
				continue
			}
		} else if !r.reads(f.Name) {
			continue
		}
		place, text = f.Name, v
		n++
	}
	return place, text, n
}

func (r *KeyRing) reads(name string) bool {
	for _, h := range r.headers {
		if h == name {
			return true
		}
	}
	return false
}

// bearer is what stands behind the scheme Bearer, whose letters' case does not count
// (RFC 9110 section 11.1).
func bearer(v string) string {
	const scheme = "bearer "
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimLeft(v[len(scheme):], " ")
}

// keyInQuery tells whether a query parameter is a key.
func keyInQuery(q *match.Request) bool {
	if !strings.Contains(q.Query, apikey.Prefix) {
		return false
	}
	for pair := range strings.SplitSeq(q.Query, "&") {
		if _, v, _ := strings.Cut(pair, "="); apikey.IsKey(v) {
			return true
		}
	}
	return false
}

// accept makes the key the request's identity.
func (k *APIKey) accept(w *walk, place string) {
	if w.tr != nil {
		w.tr.add("apikey", place+" has the key "+k.Name, k.Origin, true, "")
	}
	w.req.Token = k.Token
	if !k.Forward {
		removeField(&w.req.Header, place)
	}
	w.req.Header = append(w.req.Header, k.Outputs...)
}

// removeField removes a field, and those that applications may take for it.
func removeField(f *header.Fields, name string) {
	kept := (*f)[:0]
	for _, x := range *f {
		if len(x.Name) != len(name) || !sameHeader(name, x.Name) {
			kept = append(kept, x)
		}
	}
	clear((*f)[len(kept):])
	*f = kept
}

// refuseKey answers a key that does not work, in the same words whyever: who tries
// keys must not learn which exist. Too many from one source get 429.
func (w *walk) refuseKey(by Origin, name, why string) bool {
	reason := w.text.join("API key ", name, why)
	if name == "" {
		reason = w.text.join("an API key", "", why)
	}
	w.out.By = by
	if w.tr != nil {
		w.tr.add("apikey", "a key that does not work", by, false, reason)
	}
	if wait := w.world.WrongKey(w.req.Remote, w.world.Now()); wait > 0 {
		p := Reply{Status: 429, Body: "Too many wrong API keys", Reason: reason + "; too many wrong ones from " + w.req.Remote.String()}
		p.Header.Add("retry-after", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		w.reply(p)
		return true
	}
	p := Reply{Status: 401, Body: "API key is not accepted", Reason: reason}
	p.Header.Add("www-authenticate", w.challenge("invalid_token"))
	w.reply(p)
	return true
}

// outOfScope answers a good key where it does not reach (RFC 6750 section 3.1).
func (w *walk) outOfScope(k *APIKey) bool {
	reason := "no scope of API key " + k.Name + " covers " + w.req.Method + " " + w.req.Path + " of host " + w.req.Host
	w.out.By = k.Origin
	if w.tr != nil {
		w.tr.add("apikey", "the key "+k.Name, k.Origin, false, reason)
	}
	p := Reply{Status: 403, Body: "API key is not for this request", Reason: reason}
	p.Header.Add("www-authenticate", w.challenge("insufficient_scope"))
	w.reply(p)
	return true
}

// String tells the sets.
func (g *APIKeys) String() string {
	names := make([]string, 0, len(g.Ring.By))
	for _, o := range g.Ring.By {
		names = append(names, o.Ref.Namespace+"/"+o.Ref.Name)
	}
	return strconv.Itoa(g.Ring.Keys) + " API keys of " + strings.Join(names, ", ")
}
