package http1

import (
	"slices"
	"strconv"

	"github.com/doorward/doorward/internal/header"
)

// A FieldError names a header line that must not be written: its name is not
// a lower-case token, or its value holds CR, LF, NUL or another control byte.
// Nothing of the message has been written then, so that no rule that edits
// headers can split a message.
type FieldError struct{ Name string }

func (e *FieldError) Error() string {
	return "http1: header " + strconv.Quote(e.Name) + " cannot be written: invalid name or value"
}

// AppendRequestHead appends the head of a request in the form in which
// ParseRequest reads it. Host, framing and connection lines come from the
// typed members of h (see RequestHead). The error is a *FieldError, with dst
// unchanged.
func AppendRequestHead(dst []byte, h *RequestHead) ([]byte, error) {
	if !validToken(h.Method) {
		return dst, &FieldError{"method"}
	}
	if !validTarget(h.Target) {
		return dst, &FieldError{"target"}
	}
	if h.Host != "" && !ValidHost(h.Host) || h.Host == "" && !h.HTTP10 {
		return dst, &FieldError{"host"}
	}
	if h.Framing == UntilClose || h.Framing == Chunked && h.HTTP10 {
		return dst, &FieldError{"transfer-encoding"}
	}
	start := len(dst)
	dst = append(dst, h.Method...)
	dst = append(dst, ' ')
	dst = append(dst, h.Target...)
	if h.HTTP10 {
		dst = append(dst, " HTTP/1.0\r\n"...)
	} else {
		dst = append(dst, " HTTP/1.1\r\n"...)
	}
	if h.Host != "" {
		dst = appendLine(dst, "host", h.Host)
	}
	dst, err := appendFields(dst, h.Fields, h.Lines)
	if err == nil && h.ExpectContinue {
		dst = append(dst, "expect: 100-continue\r\n"...)
	}
	if err == nil {
		dst, err = appendFraming(dst, h.Framing, h.ContentLength, h.HTTP10, h.Close, h.Upgrade)
	}
	if err != nil {
		return dst[:start], err
	}
	return append(dst, crlf...), nil
}

// AppendResponseHead appends the head of a response, as AppendRequestHead
// does a request's. A NoBody response with a ContentLength says that length
// all the same (HEAD, 304); 1xx and 204 never do.
func AppendResponseHead(dst []byte, h *ResponseHead) ([]byte, error) {
	return appendResponseHead(dst, h, nil)
}

// appendResponseHead writes extra, whole lines, behind the fields.
func appendResponseHead(dst []byte, h *ResponseHead, extra []byte) ([]byte, error) {
	if h.Status < 100 || h.Status > 599 {
		return dst, &FieldError{"status"}
	}
	start := len(dst)
	if h.HTTP10 {
		dst = append(dst, "HTTP/1.0 "...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
	}
	dst = strconv.AppendInt(dst, int64(h.Status), 10)
	dst = append(dst, ' ')
	if h.Reason == "" {
		dst = append(dst, Reason(h.Status)...)
	} else if ValidValue(h.Reason) {
		dst = append(dst, h.Reason...)
	} else {
		return dst[:start], &FieldError{"reason"}
	}
	dst = append(dst, crlf...)
	dst, err := appendFields(dst, h.Fields, Lines{})
	if err == nil {
		dst = append(dst, extra...)
		framing, length := h.Framing, h.ContentLength
		if h.Status < 200 || h.Status == 204 {
			framing, length = NoBody, -1
		}
		dst, err = appendFraming(dst, framing, length, h.HTTP10, h.Close && h.Status != 101, h.Upgrade)
	}
	if err != nil {
		return dst[:start], err
	}
	return append(dst, crlf...), nil
}

func appendLine(dst []byte, name, value string) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(name)+len(value)+4)[:n+len(name)+len(value)+4]
	line := dst[n:]
	n = copy(line, name)
	line[n], line[n+1] = ':', ' '
	n += 2 + copy(line[n+2:], value)
	line[n], line[n+1] = '\r', '\n'
	return dst
}

// appendFields copies the lines of from that fields still hold, neighbours at
// once, and judges and writes the others.
func appendFields(dst []byte, fields header.Fields, from Lines) ([]byte, error) {
	run, stop := 0, 0 // of lines to be copied
	for i := range fields {
		f := &fields[i]
		if engineOwned(f.Name) {
			continue
		}
		start, end := from.untouched(f)
		if end > 0 && start == stop {
			stop = end
			continue
		}
		dst = append(dst, from.text[run:stop]...)
		run, stop = start, end
		if end > 0 {
			continue
		}
		if !ValidName(f.Name) || !ValidValue(f.Value) {
			return dst, &FieldError{f.Name}
		}
		dst = appendLine(dst, f.Name, f.Value)
	}
	return append(dst, from.text[run:stop]...), nil
}

// engineOwned names the lines that the writer makes itself.
func engineOwned(name string) bool {
	switch name {
	case "host", "content-length", "transfer-encoding", "connection", "keep-alive",
		"proxy-connection", "upgrade", "expect":
		return true
	}
	return false
}

func appendFraming(dst []byte, f Framing, length int64, http10, close bool, upgrade string) ([]byte, error) {
	switch {
	case f == Chunked && !http10:
		dst = append(dst, "transfer-encoding: chunked\r\n"...)
	case f == Chunked, f == UntilClose:
		close = true
	case length >= 0:
		dst = append(dst, "content-length: "...)
		dst = strconv.AppendInt(dst, length, 10)
		dst = append(dst, crlf...)
	case f == Length:
		return dst, &FieldError{"content-length"}
	}
	switch {
	case upgrade != "" && !http10:
		if !ValidValue(upgrade) {
			return dst, &FieldError{"upgrade"}
		}
		if close {
			dst = append(dst, "connection: upgrade, close\r\n"...)
		} else {
			dst = append(dst, "connection: upgrade\r\n"...)
		}
		dst = appendLine(dst, "upgrade", upgrade)
	case close && !http10:
		dst = append(dst, "connection: close\r\n"...)
	case !close && http10:
		dst = append(dst, "connection: keep-alive\r\n"...)
	}
	return dst, nil
}

// AppendChunk appends p as one chunk; an empty p appends nothing, since an
// empty chunk ends the body.
func AppendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = appendChunkSize(dst, len(p))
	dst = append(dst, p...)
	return append(dst, crlf...)
}

func appendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, crlf...)
}

// AppendLastChunk appends the end of a chunked body with its trailers. The
// error is a *FieldError, with dst unchanged.
func AppendLastChunk(dst []byte, trailers header.Fields) ([]byte, error) {
	start := len(dst)
	dst = append(dst, "0\r\n"...)
	for _, f := range trailers {
		if !ValidTrailer(f.Name) || !ValidValue(f.Value) {
			return dst[:start], &FieldError{f.Name}
		}
		dst = appendLine(dst, f.Name, f.Value)
	}
	return append(dst, crlf...), nil
}
