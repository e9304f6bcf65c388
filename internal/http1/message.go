package http1

import "github.com/doorward/doorward/internal/header"

// Framing says how the end of a body is found (RFC 9112 section 6.3).
type Framing uint8

// The ways to frame a body.
const (
	NoBody     Framing = iota
	Length             // Content-Length
	Chunked            // Transfer-Encoding: chunked
	UntilClose         // a response that ends with its connection
)

// Form is the form of a request target (RFC 9112 section 3.2).
type Form uint8

// The forms of a request target.
const (
	Origin    Form = iota // /path?query
	Absolute              // http://host/path?query
	Authority             // host:port, with CONNECT only
	Asterisk              // *, with OPTIONS only
)

// RequestHead is the request line and header lines of one request, both as
// read by ParseRequest and as AppendRequestHead writes it.
//
// Fields holds every line as it was received, names in lower case. The writer
// takes host, framing and connection lines from the typed members only and
// skips such lines in Fields (host, content-length, transfer-encoding,
// connection, keep-alive, proxy-connection, upgrade, expect), so a rule that
// edits Fields cannot change how the message is framed.
type RequestHead struct {
	Method string
	Target string // as received, byte for byte
	Form   Form
	// Host is the authority as received: the Host line's value, or the
	// authority of an absolute-form target when there is none (HTTP/1.0).
	Host   string
	Fields header.Fields
	// Lines are those that were read; the writer needs them only to be quick.
	Lines Lines
	// HTTP10 is true for HTTP/1.0, false for HTTP/1.1.
	HTTP10  bool
	Framing Framing
	// ContentLength is the announced length, -1 when none is.
	ContentLength int64
	// Close is true when the sender closes the connection afterwards: it
	// said "close", or spoke HTTP/1.0 without "keep-alive".
	Close bool
	// ExpectContinue is true for "Expect: 100-continue" of an HTTP/1.1
	// message with a body.
	ExpectContinue bool
	// Upgrade is the Upgrade line's value where "Connection: upgrade" names
	// it (HTTP/1.1), else "".
	Upgrade string
}

// PathQuery returns the path and query of an origin-form or absolute-form
// target, byte for byte ("/" where an absolute target has no path), and the
// target itself for the other forms.
func (h *RequestHead) PathQuery() string {
	if h.Form != Absolute {
		return h.Target
	}
	_, rest := splitAbsolute(h.Target)
	switch {
	case rest == "":
		return "/"
	case rest[0] == '?':
		return "/" + rest
	}
	return rest
}

// ResponseHead is the status line and header lines of one response. Fields
// follows the rules of RequestHead.Fields.
type ResponseHead struct {
	Status int
	// Reason is the reason phrase as received; when "" the writer writes the
	// registered one.
	Reason  string
	Fields  header.Fields
	HTTP10  bool
	Framing Framing
	// ContentLength is the announced length, -1 when none is. It is kept
	// for answers without a body too (HEAD, 304).
	ContentLength int64
	Close         bool
	// Upgrade is the Upgrade line's value of a 101 or 426, else "".
	Upgrade string
}
