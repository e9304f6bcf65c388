package proxy

import "github.com/doorward/doorward/internal/header"

// reasonHeader tells clients why Doorward itself answered, where operators want
// that (Options.ReasonHeader).
const reasonHeader = "x-doorward-reason"

// maxReason bounds the header's value, in bytes.
const maxReason = 512

// tellReason puts the reason into an answer of Doorward's own; "" is for answers
// of applications, which cannot have the header.
func (x *exchange) tellReason(f *header.Fields, reason string) {
	if !x.p.o.ReasonHeader {
		return
	}
	f.Del(reasonHeader)
	if reason != "" {
		f.Add(reasonHeader, visible(reason))
	}
}

// visible is text that any header can hold: printable ASCII, of bounded length.
func visible(text string) string {
	cut := len(text) > maxReason
	b := []byte(text[:min(len(text), maxReason)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	if cut {
		copy(b[len(b)-3:], "...")
	}
	return string(b)
}
