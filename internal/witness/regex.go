package witness

import (
	"regexp/syntax"
	"strings"
)

// maxText bounds a text that is made of a regular expression, in bytes.
const maxText = 256

// ofRegex makes short texts that an expression (RE2) may match as a whole: one with as
// little as it allows, and one with each repetition done once more than needed. Nobody
// has tried them; assertions such as \b may still say no.
func ofRegex(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	re = re.Simplify()
	var all []string
	for more := range 2 {
		var b strings.Builder
		if sample(&b, re, more) && b.Len() <= maxText {
			all = append(all, b.String())
		}
	}
	return all
}

// sample writes a text that re matches, with more repetitions than it needs. It is
// false where there is none, or it is too long.
func sample(b *strings.Builder, re *syntax.Regexp, more int) bool {
	if b.Len() > maxText {
		return false
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		r, ok := friendly(re.Rune)
		b.WriteRune(r)
		return ok
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture:
		return sample(b, re.Sub[0], more)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !sample(b, sub, more) {
				return false
			}
		}
	case syntax.OpAlternate:
		return some(b, re.Sub, more)
	case syntax.OpStar, syntax.OpQuest:
		return more == 0 || sample(b, re.Sub[0], more)
	case syntax.OpPlus:
		return times(b, re.Sub[0], 1+more, more)
	case syntax.OpRepeat:
		n := re.Min + more
		if re.Max >= 0 {
			n = min(n, re.Max)
		}
		return times(b, re.Sub[0], n, more)
	}
	return true // what asserts, and the empty text
}

// some writes a text of the first alternative that has one.
func some(b *strings.Builder, alternatives []*syntax.Regexp, more int) bool {
	before := b.String()
	for _, sub := range alternatives {
		if sample(b, sub, more) {
			return true
		}
		b.Reset()
		b.WriteString(before)
	}
	return false
}

func times(b *strings.Builder, re *syntax.Regexp, n, more int) bool {
	for range n {
		if !sample(b, re, more) {
			return false
		}
	}
	return true
}

// friendly is a character of a class (pairs of first and last) that people like to
// read in a URL.
func friendly(class []rune) (rune, bool) {
	for _, r := range "xa0A-_./" {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				return r, true
			}
		}
	}
	for i := 0; i+1 < len(class); i += 2 { // what a request line can have
		if r := max(class[i], '!'); r <= min(class[i+1], '~') {
			return r, true
		}
	}
	return 0, false
}
