// Package problem is the language in which Doorward tells people what is wrong
// with what they wrote.
//
// A user's mistake is data, not an error: it has a code from one table
// (codes.go), the object and the field it sits in, the file and line to open,
// a message that names what was asked for and what there is, and a remedy that
// can be pasted. Every room that reads or judges objects returns a List; the
// command line prints it, the admin page serves it as JSON, and both show the
// same order for the same input.
package problem

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a problem does to traffic.
type Severity string

const (
	// Error: some request that the manifests mean to serve fails, or something
	// meant to be closed is open.
	Error Severity = "error"
	// Warning: dead or misleading configuration, or it depends on order or luck.
	Warning Severity = "warning"
	// Info: legitimate, worth knowing.
	Info Severity = "info"
)

// rank orders severities, worst first.
func (s Severity) rank() int {
	switch s {
	case Error:
		return 0
	case Warning:
		return 1
	case Info:
		return 2
	}
	return 3
}

// Problem is one finding about one object.
type Problem struct {
	Code     string   `json:"code"`
	Istio    string   `json:"istio,omitempty"` // code of istioctl analyze for the very same mistake
	Severity Severity `json:"severity"`
	Object   string   `json:"object"`          // "Kind namespace/name", or "Kind name" when cluster-scoped
	Field    string   `json:"field,omitempty"` // "spec.http[0].match[1].uri"
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"` // 1 is the first line; 0 is unknown
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
	URL      string   `json:"url,omitempty"` // on which it shows, where it concerns one
}

// New makes a problem of the given code with the severity and the Istio code
// that the table gives it. The caller fills in the place and the words.
func New(code string) Problem {
	c, _ := Lookup(code)
	if c.Severity == "" {
		c.Severity = Error
	}
	return Problem{Code: code, Istio: c.Istio, Severity: c.Severity}
}

// Place says where the problem is, as far as known: "file:line", "file", or "".
func (p Problem) Place() string {
	if p.Line > 0 && p.File != "" {
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// String is the form for a terminal: one line that begins with severity and
// code, and a second line with the remedy, if there is one.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(string(p.Severity))
	b.WriteByte(' ')
	b.WriteString(p.Code)
	if p.Object != "" {
		b.WriteString("  ")
		b.WriteString(p.Object)
	}
	if place := strings.TrimSpace(p.Place() + " " + p.Field); place != "" {
		b.WriteString("  ")
		b.WriteString(place)
	}
	b.WriteString(": ")
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("\n  fix: ")
		b.WriteString(p.Remedy)
	}
	return b.String()
}

// Compare orders problems: by severity (worst first), then object, place,
// field, code and message, so that equal input prints equal output.
func Compare(a, b Problem) int {
	return cmp.Or(
		cmp.Compare(a.Severity.rank(), b.Severity.rank()),
		cmp.Compare(a.Object, b.Object),
		cmp.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Field, b.Field),
		cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Message, b.Message),
		cmp.Compare(a.Remedy, b.Remedy),
		cmp.Compare(a.URL, b.URL),
	)
}

// List is a collection of problems.
type List []Problem

// Sort puts the list in the order of Compare and removes exact repetitions.
func (l *List) Sort() {
	slices.SortFunc(*l, Compare)
	*l = slices.Compact(*l)
}

// Least is the problems that are of severity s or worse.
func (l List) Least(s Severity) List {
	return slices.DeleteFunc(slices.Clone(l), func(p Problem) bool { return p.Severity.rank() > s.rank() })
}

// Count says how many problems have the given severity.
func (l List) Count(s Severity) int {
	n := 0
	for _, p := range l {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// HasErrors says whether any problem is an error.
func (l List) HasErrors() bool { return l.Count(Error) > 0 }

// MarshalJSON writes {"findings":[...]}; an empty list is [], never null.
func (l List) MarshalJSON() ([]byte, error) {
	if l == nil {
		l = List{}
	}
	return json.Marshal(struct {
		Findings []Problem `json:"findings"`
	}{l})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *List) UnmarshalJSON(data []byte) error {
	var doc struct {
		Findings []Problem `json:"findings"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	*l = doc.Findings
	return nil
}

// String is every problem in the form for a terminal, one after the other.
func (l List) String() string {
	var b strings.Builder
	for _, p := range l {
		b.WriteString(p.String())
		b.WriteByte('\n')
	}
	return b.String()
}
