package http1

import (
	"unsafe"

	"github.com/doorward/doorward/internal/header"
)

// Lines are those of a head as ParseRequest has judged them, with names in lower
// case. A field that still is one of them, as most are that a proxy passes on,
// is written by copying its line, together with its neighbours: judging a token
// of a kilobyte a second time costs more than all else in writing a head.
type Lines struct{ text string }

// untouched returns where the line is that f is, to the byte; end is 0 where f is
// none. It trusts nothing but text: the name begins where a line does and ends at
// its colon, so it is that line's; the value follows and ends where the line
// does, so it is its value.
func (l Lines) untouched(f *header.Field) (start, end int) {
	base := uintptr(unsafe.Pointer(unsafe.StringData(l.text)))
	at := uintptr(unsafe.Pointer(unsafe.StringData(f.Name))) - base
	if at == 0 || at >= uintptr(len(l.text)) {
		return 0, 0
	}
	start = int(at)
	value := start + len(f.Name) + len(": ")
	end = value + len(f.Value) + len("\r\n")
	if end > len(l.text) || uintptr(unsafe.Pointer(unsafe.StringData(f.Value))) != base+uintptr(value) ||
		l.text[start-1] != '\n' || l.text[value-2:value] != ": " || l.text[end-2:end] != "\r\n" {
		return 0, 0
	}
	return start, end
}
