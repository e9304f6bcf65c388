package http1

import (
	"bytes"
	"unsafe"

	"github.com/doorward/doorward/internal/header"
)

// lineReader walks the lines of a head or trailer section in a copy that
// belongs to the head, so that its strings can point into that copy: one
// allocation a head, and nothing of the connection's buffer is kept. A byte
// is never changed once a string shows it.
//
// Lines are judged strictly in order, and an unfinished one only by its
// length. So the verdict on a head does not depend on how its bytes were cut
// into reads.
type lineReader struct {
	buf []byte
	pos int
}

// next returns the next line without its CRLF; ok is false when there is no
// whole line left. The line may be max bytes long, else tooLong comes back.
func (l *lineReader) next(max int, tooLong *ProtocolError) (line []byte, ok bool, err error) {
	rest := l.buf[l.pos:]
	lf := bytes.IndexByte(rest, '\n')
	if lf > max+1 || lf < 0 && len(rest) > max+1 {
		return nil, false, tooLong
	}
	if lf < 0 {
		return nil, false, nil
	}
	if lf == 0 || rest[lf-1] != '\r' {
		return nil, false, errBareLF
	}
	l.pos += lf + 1
	return rest[:lf-1], true, nil
}

// field splits a header line and lower-cases its name in place.
func field(line []byte) (f header.Field, err error) {
	i := 0
	for i < len(line) {
		c := lowerToken[line[i]]
		if c == 0 {
			break
		}
		line[i] = c
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return f, nameError(line, i)
	}
	v := trim(line[i+1:])
	if !validText(v) {
		return f, errValue
	}
	return header.Field{Name: view(line[:i]), Value: view(v)}, nil
}

func nameError(line []byte, i int) error {
	switch {
	case i == 0 && len(line) > 0 && blank(line[0]):
		return errFold
	case i > 0 && i < len(line) && blank(line[i]):
		return errNameBlank
	case i > 0 && i == len(line):
		return errNoColon
	}
	return errName
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

var (
	errBareLF    = bad("a line ends with LF alone")
	errFold      = bad("a header line is folded")
	errNameBlank = bad("a blank stands before a header's colon")
	errNoColon   = bad("a header line has no colon")
	errName      = bad("a header name holds an invalid character")
	errValue     = bad("a header value holds a control character")
	errManyLines = &ProtocolError{431, "the head has too many header lines"}
	errBigHead   = &ProtocolError{431, "the head is too large"}
)
