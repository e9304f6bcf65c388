package match

import (
	"strconv"
	"strings"
)

// Attr is the part of a request that a Condition looks at.
type Attr uint8

const (
	Method Attr = iota
	Scheme
	Authority
	Header
	Query
	Claim
)

// Condition is one condition on a request, as data.
type Condition struct {
	Attr Attr
	Name string   // of the header (lower case) or query parameter
	Path []string // of the claim, through nested objects
	Text Text
	// Not inverts a condition (VirtualService withoutHeaders). An absent
	// header then counts as the empty text, except for Present.
	Not bool
}

// Match tells whether r fulfils the condition.
func (c *Condition) Match(r *Request) bool {
	if c.Attr == Claim { // any of its texts will do (Envoy, MetadataMatcher)
		return r.Token.claim(c.Path, func(v string) bool { return c.Text.Match(v, true) }) != c.Not
	}
	v, present := c.value(r)
	if !c.Not {
		return c.Text.Match(v, present)
	}
	if c.Text.Op == Present {
		return !present
	}
	return !c.Text.matchText(v)
}

func (c *Condition) value(r *Request) (string, bool) {
	switch c.Attr {
	case Method:
		return r.Method, true
	case Scheme:
		return r.Scheme, true
	case Authority:
		return r.Host, true
	case Header:
		return r.Part(c.Name)
	case Claim:
		var first string
		present := r.Token.claim(c.Path, func(v string) bool { first = v; return true })
		return first, present
	default:
		return r.QueryValue(c.Name)
	}
}

// What names the part of the request: "header x-user", "method".
func (c *Condition) What() string {
	switch c.Attr {
	case Method:
		return "method"
	case Scheme:
		return "scheme"
	case Authority:
		return "authority"
	case Header:
		return "header " + c.Name
	case Claim:
		return "claim " + strings.Join(c.Path, ".")
	default:
		return "query parameter " + c.Name
	}
}

// String prints the condition: header x-user exact "a".
func (c *Condition) String() string {
	if c.Not {
		return "not " + c.What() + " " + c.Text.String()
	}
	return c.What() + " " + c.Text.String()
}

// Rule is the conditions of one route; all of them must hold. The zero Rule
// matches every request.
type Rule struct {
	// Path is the condition on the hop's normal form of the path, without query.
	Path Text
	All  []Condition
}

// Match tells whether r fulfils every condition.
func (u *Rule) Match(r *Request) bool {
	if !u.Path.Match(r.Path, true) {
		return false
	}
	return u.MatchRest(r)
}

// MatchRest is Match without the path, for an index that has compared it.
func (u *Rule) MatchRest(r *Request) bool {
	for i := range u.All {
		if !u.All[i].Match(r) {
			return false
		}
	}
	return true
}

// Why tells, for people, the first condition that r does not fulfil and what r
// has instead, or "" if r fulfils all.
func (u *Rule) Why(r *Request) string {
	if !u.Path.Match(r.Path, true) {
		return "path is " + strconv.Quote(r.Path) + ", wants " + u.Path.String()
	}
	for i := range u.All {
		c := &u.All[i]
		if c.Match(r) {
			continue
		}
		v, present := c.value(r)
		got := "is absent"
		if present {
			got = "is " + strconv.Quote(v)
		}
		want := ", wants "
		if c.Not {
			want = ", must not be "
		}
		return c.What() + " " + got + want + c.Text.String()
	}
	return ""
}

// Unconditional tells whether the rule matches every request.
func (u *Rule) Unconditional() bool { return u.Path.Op == Any && len(u.All) == 0 }

// String prints all conditions, joined by ", ".
func (u *Rule) String() string {
	var parts []string
	if u.Path.Op != Any {
		parts = append(parts, "path "+u.Path.String())
	}
	for i := range u.All {
		parts = append(parts, u.All[i].String())
	}
	if len(parts) == 0 {
		return "every request"
	}
	return strings.Join(parts, ", ")
}
