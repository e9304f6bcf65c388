package login

import (
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
)

const (
	// partSize bounds the value of one cookie, so that with name and attributes it stays
	// under the 4096 bytes that browsers keep.
	partSize = 3800
	// maxParts bounds a session: 15,200 bytes.
	maxParts = 4
)

// cookie writes a Set-Cookie line. An age of 0 or less deletes the cookie.
func cookie(p *plan.LoginProvider, v *plan.Visit, name, value string, age time.Duration) string {
	var b strings.Builder
	b.WriteString(name + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(max(int(age/time.Second), 0)))
	if p.Domain != "" {
		b.WriteString("; Domain=" + p.Domain)
	}
	b.WriteString("; HttpOnly; SameSite=Lax")
	if v.Scheme == "https" {
		b.WriteString("; Secure")
	}
	return b.String()
}

// sessionCookies are the lines that store a sealed session in the place of what the
// browser has; false when it is too long. An empty session deletes.
func sessionCookies(p *plan.LoginProvider, v *plan.Visit, sealed string, age time.Duration) ([]string, bool) {
	var lines []string
	written := map[string]bool{}
	write := func(name, value string) {
		written[name] = true
		lines = append(lines, cookie(p, v, name, value, age))
	}
	switch {
	case sealed == "":
	case len(sealed) <= partSize:
		write(p.Cookie, sealed)
	case len(sealed) > partSize*maxParts:
		return nil, false
	default:
		for i := 0; sealed != ""; i++ {
			n := min(len(sealed), partSize)
			write(p.Cookie+"_"+strconv.Itoa(i), sealed[:n])
			sealed = sealed[n:]
		}
	}
	for _, c := range v.Cookies {
		if !written[c.Name] && !strings.HasPrefix(c.Name, p.Cookie+"_login_") {
			written[c.Name] = true
			lines = append(lines, cookie(p, v, c.Name, "", 0))
		}
	}
	return lines, true
}

// sealedSession joins the parts of a session; "" when there is none. Where a browser
// sends several cookies of one name the first is meant (RFC 6265, section 5.4).
func sealedSession(p *plan.LoginProvider, cookies header.Fields) string {
	if whole := cookies.Value(p.Cookie); whole != "" {
		return whole
	}
	var joined strings.Builder
	for i := range maxParts {
		part, ok := cookies.Get(p.Cookie + "_" + strconv.Itoa(i))
		if !ok {
			break
		}
		joined.WriteString(part)
	}
	return joined.String()
}
