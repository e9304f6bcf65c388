package probe

import (
	"fmt"
	"net/url"
	"strings"
)

// resolve reads a URL relative to base as browsers do (WHATWG URL): blanks around it and
// line ends in it do not count, a backslash is a slash, and what a URL cannot hold is
// encoded rather than refused.
func resolve(base *url.URL, written string) (*url.URL, error) {
	var b strings.Builder
	query := false
	text := strings.TrimFunc(written, func(r rune) bool { return r <= ' ' })
	for i := 0; i < len(text); i++ {
		c := text[i]
		query = query || c == '?' || c == '#'
		switch {
		case c == '\t' || c == '\n' || c == '\r':
		case c == '\\' && !query:
			b.WriteByte('/')
		case c <= ' ' || c == 0x7f || c == '%' && !encoded(text[i:]):
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return base.Parse(b.String())
}

// encoded tells whether s begins with a percent sign and two digits.
func encoded(s string) bool {
	hex := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
	return len(s) > 2 && hex(s[1]) && hex(s[2])
}
