package match

import (
	"errors"
	"strings"
)

// pathTemplate is a path with {*} for one segment and {**} for the rest of the
// path, as Envoy's URI templates match it: /foo/{*}/bar/{**}.
type pathTemplate struct {
	segments []string // before {**}; "" with one set in single is {*}
	single   []bool
	deep     bool   // {**} comes next
	tail     string // and then this
	lead     string // up to the first operator
}

func isTemplate(s string) bool { return strings.Contains(s, "{*}") || strings.Contains(s, "{**}") }

// parseTemplate reads a template (Istio, CheckValidPathTemplate).
func parseTemplate(s string) (*pathTemplate, error) {
	rest, ok := strings.CutPrefix(s, "/")
	if !ok {
		return nil, errors.New(`a path begins with "/"`)
	}
	t := &pathTemplate{lead: s[:strings.IndexByte(s, '{')]}
	for first := true; first || rest != ""; first = false {
		segment, more, slash := strings.Cut(rest, "/")
		last := slash && more == ""
		switch {
		case segment == "{**}" && t.deep, segment == "{*}" && t.deep:
			return nil, errors.New("{**} must be the last operator")
		case segment == "{**}":
			t.deep = true
			if last {
				t.tail = "/"
			}
		case segment != "{*}" && !isLiteral(segment):
			return nil, errors.New("a segment is {*}, {**} or plain text without * { }")
		case t.deep:
			t.tail += "/" + segment
			if last {
				t.tail += "/"
			}
		default:
			t.add(segment)
		}
		if last && !t.deep {
			t.segments, t.single = append(t.segments, ""), append(t.single, false)
		}
		rest = more
	}
	return t, nil
}

func (t *pathTemplate) add(segment string) {
	single := segment == "{*}"
	if single {
		segment = ""
	}
	t.segments, t.single = append(t.segments, segment), append(t.single, single)
}

// match tells whether the template covers the whole path.
func (t *pathTemplate) match(path string) bool {
	for i, want := range t.segments {
		if path == "" || path[0] != '/' {
			return false
		}
		end := 1
		for end < len(path) && path[end] != '/' {
			end++
		}
		got := path[1:end]
		if t.single[i] && !isLiteral(got) || !t.single[i] && got != want {
			return false
		}
		path = path[end:]
	}
	if !t.deep {
		return path == ""
	}
	if path == "" || path[0] != '/' || !strings.HasSuffix(path[1:], t.tail) {
		return false
	}
	for middle := path[1 : len(path)-len(t.tail)]; middle != ""; middle = middle[1:] {
		if middle[0] != '/' && !isPathChar(middle[0]) {
			return false
		}
	}
	return true
}

// isLiteral tells what {*} covers, and what a plain segment of a template may be.
func isLiteral(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isPathChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// isPathChar tells the letters of a segment: pchar of RFC 3986 without "*".
func isPathChar(c byte) bool {
	return unreserved(c) || strings.IndexByte("%!$&'()+,;:@=", c) >= 0
}
