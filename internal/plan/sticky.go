package plan

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/match"
)

// Sticky is the cookie by which the edge sends a browser to one endpoint (affinity:
// cookie). Its value is a key, and after "|" the mark of the upstream that it is for.
type Sticky struct {
	Name, Mark string
	Path       string
	Domain     string
	Expires    int    // seconds, told as a date; 0 is none
	MaxAge     string // seconds; "" is none
	SameSite   string
	// Secure, Insecure: always, or never; else over TLS.
	Secure, Insecure bool
}

// of is the key of a request. Any value of the cookie is one; without it the
// answer sets one.
func (s *Sticky) of(r *match.Request, world World) (key string, ok bool, setCookie string) {
	if v := cookieValue(r, s.Name); v != "" {
		key, _, _ = strings.Cut(v, "|")
		return key, true, ""
	}
	id := world.ID()
	key = hex.EncodeToString(id[:])
	return key, true, s.cookie(key, r.Secure, world.Now())
}

// cookie writes Set-Cookie as lua-resty-cookie does.
func (s *Sticky) cookie(key string, secure bool, now time.Time) string {
	var b strings.Builder
	b.WriteString(s.Name + "=" + key + "|" + s.Mark)
	add := func(name, value string) {
		if value != "" {
			b.WriteString("; " + name + "=" + value)
		}
	}
	if s.Expires != 0 {
		ends, layout := now.Add(time.Duration(s.Expires)*time.Second).UTC(), "Mon, 02-Jan-06 15:04:05 GMT"
		if ends.Year() > 2037 {
			layout = "Mon, 02-Jan-2006 15:04:05 GMT"
		}
		add("Expires", ends.Format(layout)) // ngx_http_cookie_time
	}
	add("Max-Age", s.MaxAge)
	add("Domain", s.Domain)
	add("Path", s.Path)
	if s.Secure || secure && !s.Insecure {
		b.WriteString("; Secure")
	}
	b.WriteString("; HttpOnly")
	add("SameSite", s.SameSite)
	return b.String()
}

// String tells the cookie.
func (s *Sticky) String() string { return "cookie " + strconv.Quote(s.Name) }
