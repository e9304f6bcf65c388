package http1

import "github.com/doorward/doorward/internal/header"

// framingLines collects, while header lines go by, what decides about the
// message's length, host and connection.
type framingLines struct {
	hosts, lengths, codings   int
	host, length, coding      string
	options                   int  // bytes of all Connection lines
	close, keepAlive, upgrade bool // members of Connection
	expect, upgradeTo         string
}

func (s *framingLines) see(f header.Field) {
	switch f.Name {
	case "host":
		s.hosts++
		s.host = f.Value
	case "content-length":
		s.lengths++
		s.length = f.Value
	case "transfer-encoding":
		s.codings++
		s.coding = f.Value
	case "connection":
		if s.options += len(f.Value); s.options > maxOptions {
			return
		}
		for rest := f.Value; rest != ""; {
			var tok string
			tok, rest = nextToken(rest)
			s.close = s.close || equalFold(tok, "close")
			s.keepAlive = s.keepAlive || equalFold(tok, "keep-alive")
			s.upgrade = s.upgrade || equalFold(tok, "upgrade")
		}
	case "upgrade":
		if f.Value == "" {
			return // an empty member of the list, which could not be written last
		}
		if s.upgradeTo != "" {
			s.upgradeTo += ", "
		}
		s.upgradeTo += f.Value
	case "expect":
		if s.expect != "" {
			s.expect += ", "
		}
		s.expect += f.Value
	}
}

// request applies RFC 9112 section 6.3, and refuses wherever that section
// leaves a choice that another parser could make differently.
func (s *framingLines) request(h *RequestHead) error {
	if s.options > maxOptions {
		return errOptions
	}
	if err := s.requestHost(h); err != nil {
		return err
	}
	if err := s.requestFraming(h); err != nil {
		return err
	}
	h.Close = s.close || h.HTTP10 && !s.keepAlive
	if h.HTTP10 {
		return nil
	}
	if s.expect != "" {
		if !equalFold(s.expect, "100-continue") {
			return errExpect
		}
		h.ExpectContinue = h.Framing == Chunked || h.ContentLength > 0
	}
	if s.upgrade && !lists(s.upgradeTo, "h2c") {
		h.Upgrade = s.upgradeTo
	}
	return nil
}

func (s *framingLines) requestHost(h *RequestHead) error {
	switch {
	case s.hosts > 1:
		return errManyHosts
	case s.hosts == 0 && !h.HTTP10:
		return errNoHost
	case s.hosts == 0:
		return nil
	case !ValidHost(s.host):
		return errHost
	case h.Host == "": // no authority in the target
		h.Host = s.host
	case h.Form == Authority:
		// The target of CONNECT alone says where to (RFC 9110 section 7.2);
		// nothing is routed by it.
	case !sameFold(h.Host, s.host):
		return errHostDiffers
	}
	return nil
}

func (s *framingLines) requestFraming(h *RequestHead) error {
	switch {
	case s.codings > 0:
		if s.lengths > 0 {
			return errBothFramings
		}
		if h.HTTP10 {
			return errCoding10
		}
		h.Framing = Chunked
		return s.checkCoding()
	case s.lengths > 1:
		return errManyLengths
	case s.lengths == 1:
		n, ok := parseLength(s.length)
		if !ok {
			return errLength
		}
		h.ContentLength = n
		if n > 0 {
			h.Framing = Length
		}
	}
	return nil
}

// checkCoding allows exactly one line that says exactly "chunked".
func (s *framingLines) checkCoding() error {
	if s.codings == 1 && equalFold(s.coding, "chunked") {
		return nil
	}
	if s.codings > 1 {
		return errManyCodings
	}
	chunked, last := 0, ""
	for rest := s.coding; rest != ""; {
		last, rest = nextToken(rest)
		if equalFold(last, "chunked") {
			chunked++
		}
	}
	if chunked == 1 && equalFold(last, "chunked") {
		return errCoding
	}
	return errNotChunked
}

// parseLength reads 1 to 18 digits.
func parseLength(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if !digit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

func lists(list, low string) bool {
	for list != "" {
		var tok string
		if tok, list = nextToken(list); equalFold(tok, low) {
			return true
		}
	}
	return false
}

func sameFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (lowerToken[x] == 0 || lowerToken[x] != lowerToken[y]) {
			return false
		}
	}
	return true
}

// maxOptions bounds the Connection lines of a message together: every header
// line is looked up in them when it is passed on.
const maxOptions = 1 << 10

var (
	errOptions      = bad("the Connection lines are too long")
	errManyHosts    = bad("there is more than one Host line")
	errNoHost       = bad("there is no Host line")
	errHost         = bad("the Host line does not name a valid host")
	errHostDiffers  = bad("the Host line and the request target name different hosts")
	errBothFramings = bad("there are both Content-Length and Transfer-Encoding")
	errCoding10     = bad("Transfer-Encoding does not exist in HTTP/1.0")
	errManyCodings  = bad("there is more than one Transfer-Encoding line")
	errNotChunked   = bad("Transfer-Encoding does not end with a single chunked")
	errCoding       = &ProtocolError{501, "only the transfer coding chunked is understood"}
	errManyLengths  = bad("there is more than one Content-Length line")
	errLength       = bad("Content-Length is not a decimal number")
	errExpect       = &ProtocolError{417, "only the expectation 100-continue is understood"}
)
