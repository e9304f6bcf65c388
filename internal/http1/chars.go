package http1

import (
	"encoding/binary"
	"unsafe"
)

// lowerToken maps a byte of a token (RFC 9110 section 5.6.2) to lower case and
// every other byte to 0.
var lowerToken = func() (t [256]byte) {
	for c := range 256 {
		switch b := byte(c); {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9':
			t[c] = b
		case 'A' <= b && b <= 'Z':
			t[c] = b + 'a' - 'A'
		}
	}
	for _, b := range []byte("!#$%&'*+-.^_`|~") {
		t[b] = b
	}
	return t
}()

// hexValue maps a hexadecimal digit to its value and every other byte to 16.
var hexValue = func() (t [256]byte) {
	for c := range 256 {
		switch b := byte(c); {
		case '0' <= b && b <= '9':
			t[c] = b - '0'
		case 'a' <= b && b <= 'f':
			t[c] = b - 'a' + 10
		case 'A' <= b && b <= 'F':
			t[c] = b - 'A' + 10
		default:
			t[c] = 16
		}
	}
	return t
}()

// ValidName tells whether name can be written as a header name: a non-empty
// token (RFC 9110 section 5.1) in lower case.
func ValidName(name string) bool {
	i := 0
	for i+8 <= len(name) && lettersHyphens(unsafe.Slice(unsafe.StringData(name[i:]), 8)) {
		i += 8
	}
	for ; i < len(name); i++ {
		if c := name[i]; c == 0 || lowerToken[c] != c {
			return false
		}
	}
	return name != ""
}

// lettersHyphens tells whether eight bytes are what most names are made of. No sum
// carries into the next byte where all are below 0x80.
func lettersHyphens(b []byte) bool {
	x := binary.LittleEndian.Uint64(b)
	letter := (x + ones*(0x80-'a')) &^ (x + ones*(0x80-'{'))
	hyphen := ^((x ^ ones*'-') + ones*0x7f)
	return x&highs == 0 && (letter|hyphen)&highs == highs
}

// validToken tells whether s is a token, in any case.
func validToken[S string | []byte](s S) bool {
	for i := range len(s) {
		if lowerToken[s[i]] == 0 {
			return false
		}
	}
	return len(s) > 0
}

// ValidValue tells whether v can be written as a header value: no control
// byte but HTAB, and no blanks around it. Bytes from 0x80 are allowed.
func ValidValue(v string) bool {
	if v == "" {
		return true
	}
	return !blank(v[0]) && !blank(v[len(v)-1]) && validText(unsafe.Slice(unsafe.StringData(v), len(v)))
}

// validText tells whether b holds no control byte but HTAB. Eight bytes are
// looked at together, and a group with an unusual byte is looked at singly.
func validText(b []byte) bool {
	for len(b) >= 32 {
		if (unusual(b[0:8])|unusual(b[8:16])|unusual(b[16:24])|unusual(b[24:32]))&highs != 0 && !plainText(b[:32]) {
			return false
		}
		b = b[32:]
	}
	for len(b) >= 8 {
		if unusual(b[:8])&highs != 0 && !plainText(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return plainText(b)
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// unusual has a bit of highs when one of eight bytes is none of the visible
// characters of ASCII or a blank. What carries into a neighbour comes from such a
// byte, so that there is one in any case.
func unusual(b []byte) uint64 {
	x := binary.LittleEndian.Uint64(b)
	return x | (x - ones*' ') | (x + ones)
}

func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validTarget tells whether every byte of a request target is a visible ASCII
// character other than "#": a fragment is never sent, and bytes from 0x80
// must be percent-encoded (RFC 3986 section 2).
func validTarget[S string | []byte](b S) bool {
	for i := range len(b) {
		if c := b[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return len(b) > 0
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func trim[S string | []byte](s S) S {
	for len(s) > 0 && blank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// equalFold compares ignoring the case of ASCII letters; low is in lower case.
func equalFold(s, low string) bool {
	if len(s) != len(low) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != low[i] {
			return false
		}
	}
	return true
}

// nextToken cuts the first element off a comma-separated list, without the
// blanks around it.
func nextToken(list string) (tok, rest string) {
	for i := range len(list) {
		if list[i] == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), ""
}
