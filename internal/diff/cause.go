package diff

import (
	"slices"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/witness"
)

// mostCauses bounds the rules that a change tells of.
const mostCauses = 3

// because finds the rules that make a change: of those that decided, or else of all that
// the request has met, the ones whose objects have changed; if none has, those that
// decided.
func (c *comparison) because(a, b *witness.Visit, x, y *Outcome) []Cause {
	var all []Cause
	look := func(origins ...plan.Origin) {
		for _, o := range origins {
			if cause, changed := c.changed(o); changed && len(all) < mostCauses && !tells(all, o.Ref) {
				all = append(all, cause)
			}
		}
	}
	for _, o := range []*Outcome{x, y} { // what has refused is enough
		if o.Verdict.Shut() && len(all) == 0 {
			look(o.By)
		}
	}
	if len(all) == 0 {
		look(x.By, y.By)
	}
	if len(all) == 0 {
		look(guards(b)...)
		look(guards(a)...)
	}
	if len(all) == 0 {
		look(y.origins...)
		look(x.origins...)
	}
	if len(all) > 0 {
		return all
	}
	for _, o := range []plan.Origin{y.By, x.By} {
		if !o.Ref.IsZero() && !tells(all, o.Ref) {
			all = append(all, Cause{Origin: o})
		}
	}
	return all
}

func tells(all []Cause, ref object.Ref) bool {
	return slices.ContainsFunc(all, func(c Cause) bool { return c.Ref == ref })
}

// changed tells whether the object of a rule is another now, and where it is now, or was.
func (c *comparison) changed(o plan.Origin) (Cause, bool) {
	if o.Ref.IsZero() {
		return Cause{}, false
	}
	x, known := c.altered[o.Ref]
	if !known {
		before, had := find(c.before.Set, o.Ref)
		after, has := find(c.after.Set, o.Ref)
		x = alteration{origin: after.origin, changed: had != has || before.text != after.text, gone: had && !has}
		if x.gone {
			x.origin = before.origin
		}
		c.altered[o.Ref] = x
	}
	o.Origin = x.origin
	return Cause{o, x.gone}, x.changed
}

// alteration is what has become of an object.
type alteration struct {
	origin        object.Origin
	changed, gone bool
}
