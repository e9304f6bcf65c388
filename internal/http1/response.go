package http1

import "errors"

// ParseResponse reads a response head from the start of b, as ParseRequest
// reads a request head: 0 and no error mean that more bytes are needed, and
// every error is a *ProtocolError with status 502. method is the request's:
// it decides whether a body follows (RFC 9112 section 6.3).
func ParseResponse(b []byte, lim *Limits, method string, head *ResponseHead) (n int, err error) {
	*head = ResponseHead{Fields: head.Fields[:0], ContentLength: -1}
	l, _ := headBytes(b, lim)
	if l.buf == nil {
		return 0, nil
	}
	line, ok, err := l.next(lim.RequestLine, errLongStatus)
	if ok {
		err = statusLine(line, head)
	}
	if !ok || err != nil {
		return 0, upstreamError(err)
	}
	var seen framingLines
	if ok, err = l.fields(lim, &head.Fields, &seen); !ok {
		return 0, upstreamError(err)
	}
	if err := seen.response(head, method); err != nil {
		return 0, upstreamError(err)
	}
	return l.pos, nil
}

func upstreamError(err error) error {
	var p *ProtocolError
	if !errors.As(err, &p) || p.Status == 502 {
		return err
	}
	return &ProtocolError{502, p.Reason}
}

// statusLine reads VERSION SP STATUS [SP REASON]. The last SP may be missing
// when there is no reason: many servers leave it out, and nothing can be
// misread.
func statusLine(line []byte, head *ResponseHead) error {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return errStatusLine
	}
	switch string(line[:8]) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		head.HTTP10 = true
	default:
		return errStatusLine
	}
	for _, c := range line[9:12] {
		if !digit(c) {
			return errStatusLine
		}
		head.Status = head.Status*10 + int(c-'0')
	}
	if head.Status < 100 || head.Status > 599 {
		return errStatusLine
	}
	switch {
	case len(line) == 12:
	case line[12] != ' ' || !validText(line[13:]):
		return errStatusLine
	default:
		head.Reason = view(trim(line[13:]))
	}
	return nil
}

// response applies RFC 9112 section 6.3 to a response.
func (s *framingLines) response(h *ResponseHead, method string) error {
	h.Close = s.close || h.HTTP10 && !s.keepAlive
	if h.Status == 101 || h.Status == 426 {
		h.Upgrade = s.upgradeTo
	}
	switch {
	case s.options > maxOptions:
		return errOptions
	case s.codings > 0 && s.lengths > 0:
		return errBothFramings
	case s.lengths > 1:
		return errManyLengths
	case s.codings > 0 && h.HTTP10:
		return errCoding10
	}
	if s.lengths == 1 {
		n, ok := parseLength(s.length)
		if !ok {
			return errLength
		}
		h.ContentLength = n
	}
	if s.codings > 0 {
		if err := s.checkCoding(); err != nil {
			return err
		}
	}
	switch {
	case noBody(h.Status, method):
		// A body that a broken server sends all the same would be taken for
		// the next response, so such a connection is not used again.
		if h.Status != 304 && method != "HEAD" && (s.codings > 0 || h.ContentLength > 0) {
			h.Close = true
		}
	case s.codings > 0:
		h.Framing = Chunked
	case h.ContentLength > 0:
		h.Framing = Length
	case h.ContentLength < 0:
		h.Framing, h.Close = UntilClose, true
	}
	return nil
}

// noBody tells whether a response ends with its head whatever its lines say.
func noBody(status int, method string) bool {
	return status < 200 || status == 204 || status == 304 || method == "HEAD" ||
		method == "CONNECT" && status < 300
}

var (
	errStatusLine = &ProtocolError{502, "the status line is not VERSION STATUS REASON"}
	errLongStatus = &ProtocolError{502, "the status line is too long"}
)
