package plan

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// KeyScope is a part of all requests that a key is for. What is empty is anything.
type KeyScope struct {
	Hosts   []string // exact or "*.suffix", in lower case
	Paths   []string // prefixes by elements, without a slash at the end; "" is every path
	Methods []string
}

// covers tells whether one of the scopes covers the request.
func (k *APIKey) covers(q *match.Request) bool {
	if len(k.Scopes) == 0 {
		return true
	}
	for i := range k.Scopes {
		if k.Scopes[i].covers(q) {
			return true
		}
	}
	return false
}

func (s *KeyScope) covers(q *match.Request) bool {
	if len(s.Methods) > 0 && !slices.Contains(s.Methods, q.Method) {
		return false
	}
	if len(s.Hosts) > 0 {
		name := q.Name()
		if !slices.ContainsFunc(s.Hosts, func(host string) bool { return nameScore(host, name) >= 0 }) {
			return false
		}
	}
	return len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(prefix string) bool { return below(prefix, q.Path) })
}

// below tells whether path is prefix or below it, whoever reads it: an application
// that decodes more than this hop must not find a way out of the prefix.
func below(prefix, path string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return false
	}
	return prefix == "" || !climbs(rest)
}

// climbs tells whether an element of a path is "..", also behind encoded slashes and
// dots, backslashes, or with parameters ("..;x").
func climbs(path string) bool {
	dots, only := 0, true // of the element at hand
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			switch strings.ToLower(path[i+1 : i+3]) {
			case "2f", "5c":
				c, i = '/', i+2
			case "2e":
				c, i = '.', i+2
			case "3b":
				c, i = ';', i+2
			}
		}
		switch c {
		case '/', '\\':
			if only && dots == 2 {
				return true
			}
			dots, only = 0, true
		case ';':
			if only && dots == 2 {
				return true
			}
			only = false
		case '.':
			dots++
		default:
			only = false
		}
	}
	return only && dots == 2
}
