// Package header holds the header fields of one HTTP message in the order in
// which they came.
//
// Names are in lower case everywhere inside Doorward: the HTTP/1.1 parser and
// the HTTP/2 front end write them so, and rules are compiled so. A comparison
// is then a plain string comparison, and a message leaves with lower-case
// names, as Envoy sends them (RFC 9110 section 5.1: names are case-insensitive).
package header

import "strings"

// Field is one header line. Name is in lower case; Value has no surrounding
// blanks.
type Field struct{ Name, Value string }

// Fields are header lines in order. Several lines may share a name.
type Fields []Field

// Get returns the value of the first line called name (in lower case) and
// whether there is one.
func (f Fields) Get(name string) (string, bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value, true
		}
	}
	return "", false
}

// Value is Get without the second result: "" where there is no such line.
func (f Fields) Value(name string) string {
	v, _ := f.Get(name)
	return v
}

// Has tells whether a line called name (in lower case) is there.
func (f Fields) Has(name string) bool {
	_, ok := f.Get(name)
	return ok
}

// Joined returns the values of all lines called name, joined by sep, and
// whether there is at least one. It allocates only for repeated names.
func (f Fields) Joined(name, sep string) (string, bool) {
	first, n := -1, 0
	for i := range f {
		if f[i].Name == name {
			if n == 0 {
				first = i
			}
			n++
		}
	}
	switch n {
	case 0:
		return "", false
	case 1:
		return f[first].Value, true
	}
	vs := make([]string, 0, n)
	for i := first; i < len(f); i++ {
		if f[i].Name == name {
			vs = append(vs, f[i].Value)
		}
	}
	return strings.Join(vs, sep), true
}

// Add appends a line.
func (f *Fields) Add(name, value string) { *f = append(*f, Field{name, value}) }

// Set replaces the first line called name and removes the others; without one
// it appends.
func (f *Fields) Set(name, value string) {
	for i := range *f {
		if (*f)[i].Name == name {
			(*f)[i].Value = value
			f.delFrom(i+1, name)
			return
		}
	}
	f.Add(name, value)
}

// Del removes all lines called name.
func (f *Fields) Del(name string) { f.delFrom(0, name) }

func (f *Fields) delFrom(i int, name string) {
	s := *f
	for i < len(s) && s[i].Name != name {
		i++
	}
	kept := i
	for ; i < len(s); i++ {
		if s[i].Name != name {
			s[kept] = s[i]
			kept++
		}
	}
	clear(s[kept:])
	*f = s[:kept]
}

// Clone returns a copy that shares no memory with f but the strings.
func (f Fields) Clone() Fields { return append(Fields(nil), f...) }
