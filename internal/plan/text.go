package plan

import (
	"encoding/hex"
	"strings"
)

// text makes the strings of one walk that must be made: addresses joined, ids.
// They share one piece of memory, so that a walk allocates once for them.
type text struct{ b strings.Builder }

// textSize is room for what an edge and a gateway write.
const textSize = 160

func (t *text) room(n int) {
	if t.b.Cap()-t.b.Len() < n {
		t.b = strings.Builder{} // the strings made so far keep the old one
		t.b.Grow(max(n, textSize))
	}
}

// join returns a + b + c.
func (t *text) join(a, b, c string) string {
	t.room(len(a) + len(b) + len(c))
	from := t.b.Len()
	t.b.WriteString(a)
	t.b.WriteString(b)
	t.b.WriteString(c)
	return t.b.String()[from:]
}

func (t *text) bytes(p []byte) string {
	t.room(len(p))
	from := t.b.Len()
	t.b.Write(p)
	return t.b.String()[from:]
}

// hex returns the digits of an id.
func (t *text) hex(id [16]byte) string {
	var out [32]byte
	hex.Encode(out[:], id[:])
	return t.bytes(out[:])
}

// uuid formats an id as a random UUID (RFC 9562, version 4).
func (t *text) uuid(id [16]byte) string {
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:], id[:4])
	out[8] = '-'
	hex.Encode(out[9:], id[4:6])
	out[13] = '-'
	hex.Encode(out[14:], id[6:8])
	out[18] = '-'
	hex.Encode(out[19:], id[8:10])
	out[23] = '-'
	hex.Encode(out[24:], id[10:])
	return t.bytes(out[:])
}
