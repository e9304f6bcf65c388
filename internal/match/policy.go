package match

import (
	"slices"
	"strings"
)

// PolicyRule is one rule of an AuthorizationPolicy: one of To, one of From and
// all of When must hold. The zero rule matches every request.
type PolicyRule struct {
	From, To []Conditions // alternatives; none is anything
	When     Conditions
}

// Conditions must all hold.
type Conditions []PolicyCondition

// Match tells whether r fulfils the rule.
func (u *PolicyRule) Match(r *Request) bool {
	return u.Concerns(r) && fits(u.From, r) && u.When.match(r)
}

// Concerns tells whether r is one of the operations (To) that the rule is about.
func (u *PolicyRule) Concerns(r *Request) bool { return fits(u.To, r) }

func fits(alternatives []Conditions, r *Request) bool {
	for _, all := range alternatives {
		if all.match(r) {
			return true
		}
	}
	return len(alternatives) == 0
}

func (all Conditions) match(r *Request) bool {
	for i := range all {
		if !all[i].Match(r) {
			return false
		}
	}
	return true
}

// Why tells, for people, what r lacks: of each alternative the first condition
// that fails. It is "" if r fulfils the rule.
func (u *PolicyRule) Why(r *Request) string {
	if why := whyNone(u.To, r); why != "" {
		return why
	}
	if why := whyNone(u.From, r); why != "" {
		return why
	}
	return u.When.why(r)
}

func whyNone(alternatives []Conditions, r *Request) string {
	var all []string
	for _, conditions := range alternatives {
		why := conditions.why(r)
		if why == "" {
			return ""
		}
		if !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return list(all, "; ", 3)
}

func (all Conditions) why(r *Request) string {
	for i := range all {
		if !all[i].Match(r) {
			return all[i].why(r)
		}
	}
	return ""
}

// String prints the rule: `path "/a*"; from source.namespace "b"`.
func (u *PolicyRule) String() string {
	var parts []string
	add := func(word string, alternatives []Conditions) {
		var all []string
		for _, conditions := range alternatives {
			all = append(all, conditions.String())
		}
		if len(all) > 0 {
			parts = append(parts, word+list(all, ", or ", 3))
		}
	}
	add("", u.To)
	add("from ", u.From)
	if len(u.When) > 0 {
		parts = append(parts, "when "+u.When.String())
	}
	if len(parts) == 0 {
		return "every request"
	}
	return strings.Join(parts, "; ")
}

// String prints the conditions, joined by " and ".
func (all Conditions) String() string {
	var parts []string
	for i := range all {
		parts = append(parts, all[i].String())
	}
	return strings.Join(parts, " and ")
}

// Place is a part of all requests: those whose Host header fulfils Host and whose
// path begins with Lead.
type Place struct {
	Host Text
	Lead string
}

// maxPlaces bounds the places of one operation.
const maxPlaces = 256

// Places are where the rule may match; elsewhere it does not.
func (u *PolicyRule) Places() []Place {
	if len(u.To) == 0 {
		return []Place{{}}
	}
	var all []Place
	for _, operation := range u.To {
		hosts, leads := []Text{{}}, []string{""}
		for i := range operation {
			c := &operation[i]
			switch {
			case len(c.Values) == 0:
			case c.Fact == FactHost:
				hosts = hosts[:0]
				for j := range c.Values {
					hosts = append(hosts, c.Values[j].text)
				}
			case c.Fact == FactPath:
				leads = leads[:0]
				for j := range c.Values {
					leads = append(leads, c.Values[j].lead())
				}
			}
		}
		if len(hosts)*len(leads) > maxPlaces {
			leads = []string{""}
		}
		for _, host := range hosts {
			for _, lead := range leads {
				all = append(all, Place{host, lead})
			}
		}
	}
	return all
}

// list joins the first most parts, and counts the others.
func list(parts []string, sep string, most int) string {
	if more := len(parts) - most; more > 0 {
		return strings.Join(parts[:most], sep) + sep + decimal(more) + " more"
	}
	return strings.Join(parts, sep)
}
