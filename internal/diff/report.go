package diff

import (
	"slices"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// Class is what a change means.
type Class string

// In the order of their danger.
const (
	Opened     Class = "opened"     // was refused, and is reachable without login
	Published  Class = "published"  // is new, and reachable without login where others need one
	Forgeable  Class = "forgeable"  // clients can say themselves who they are
	Widened    Class = "widened"    // more callers are let in
	Retargeted Class = "retargeted" // another application gets it
	Lost       Class = "lost"       // nothing gets it any more
	Closed     Class = "closed"     // fewer callers are let in
	Turned     Class = "turned"     // it is refused, or answered, in another way
	Edited     Class = "edited"     // the application gets it, or the client its answer, in another form
	Added      Class = "added"      // is new
)

var classes = []struct {
	class Class
	title string
}{
	{Opened, "became reachable without login"},
	{Published, "new, and reachable without login"},
	{Forgeable, "clients can now say themselves who they are"},
	{Widened, "more callers are let in"},
	{Retargeted, "another application gets it"},
	{Lost, "no application gets it any more"},
	{Closed, "fewer callers are let in"},
	{Turned, "refused or answered in another way"},
	{Edited, "handed on in another form"},
	{Added, "new"},
}

// Title tells the class in words.
func (c Class) Title() string { return classes[c.rank()].title }

// Open tells that something became reachable without login.
func (c Class) Open() bool { return c == Opened || c == Published }

func (c Class) rank() int {
	for i := range classes {
		if classes[i].class == c {
			return i
		}
	}
	return len(classes) - 1
}

// Change is a class of requests for which something changes by one cause.
type Change struct {
	Class Class
	// Example is one of Count requests.
	Example       witness.Example
	Before, After Outcome
	Count         int
	// Edits tell what is handed on otherwise.
	Edits []string
	// Because are the rules that changed, as they are now, or were if they are gone; if
	// none of them has changed those that decided.
	Because []Cause

	requests map[string]bool
}

// Cause is a rule that makes a change.
type Cause struct {
	plan.Origin
	Gone bool // it is only in the plan before
}

// Report is everything that changes.
type Report struct {
	Changes  []Change
	Examples int // that were walked
}

// Open tells whether something became reachable without login.
func (r *Report) Open() bool {
	return slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Class.Open() })
}
