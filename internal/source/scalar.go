package source

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalarKind is what a scalar means to kubectl.
type scalarKind uint8

const (
	isString scalarKind = iota
	isNull
	isBool
	isInt
	isFloat
)

// scalar is a scalar node's meaning.
type scalar struct {
	kind  scalarKind
	text  string  // as written, for isString without quotes
	truth bool    // isBool
	whole int64   // isInt
	big   uint64  // isInt beyond int64
	float float64 // isFloat
}

// read tells what a scalar means, by the rules that kubectl's parser follows:
// those of YAML 1.1, where yes, on and their like are booleans too, and
// numbers have octal, hexadecimal and binary forms.
func read(n *yaml.Node) scalar {
	text := n.Value
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 && n.Style&yaml.TaggedStyle == 0 {
		return scalar{kind: isString, text: text}
	}
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.Tag {
		case "!!str":
			return scalar{kind: isString, text: text}
		case "!!binary":
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				text = string(data)
			}
			return scalar{kind: isString, text: text}
		}
	}
	return plain(text)
}

// plain tells what a scalar without quotes means.
func plain(text string) scalar {
	s := scalar{kind: isString, text: text}
	if text == "" {
		s.kind = isNull
		return s
	}
	switch c := text[0]; {
	case '0' <= c && c <= '9', c == '+', c == '-', c == '.':
		return number(s)
	case c == '~' || c == 'n' || c == 'N':
		switch text {
		case "~", "null", "Null", "NULL":
			s.kind = isNull
		case "n", "N", "no", "No", "NO":
			s.kind = isBool
		}
	case c == 'y' || c == 'Y' || c == 't' || c == 'T':
		switch text {
		case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE":
			s.kind, s.truth = isBool, true
		}
	case c == 'o' || c == 'O' || c == 'f' || c == 'F':
		switch text {
		case "on", "On", "ON":
			s.kind, s.truth = isBool, true
		case "off", "Off", "OFF", "false", "False", "FALSE":
			s.kind = isBool
		}
	}
	return s
}

// number reads a scalar that begins like a number, or leaves it a string.
func number(s scalar) scalar {
	switch s.text {
	case ".nan", ".NaN", ".NAN":
		s.kind, s.float = isFloat, math.NaN()
		return s
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		s.kind, s.float = isFloat, math.Inf(1)
		return s
	case "-.inf", "-.Inf", "-.INF":
		s.kind, s.float = isFloat, math.Inf(-1)
		return s
	}
	digits := strings.ReplaceAll(s.text, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		s.kind, s.whole = isInt, i
		return s
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		s.kind, s.big = isInt, u
		return s
	}
	if looksFloat(digits) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			s.kind, s.float = isFloat, f
		}
	}
	return s
}

// looksFloat says whether text has the form [-+]?(.digits | digits[.digits])[e[-+]digits].
func looksFloat(text string) bool {
	text = strings.TrimLeft(text[:1], "+-") + text[1:]
	whole := digitsOf(text)
	text = text[whole:]
	fraction := 0
	if strings.HasPrefix(text, ".") {
		fraction = digitsOf(text[1:])
		text = text[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	if text == "" {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	return text != "" && digitsOf(text) == len(text)
}

func digitsOf(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// integer is the scalar as a whole number, if it is one within int64.
func (s scalar) integer() (int64, bool) {
	switch s.kind {
	case isInt:
		return s.whole, s.big == 0
	case isFloat:
		if s.float == math.Trunc(s.float) && math.Abs(s.float) < 1<<53 {
			return int64(s.float), true
		}
	}
	return 0, false
}

// unsigned is the scalar as a whole number of zero or more.
func (s scalar) unsigned() (uint64, bool) {
	if s.kind == isInt && s.big != 0 {
		return s.big, true
	}
	i, ok := s.integer()
	return uint64(i), ok && i >= 0
}

// number is the scalar as a number of any kind.
func (s scalar) number() (float64, bool) {
	switch s.kind {
	case isInt:
		if s.big != 0 {
			return float64(s.big), true
		}
		return float64(s.whole), true
	case isFloat:
		return s.float, true
	}
	return 0, false
}

// json is the scalar in JSON.
func (s scalar) json(out []byte) []byte {
	switch s.kind {
	case isNull:
		return append(out, "null"...)
	case isBool:
		return strconv.AppendBool(out, s.truth)
	case isInt:
		if s.big != 0 {
			return strconv.AppendUint(out, s.big, 10)
		}
		return strconv.AppendInt(out, s.whole, 10)
	case isFloat:
		if !math.IsNaN(s.float) && !math.IsInf(s.float, 0) {
			return strconv.AppendFloat(out, s.float, 'g', -1, 64)
		}
	}
	return appendQuoted(out, s.text)
}

// key is the scalar as the key of a mapping, which JSON has as strings only.
func (s scalar) key() string {
	switch s.kind {
	case isBool, isInt, isFloat:
		return string(s.json(nil))
	}
	return s.text
}

// String describes the scalar for people.
func (s scalar) String() string {
	switch s.kind {
	case isNull:
		return "nothing"
	case isBool:
		return "the boolean " + s.text
	case isInt, isFloat:
		return "the number " + s.text
	}
	return "the text " + strconv.Quote(shorten(s.text))
}

// shorten cuts a text that would fill the screen.
func shorten(text string) string {
	if len(text) <= 60 {
		return text
	}
	return strings.ToValidUTF8(text[:57], "") + "..."
}
