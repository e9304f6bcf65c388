package match

import (
	"regexp"
	"strconv"
	"strings"
)

// Op is how a Text compares.
type Op uint8

const (
	// Any holds for every value, an absent one included. It is the zero value.
	Any Op = iota
	// Present holds for every value that is there, an empty one included.
	Present
	// Exact, Prefix and Suffix compare bytes; a Prefix is a plain string
	// prefix ("/app" covers "/application"), as in a VirtualService.
	Exact
	Prefix
	Suffix
	// Regex must match the whole value; the syntax is RE2 (Istio StringMatch.regex).
	Regex
)

// Text is a condition on one piece of text, as data.
type Text struct {
	Op         Op
	Value      string
	IgnoreCase bool // for Exact, Prefix and Suffix
	re         *regexp.Regexp
}

// NewRegex compiles expr (RE2) into a condition on the whole value.
func NewRegex(expr string) (Text, error) {
	re, err := regexp.Compile("^(?s:" + expr + ")$")
	if err != nil {
		return Text{}, err
	}
	return Text{Op: Regex, Value: expr, re: re}, nil
}

// Match tells whether v, which is present or absent, fulfils t. An absent value
// fulfils only Any.
func (t *Text) Match(v string, present bool) bool {
	if t.Op == Any {
		return true
	}
	return present && t.matchText(v)
}

func (t *Text) matchText(v string) bool {
	switch t.Op {
	case Exact:
		if t.IgnoreCase {
			return strings.EqualFold(v, t.Value)
		}
		return v == t.Value
	case Prefix:
		if t.IgnoreCase {
			return len(v) >= len(t.Value) && strings.EqualFold(v[:len(t.Value)], t.Value)
		}
		return strings.HasPrefix(v, t.Value)
	case Suffix:
		if t.IgnoreCase {
			return len(v) >= len(t.Value) && strings.EqualFold(v[len(v)-len(t.Value):], t.Value)
		}
		return strings.HasSuffix(v, t.Value)
	case Regex:
		return t.re.MatchString(v)
	}
	return true
}

// Equal tells whether two conditions are the same as data.
func (t Text) Equal(o Text) bool {
	return t.Op == o.Op && t.Value == o.Value && t.IgnoreCase == o.IgnoreCase
}

// String prints the condition as manifests write it: exact "/a", prefix "/a/".
func (t Text) String() string {
	var s string
	switch t.Op {
	case Any:
		return "anything"
	case Present:
		return "present"
	case Exact:
		s = "exact "
	case Prefix:
		s = "prefix "
	case Suffix:
		s = "suffix "
	case Regex:
		s = "regex "
	}
	s += strconv.Quote(t.Value)
	if t.IgnoreCase {
		s += " (any letter case)"
	}
	return s
}
