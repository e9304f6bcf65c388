package login

import (
	"net/url"
	"strings"
)

// maxTarget bounds the URL that a login remembers; a longer one loses its query, and
// then its path.
const maxTarget = 2048

// target is where a browser may be sent after a login or logout: a path with query of
// the host that it came by. wanted is what a parameter says: such a path, or a URL of
// this very scheme and host. Everything else is "/".
func target(wanted, scheme, host string) string {
	if rest, ok := strings.CutPrefix(wanted, scheme+"://"+host); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
		wanted = rest
		if !strings.HasPrefix(wanted, "/") {
			wanted = "/" + wanted
		}
	}
	// What browsers read as the beginning of a host: two slashes, of either kind, and
	// whatever they drop between them.
	if wanted == "" || wanted[0] != '/' || len(wanted) > 1 && (wanted[1] == '/' || wanted[1] == '\\') || !printable(wanted) {
		return "/"
	}
	if _, err := url.ParseRequestURI(wanted); err != nil {
		return "/"
	}
	return shorten(wanted)
}

// shorten cuts a target that is too long to remember.
func shorten(t string) string {
	if len(t) > maxTarget {
		t, _, _ = strings.Cut(t, "?")
	}
	if len(t) > maxTarget {
		return "/"
	}
	return t
}

// printable tells whether a text is visible ASCII, as a URL is on the wire.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// absolute makes a URL of a target. The host is before it in any case, so that nothing
// in the target can name another.
func absolute(scheme, host, target string) string { return scheme + "://" + host + target }

// goodHost tells whether a Host can stand in a URL: no path, user or blank hides in it.
func goodHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']') {
			return false
		}
	}
	return host != ""
}
