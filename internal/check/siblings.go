package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/plan"
)

// siblings are the routes of a host by the beginning of their paths.
type siblings []sibling

type sibling struct {
	lead string
	placed
}

func newSiblings(h *plan.Host) siblings {
	var s siblings
	for i, r := range h.Routes {
		if lead, _ := r.Rule.Path.Lead(); r.Origin.Ref.Kind == "VirtualService" && lead != "" {
			s = append(s, sibling{lead, placed{r, i}})
		}
	}
	slices.SortStableFunc(s, func(a, b sibling) int { return cmp.Compare(a.lead, b.lead) })
	return s
}

// of finds a route of another rule whose path begins with the prefix of r and goes
// on with something other than a slash. One of the same VirtualService that stands
// before r loses nothing.
func (s siblings) of(r *plan.Route, place int) *plan.Route {
	prefix := r.Rule.Path.Value
	from, _ := slices.BinarySearchFunc(s, prefix, func(x sibling, p string) int { return cmp.Compare(x.lead, p) })
	for _, x := range s[from:] {
		if !strings.HasPrefix(x.lead, prefix) {
			return nil
		}
		ours := x.Origin.Ref == r.Origin.Ref
		if len(x.lead) == len(prefix) || x.lead[len(prefix)] == '/' || ours && (x.place < place || rule(x.Route).Field == rule(r).Field) {
			continue
		}
		return x.Route
	}
	return nil
}
