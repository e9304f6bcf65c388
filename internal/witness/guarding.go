package witness

import (
	"iter"
	"net/netip"

	"github.com/doorward/doorward/internal/plan"
)

// Guards are all guards of a listener: those before its routes, and those of its routes,
// which have no order.
func Guards(l *plan.Listener) iter.Seq[plan.Guard] {
	return func(yield func(plan.Guard) bool) {
		for _, g := range l.Guards {
			if !yield(g) {
				return
			}
		}
		for _, c := range l.Chains {
			for _, h := range c.Hosts {
				for _, r := range h.Routes {
					for g := range Flat(r.Guards) {
						if !yield(g) {
							return
						}
					}
				}
			}
		}
	}
}

// Flat are guards, those of which any is enough one by one.
func Flat(guards []plan.Guard) iter.Seq[plan.Guard] {
	return func(yield func(plan.Guard) bool) {
		for _, g := range guards {
			any, ok := g.(*plan.AnyOf)
			if !ok {
				if !yield(g) {
					return
				}
				continue
			}
			for _, one := range any.Guards {
				if !yield(one) {
					return
				}
			}
		}
	}
}

// clients are addresses that the guards of a route tell apart from others.
func clients(r *plan.Route) []netip.Addr {
	var all []netip.Addr
	for g := range Flat(r.Guards) {
		if a, ok := g.(*plan.Addresses); ok {
			for _, list := range [][]netip.Prefix{a.Allow, a.Deny} {
				for _, block := range list[:min(len(list), maxPlaces)] {
					all = append(all, addressIn(block.String()))
				}
			}
		}
	}
	return all
}
