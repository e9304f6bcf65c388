package match

import (
	"regexp"
	"regexp/syntax"
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
	// NotEmpty holds for every text of one line that is not empty (.+ in a policy).
	NotEmpty
	// Exact, Prefix and Suffix compare bytes; a Prefix is a plain string
	// prefix ("/app" covers "/application"), as in a VirtualService.
	Exact
	Prefix
	Suffix
	// Regex must match the whole value (Istio StringMatch.regex), one of NewPattern
	// its beginning; the syntax is RE2.
	Regex
)

// Text is a condition on one piece of text, as data.
type Text struct {
	Op         Op
	Value      string
	IgnoreCase bool // for Exact, Prefix and Suffix: ASCII letters only, as in Envoy; and of NewPattern
	re         *regex
}

// regex is a compiled expression and what is known of its matches (Text.Lead).
type regex struct {
	*regexp.Regexp
	lead string
	fold bool
}

// NewRegex compiles expr (RE2) into a condition on the whole value.
func NewRegex(expr string) (Text, error) {
	// By itself first: "a)|(b" is well formed only between brackets.
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return Text{}, err
	}
	re, err := regexp.Compile("^(?s:" + expr + ")$")
	if err != nil {
		return Text{}, err
	}
	x := &regex{Regexp: re}
	// What follows matches more than expr does, so its prefix holds for expr too.
	rest, fold := strings.CutPrefix(expr, "(?i)")
	if free, err := regexp.Compile(strings.TrimPrefix(rest, "^")); err == nil {
		x.lead, _ = free.LiteralPrefix()
		x.fold = fold
	}
	return Text{Op: Regex, Value: expr, re: x}, nil
}

// NewPattern compiles the path of an edge host in pattern mode: it must be found
// at the beginning of a path, in any letter case (ingress-nginx, buildLocation:
// location ~* "^path"). The syntax is RE2; what only PCRE knows is an error.
func NewPattern(path string) (Text, error) {
	re, err := regexp.Compile("(?i)^" + path)
	if err != nil {
		return Text{}, err
	}
	x := &regex{Regexp: re, fold: true}
	// Of /a|/b only the first is anchored, so nothing is known of the beginning.
	if tree, err := syntax.Parse("^"+path, syntax.Perl); err == nil && tree.Op == syntax.OpConcat && tree.Sub[0].Op == syntax.OpBeginText {
		if free, err := regexp.Compile(path); err == nil {
			x.lead, _ = free.LiteralPrefix()
		}
	}
	return Text{Op: Regex, Value: path, IgnoreCase: true, re: x}, nil
}

// Lead returns the text with which every value begins that fulfils t, "" where
// nothing is known of it. fold says that ASCII letters may differ in case.
// It does not hold for values with bytes over 0x7f when fold is set, as regexes
// fold more than ASCII.
func (t *Text) Lead() (lead string, fold bool) {
	switch t.Op {
	case Exact, Prefix:
		return t.Value, t.IgnoreCase
	case Regex:
		return t.re.lead, t.re.fold
	}
	return "", false
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
	case NotEmpty:
		return v != "" && strings.IndexByte(v, '\n') < 0
	case Exact:
		if t.IgnoreCase {
			return equalFold(v, t.Value)
		}
		return v == t.Value
	case Prefix:
		if t.IgnoreCase {
			return len(v) >= len(t.Value) && equalFold(v[:len(t.Value)], t.Value)
		}
		return strings.HasPrefix(v, t.Value)
	case Suffix:
		if t.IgnoreCase {
			return len(v) >= len(t.Value) && equalFold(v[len(v)-len(t.Value):], t.Value)
		}
		return strings.HasSuffix(v, t.Value)
	case Regex:
		return t.re.MatchString(v)
	}
	return true
}

// equalFold compares without regard to the case of ASCII letters. Not so
// strings.EqualFold, to which the Kelvin sign is a "k".
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if Lower(a[i]) != Lower(b[i]) {
			return false
		}
	}
	return true
}

// Lower returns an ASCII letter in lower case, any other byte as it is.
func Lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
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
	case NotEmpty:
		return "not empty"
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
