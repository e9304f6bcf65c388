package http1

import (
	"errors"
	"testing"

	"github.com/doorward/doorward/internal/header"
)

// TestUntouched shows that a head is written alike with the lines that were read
// and without them, whatever was done to its fields meanwhile.
func TestUntouched(t *testing.T) {
	const raw = "POST /a:b HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nno-blank:2\r\ntwo-blanks:  3\r\nbehind: 4 \r\n" +
		"empty: \r\nlisted: x: y\r\nname: É: z\r\nX-One: 5\r\nlast: 6\r\n\r\n"
	add := func(name, value string) func(*header.Fields) {
		return func(f *header.Fields) { f.Add(name, value) }
	}
	for name, edit := range map[string]func(f *header.Fields){
		"nothing":         func(f *header.Fields) {},
		"all go":          func(f *header.Fields) { *f = nil },
		"the first goes":  func(f *header.Fields) { *f = (*f)[2:] },
		"one in between":  func(f *header.Fields) { f.Del("empty") },
		"set":             func(f *header.Fields) { f.Set("x-one", "7") },
		"added":           add("new", "8"),
		"the other way":   func(f *header.Fields) { s := *f; s[1], s[9] = s[9], s[1] },
		"twice":           func(f *header.Fields) { f.Add((*f)[1].Name, (*f)[1].Value) },
		"a shorter value": func(f *header.Fields) { s := *f; s[6].Value = s[6].Value[:1] },
		"a later value":   func(f *header.Fields) { s := *f; s[6].Value = s[6].Value[3:] },
		"a shorter name":  func(f *header.Fields) { s := *f; s[1].Name = s[1].Name[:1] },
		"a later name":    func(f *header.Fields) { s := *f; s[1].Name = s[1].Name[2:] },
		"a value's parts": func(f *header.Fields) { s := *f; s[6] = header.Field{Name: s[6].Value[:1], Value: s[6].Value[3:]} },
		"no name at all":  func(f *header.Fields) { s := *f; s[7] = header.Field{Name: s[7].Value[:2], Value: s[7].Value[4:]} },
		"another's value": func(f *header.Fields) { s := *f; s[1].Value = s[9].Value },
		"forged":          add("new", "8\r\nevil: 9"),
		"an empty name":   add("", ""),
	} {
		lim := DefaultLimits()
		var h RequestHead
		if n, err := ParseRequest([]byte(raw), &lim, &h); n != len(raw) || err != nil {
			t.Fatal(n, err)
		}
		edit(&h.Fields)
		got, err := AppendRequestHead(nil, &h)
		h.Lines = Lines{}
		want, plainly := AppendRequestHead(nil, &h)
		var a, b *FieldError
		if errors.As(err, &a) != errors.As(plainly, &b) || a != nil && *a != *b || string(got) != string(want) {
			t.Errorf("%s: got %q, %v\nwithout the lines %q, %v", name, got, err, want, plainly)
		}
	}
}
