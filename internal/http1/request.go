package http1

import (
	"bytes"

	"github.com/doorward/doorward/internal/header"
)

var (
	crlf     = []byte("\r\n")
	crlfcrlf = []byte("\r\n\r\n")
)

// ParseRequest reads a request head from the start of b. It returns the
// number of bytes that the head takes, or 0 and no error when b holds only
// the beginning of one. The error is a *ProtocolError. One empty line before
// the request line is skipped (RFC 9112 section 2.2).
//
// head is overwritten; its Fields slice is used again. Its strings share one
// copy of the head and never point into b. The head is read from its start each
// time: see headProgress.
func ParseRequest(b []byte, lim *Limits, head *RequestHead) (n int, err error) {
	*head = RequestHead{Fields: head.Fields[:0], ContentLength: -1}
	skip := 0
	if bytes.HasPrefix(b, crlf) {
		skip = 2
	}
	l, whole := headBytes(b[skip:], lim)
	if l.buf == nil {
		return 0, nil
	}
	line, ok, err := l.next(lim.RequestLine, errLongLine)
	if !ok {
		return 0, err
	}
	if err := requestLine(line, head); err != nil {
		return 0, err
	}
	var seen framingLines
	if ok, err = l.fields(lim, &head.Fields, &seen); !ok {
		return 0, err
	}
	if !whole { // cannot happen: the last line was empty, so CRLF CRLF was there
		return 0, nil
	}
	if err := seen.request(head); err != nil {
		return 0, err
	}
	head.Lines = Lines{view(l.buf[:l.pos])}
	return skip + l.pos, nil
}

// headProgress tells a driver when it is worth parsing a head that was not
// whole yet: a peer that sends single bytes must not make us read all of it again
// for each.
type headProgress struct {
	limits *Limits
	seen   int  // bytes looked at
	lines  bool // a line has ended
}

// worthParsing tells whether in, the head so far, has got a further line, or is
// longer than allowed.
func (p *headProgress) worthParsing(in []byte) bool {
	further := bytes.IndexByte(in[p.seen:], '\n') >= 0
	p.seen = len(in)
	p.lines = p.lines || further
	return further || len(in) >= p.limits.RequestLine+p.limits.HeaderBytes+8 ||
		!p.lines && len(in) > p.limits.RequestLine+3
}

// headBytes copies the bytes of the head that b starts with, or as many as
// the limits need to be exceeded. It copies nothing while no line is whole.
func headBytes(b []byte, lim *Limits) (l lineReader, whole bool) {
	if whole = len(b) <= smallHead && bytes.HasSuffix(b, crlfcrlf); !whole {
		end := bytes.Index(b, crlfcrlf)
		if whole = end >= 0; whole {
			b = b[:end+4]
		} else if len(b) <= lim.RequestLine && bytes.IndexByte(b, '\n') < 0 {
			return l, false
		}
	}
	b = b[:min(len(b), lim.RequestLine+2+lim.HeaderBytes+2)]
	l.buf = append([]byte(nil), b...) // unlike make, leaves out the zeroes
	return l, whole
}

// smallHead is how many bytes that end as a head does are copied without a search
// for an end before: most often there is none.
const smallHead = 4 << 10

// fields reads header lines up to the empty line that ends them. ok is false
// when that line is not there yet, or with an error.
func (l *lineReader) fields(lim *Limits, fields *header.Fields, seen *framingLines) (ok bool, err error) {
	room := lim.HeaderBytes - 2 // for lines without their CRLF
	for {
		start := l.pos
		line, ok, err := l.next(room, errBigHead)
		if !ok {
			return false, err
		}
		if len(line) == 0 {
			return true, nil
		}
		room -= l.pos - start
		if len(*fields) >= lim.HeaderCount {
			return false, errManyLines
		}
		f, err := field(line)
		if err != nil {
			return false, err
		}
		seen.see(f)
		*fields = append(*fields, f)
	}
}

// requestLine reads METHOD SP TARGET SP VERSION, each blank exactly one SP.
func requestLine(line []byte, head *RequestHead) error {
	sp := bytes.IndexByte(line, ' ')
	if sp < 0 {
		sp = len(line)
	}
	method := line[:sp]
	if len(method) > maxMethod || !validToken(method) {
		return errMethod
	}
	if sp == len(line) {
		return errRequestLine
	}
	line = line[sp+1:]
	sp = bytes.IndexByte(line, ' ')
	if sp < 0 {
		if validTarget(line) {
			return errRequestLine // as HTTP/0.9 would be written
		}
		return errTarget
	}
	target, version := line[:sp], line[sp+1:]
	if !validTarget(target) {
		return errTarget
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		head.HTTP10 = true
	default:
		return versionError(version)
	}
	head.Method, head.Target = view(method), view(target)
	return requestForm(head)
}

// versionError tells a version that is not served from none at all.
func versionError(v []byte) error {
	if len(v) == len("HTTP/1.1") && string(v[:5]) == "HTTP/" && v[6] == '.' && digit(v[5]) && digit(v[7]) {
		return errVersion
	}
	return errRequestLine
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// maxMethod is longer than any registered method.
const maxMethod = 64

var (
	errLongLine    = &ProtocolError{414, "the request line is too long"}
	errVersion     = &ProtocolError{505, "only HTTP/1.0 and HTTP/1.1 are served here"}
	errRequestLine = bad("the request line is not METHOD TARGET VERSION")
	errMethod      = bad("the method holds an invalid character or is too long")
	errTarget      = bad("the request target is empty or holds an invalid character")
)
