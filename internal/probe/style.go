package probe

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ReadStyle finds the url() and @import of a style sheet. It is total: what is no CSS
// has none.
func ReadStyle(data []byte) []Reference {
	s := styleReader{text: string(data)}
	for s.at < len(s.text) {
		s.step()
	}
	return s.found
}

// styleReader reads a style sheet from left to right.
type styleReader struct {
	text    string
	at      int
	imports bool // behind @import
	found   []Reference
}

// step reads one comment, string, function or letter.
func (s *styleReader) step() {
	rest := s.text[s.at:]
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "/*"):
		s.skip(2, strings.Index(rest[2:], "*/"), 2)
	case c == '"' || c == '\'':
		end := strings.IndexByte(rest[1:], c)
		if end >= 0 && s.imports {
			s.note(Style, rest[1:1+end], "CSS @import", s.at)
		}
		s.imports = false
		s.skip(1, end, 1)
	case hasFold(rest, "@import"):
		s.imports = true
		s.at += len("@import")
	case hasFold(rest, "url(") && !s.inName():
		s.function(rest[len("url("):])
	default:
		if c == ';' || c == '{' {
			s.imports = false
		}
		s.at++
	}
}

// inName tells whether a letter stands before, as in curl(.
func (s *styleReader) inName() bool {
	if s.at == 0 {
		return false
	}
	c := s.text[s.at-1]
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// function reads what is behind "url(".
func (s *styleReader) function(rest string) {
	kind, element := Resource, "CSS url()"
	if s.imports {
		kind, element = Style, "CSS @import"
	}
	s.imports = false
	start := len(rest) - len(strings.TrimLeft(rest, " \t\r\n"))
	end := strings.IndexByte(rest, ')')
	if start < len(rest) && (rest[start] == '"' || rest[start] == '\'') {
		quote := strings.IndexByte(rest[start+1:], rest[start])
		if quote < 0 {
			s.at = len(s.text)
			return
		}
		s.note(kind, rest[start+1:start+1+quote], element, s.at)
		s.at += len("url(") + start + 1 + quote + 1
		return
	}
	if end < 0 {
		s.at = len(s.text)
		return
	}
	s.note(kind, strings.TrimSpace(rest[:end]), element, s.at)
	s.at += len("url(") + end + 1
}

// skip goes past a beginning, what is before the end, and the end; without an end
// past everything.
func (s *styleReader) skip(begin, length, end int) {
	if length < 0 {
		s.at = len(s.text)
		return
	}
	s.at += begin + length + end
}

func (s *styleReader) note(kind Kind, written, element string, at int) {
	if written == "" || strings.HasPrefix(written, "#") {
		return
	}
	s.found = append(s.found, Reference{kind, written, element, 1 + bytes.Count([]byte(s.text[:at]), []byte{'\n'})})
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
