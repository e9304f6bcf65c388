package check

import (
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// covers tells whether every request that b takes is one that a takes. It may be
// false where that is so and cannot be seen from the conditions.
func covers(a, b *match.Rule) bool {
	if !textCovers(plain(a.Path), plain(b.Path), "/") {
		return false
	}
	for i := range a.All {
		if !implied(&a.All[i], b.All) {
			return false
		}
	}
	return true
}

// implied tells whether one of the conditions has a as its consequence.
func implied(a *match.Condition, all []match.Condition) bool {
	for i := range all {
		b := &all[i]
		if a.Attr != b.Attr || a.Name != b.Name || a.Not != b.Not {
			continue
		}
		if a.Text.Equal(b.Text) || !a.Not && textCovers(plain(a.Text), plain(b.Text), "") {
			return true
		}
	}
	return false
}

// textCovers tells whether each value that fulfils b fulfils a. Values begin with
// lead.
func textCovers(a, b match.Text, lead string) bool {
	if a.Op == match.Any || b.Op != match.Any && a.Op == match.Present || a.Equal(b) {
		return true
	}
	begins, fold := b.Lead()
	switch a.Op {
	case match.Prefix:
		if strings.HasPrefix(lead, a.Value) && b.Op != match.Any {
			return true
		}
		return hasPrefix(begins, a.Value, a.IgnoreCase, fold)
	case match.Exact:
		return b.Op == match.Exact && (a.IgnoreCase || !fold) && a.Match(b.Value, true)
	case match.Regex:
		return b.Op == match.Exact && !fold && a.Match(b.Value, true)
	}
	return false
}

// hasPrefix tells whether all values that begin with s, in any case of letters if
// sFold, begin with prefix, in any case if fold.
func hasPrefix(s, prefix string, fold, sFold bool) bool {
	if len(s) < len(prefix) {
		return false
	}
	head := s[:len(prefix)]
	switch {
	case fold:
		return strings.EqualFold(head, prefix)
	case sFold:
		return head == prefix && strings.ToLower(head) == strings.ToUpper(head)
	}
	return head == prefix
}

// plain is a condition as prefix where its regex says no more than one: "/a/.*".
func plain(t match.Text) match.Text {
	if t.Op != match.Regex {
		return t
	}
	value, ok := strings.CutSuffix(strings.TrimSuffix(strings.TrimPrefix(t.Value, "^"), "$"), ".*")
	if !ok || strings.ContainsAny(value, `\.+*?()|[]{}^$`) {
		return t
	}
	return match.Text{Op: match.Prefix, Value: value}
}

// takesAll tells whether Istio puts a route behind all others of its host: prefix
// / or regex .* without a further condition.
func takesAll(u *match.Rule) bool {
	t := plain(u.Path)
	return len(u.All) == 0 && t.Op == match.Prefix && (t.Value == "/" || t.Value == "")
}

// disjoint tells that no request fulfils the further conditions of both rules.
func disjoint(a, b *match.Rule) bool {
	for i := range a.All {
		for j := range b.All {
			x, y := &a.All[i], &b.All[j]
			if x.Attr != y.Attr || x.Name != y.Name {
				continue
			}
			if x.Not != y.Not && x.Text.Equal(y.Text) {
				return true
			}
			if !x.Not && !y.Not && x.Text.Op == match.Exact && y.Text.Op == match.Exact && !x.Text.Match(y.Text.Value, true) && !y.Text.Match(x.Text.Value, true) {
				return true
			}
		}
	}
	return false
}

// paths finds, among many routes, those whose path may cover that of a given one
// without looking at them all.
type paths struct {
	byLead map[string][]*placed // the beginning of a path, in lower case
	rest   []*placed            // regexes of which no beginning is known
}

// placed is a route and its place in its host.
type placed struct {
	*plan.Route
	place int
}

func (x *paths) add(r *placed) {
	t := plain(r.Rule.Path)
	if t.Op == match.Regex || t.Op != match.Exact && t.Op != match.Prefix {
		x.rest = append(x.rest, r)
		return
	}
	if x.byLead == nil {
		x.byLead = map[string][]*placed{}
	}
	lead := strings.ToLower(t.Value)
	x.byLead[lead] = append(x.byLead[lead], r)
}

// before calls yield for each route whose path may cover that of u, until it is
// false.
func (x *paths) before(u *match.Rule, yield func(*placed) bool) {
	t := plain(u.Path)
	lead, _ := t.Lead()
	lead = strings.ToLower(lead)
	for i := 0; i <= len(lead); i++ {
		for _, r := range x.byLead[lead[:i]] {
			if !yield(r) {
				return
			}
		}
	}
	for _, r := range x.rest {
		if !yield(r) {
			return
		}
	}
}

// covered tells whether some single route covers a rule.
func (x *paths) covered(u *match.Rule) bool {
	found := false
	x.before(u, func(r *placed) bool {
		found = covers(&r.Rule, u)
		return !found
	})
	return found
}
