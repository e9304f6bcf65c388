package http1

import (
	"bytes"

	"github.com/doorward/doorward/internal/header"
)

// A ChunkDecoder reads a chunked body (RFC 9112 section 7.1) from whatever
// pieces of it the caller has. The zero value, with Limits set, is ready.
type ChunkDecoder struct {
	Limits *Limits
	// Trailers are the trailer lines, complete once Next reports done.
	Trailers header.Fields

	state chunkState
	size  uint64 // bytes of the chunk that are still to come
	digit int    // hexadecimal digits seen
	line  int    // bytes of the chunk-size line seen
	tail  []byte // the trailer line under way
	err   error
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

// Next takes n bytes from the start of b. data is the part of them that is
// body: a slice of b, possibly empty. Call it again with what remains of b
// until n is len(b) or done is true; bytes after the end are not taken, and
// done comes with the last data where b holds the end too. The error is a
// *ProtocolError; it stays.
func (d *ChunkDecoder) Next(b []byte) (data []byte, n int, done bool, err error) {
	for n < len(b) && d.state != chunkDone && d.err == nil {
		switch d.state {
		case chunkData:
			if data != nil {
				return data, n, false, nil
			}
			take := int(min(d.size, uint64(len(b)-n)))
			if d.size -= uint64(take); d.size == 0 {
				d.state = chunkDataCR
			}
			data = b[n : n+take]
			n += take
		case chunkTrailer:
			var used int
			used, d.err = d.trailer(b[n:])
			n += used
		default:
			d.err = d.step(b[n])
			n++
		}
	}
	if data != nil && d.err != nil {
		return data, n, false, nil // the error comes with the next call
	}
	return data, n, d.state == chunkDone, d.err
}

// step takes one byte around the data.
func (d *ChunkDecoder) step(c byte) error {
	switch d.state {
	case chunkSize:
		if v := hexValue[c]; v < 16 {
			if d.digit++; d.digit > 16 || d.size>>59 != 0 {
				return errChunkSize
			}
			d.size = d.size<<4 | uint64(v)
			return nil
		}
		if d.digit == 0 {
			return errChunkSize
		}
		return d.endSize(c)
	case chunkExtension:
		if c == '\r' {
			d.state = chunkSizeLF
			return nil
		}
		if d.line++; d.line+d.digit > d.Limits.ChunkLine || c < ' ' && c != '\t' || c == 0x7f {
			return errChunkExtension
		}
		return nil
	case chunkSizeLF:
		if c != '\n' {
			return errChunkSize
		}
		d.state = chunkData
		if d.size == 0 {
			d.state = chunkTrailer
		}
		d.digit, d.line = 0, 0
		return nil
	case chunkDataCR:
		if c != '\r' {
			return errChunkEnd
		}
		d.state = chunkDataLF
		return nil
	}
	if c != '\n' { // chunkDataLF
		return errChunkEnd
	}
	d.state = chunkSize
	return nil
}

func (d *ChunkDecoder) endSize(c byte) error {
	switch c {
	case '\r':
		d.state = chunkSizeLF
	case ';':
		d.line = 1
		d.state = chunkExtension
	default:
		return errChunkSize
	}
	return nil
}

// trailer takes bytes of the trailer section and reads it when it is whole.
// Lines are judged one by one as they become whole.
func (d *ChunkDecoder) trailer(b []byte) (used int, err error) {
	for used < len(b) {
		lf := bytes.IndexByte(b[used:], '\n')
		piece := b[used:]
		if lf >= 0 {
			piece = piece[:lf+1]
		}
		if d.line += len(piece); d.line > d.Limits.TrailerBytes {
			return used, errBigTrailer
		}
		d.tail = append(d.tail, piece...)
		used += len(piece)
		if lf < 0 {
			return used, nil
		}
		l := lineReader{buf: d.tail}
		line, _, err := l.next(len(d.tail), errBigTrailer)
		if err != nil {
			return used, err
		}
		d.tail = nil // its bytes belong to the strings of the field now
		if len(line) == 0 {
			d.state = chunkDone
			return used, nil
		}
		if err := d.trailerLine(line); err != nil {
			return used, err
		}
	}
	return used, nil
}

func (d *ChunkDecoder) trailerLine(line []byte) error {
	f, err := field(line)
	switch {
	case err != nil:
		return err
	case len(d.Trailers) >= d.Limits.TrailerCount:
		return errManyTrailers
	case !ValidTrailer(f.Name):
		return errTrailer
	}
	d.Trailers = append(d.Trailers, f)
	return nil
}

// ValidTrailer tells whether a field may stand in a trailer section: not
// those that frame or route the message, sign in, or say how to read the
// content (RFC 9110 section 6.5.1). name is in lower case.
func ValidTrailer(name string) bool {
	switch name {
	case "host", "content-length", "transfer-encoding", "trailer", "connection", "keep-alive",
		"proxy-connection", "upgrade", "te", "expect", "max-forwards", "range",
		"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
		"authentication-info", "proxy-authentication-info", "cookie", "set-cookie",
		"content-encoding", "content-type", "content-range", "cache-control", "age", "date",
		"expires", "location", "retry-after", "vary", "warning", "if-match", "if-none-match",
		"if-modified-since", "if-unmodified-since", "if-range", "forwarded", "x-forwarded-for",
		"x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip":
		return false
	}
	return ValidName(name)
}

var (
	errChunkSize      = bad("a chunk size is not a plain hexadecimal number followed by CRLF")
	errChunkExtension = bad("a chunk extension is too long or holds a control character")
	errChunkEnd       = bad("a chunk is not followed by CRLF")
	errTrailer        = bad("a trailer has a name that trailers may not have")
	errBigTrailer     = &ProtocolError{431, "the trailer section is too large"}
	errManyTrailers   = &ProtocolError{431, "the trailer section has too many lines"}
)
