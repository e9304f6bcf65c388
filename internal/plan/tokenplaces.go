package plan

import (
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// tokenPlace is the kind of place that a token is found in.
type tokenPlace uint8

const (
	inHeader tokenPlace = iota
	inParam
	inCookie
)

// foundToken is a token and where it was found.
type foundToken struct {
	token string
	place tokenPlace
	name  string
}

func (f *foundToken) String() string {
	return [...]string{"header ", "query parameter ", "cookie "}[f.place] + f.name
}

// defaultTokenHeader is where a token is when the rule names no place; so is
// the query parameter access_token (RFC 6750).
var defaultTokenHeader = TokenHeader{Name: "authorization", Prefix: "Bearer "}

const defaultTokenParam = "access_token"

// find appends the tokens in the places of the rule: headers, then query
// parameters, then cookies (Envoy, jwt_authn extractor).
func (r *TokenRule) find(q *match.Request, found []foundToken) []foundToken {
	if len(r.FromHeaders)+len(r.FromParams)+len(r.FromCookies) == 0 {
		found = defaultTokenHeader.find(q.Header, found)
		return findParam(q, defaultTokenParam, found)
	}
	for i := range r.FromHeaders {
		found = r.FromHeaders[i].find(q.Header, found)
	}
	for _, name := range r.FromParams {
		found = findParam(q, name, found)
	}
	for _, name := range r.FromCookies {
		if v, ok := cookie(q.Header, name); ok {
			found = append(found, foundToken{v, inCookie, name})
		}
	}
	return found
}

// find takes every copy of the header. The prefix may stand anywhere in it; what
// follows is the token, from the first letter on that a token can have.
func (h *TokenHeader) find(f header.Fields, found []foundToken) []foundToken {
	for i := range f {
		if f[i].Name != h.Name {
			continue
		}
		v := f[i].Value
		if h.Prefix != "" {
			at := strings.Index(v, h.Prefix)
			if at < 0 {
				continue
			}
			rest := v[at+len(h.Prefix):]
			if start := strings.IndexFunc(rest, inToken); start >= 0 {
				v = rest[start:]
			}
		}
		found = append(found, foundToken{v, inHeader, h.Name})
	}
	return found
}

// inToken tells a letter of base64url, or the dot.
func inToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.'
}

// findParam takes the first query parameter of the name; names and values are
// percent-decoded.
func findParam(q *match.Request, name string, found []foundToken) []foundToken {
	for rest := q.Query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if k, v, _ := strings.Cut(pair, "="); isParam(k, name) {
			return append(found, foundToken{percentDecode(v), inParam, name})
		}
	}
	return found
}

func isParam(written, name string) bool { return written == name || percentDecode(written) == name }

// percentDecode decodes %XX; a text that is no such encoding stays as it is.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// cookie returns the first cookie of the name, without the quotes around it
// (Envoy, parseCookies).
func cookie(f header.Fields, name string) (string, bool) {
	for i := range f {
		if f[i].Name != "cookie" {
			continue
		}
		for rest := f[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			k, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || k != name {
				continue
			}
			if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
				v = v[1 : len(v)-1]
			}
			return v, true
		}
	}
	return "", false
}

// remove takes the token out of the request: every copy of its header, or every
// parameter of its name. The other parameters stay byte for byte. Cookies stay,
// as with Envoy.
func (f *foundToken) remove(q *match.Request) {
	switch f.place {
	case inHeader:
		q.Header.Del(f.name)
	case inParam:
		var kept []string
		for pair := range strings.SplitSeq(q.Query, "&") {
			if k, _, _ := strings.Cut(pair, "="); !isParam(k, f.name) {
				kept = append(kept, pair)
			}
		}
		q.Query, q.HasQuery = strings.Join(kept, "&"), len(kept) > 0
		q.SetPath(q.Path)
	}
}
