package compile

import (
	"net/netip"
	"strconv"

	"github.com/doorward/doorward/internal/plan"
)

// limits are what the annotations of an Ingress ask for about how often a client
// may ask.
type limits struct {
	perSecond, perMinute, multiplier int
	connections                      int
	exempt                           []netip.Prefix // limit-allowlist
	exemptNamed                      bool           // by that name, so that limit-whitelist counts for nothing
}

// set reads one annotation.
func (l *limits) set(name, value string) (ok, known bool) {
	whole := func(to *int) bool {
		n, err := strconv.Atoi(value)
		if err == nil {
			*to = n
		}
		return err == nil
	}
	switch name {
	case "limit-rps":
		ok = whole(&l.perSecond)
	case "limit-rpm":
		ok = whole(&l.perMinute)
	case "limit-connections":
		ok = whole(&l.connections)
	case "limit-burst-multiplier":
		if ok = whole(&l.multiplier); l.multiplier < 1 {
			l.multiplier = 5
		}
	case "limit-allowlist":
		ok = prefixes(value, &l.exempt)
		l.exemptNamed = ok && len(l.exempt) > 0
	case "limit-whitelist":
		var list []netip.Prefix
		if ok = prefixes(value, &list); ok && !l.exemptNamed {
			l.exempt = list
		}
	default:
		return false, false
	}
	return ok, true
}

// guards are those of the limits. All hosts and paths of an Ingress share one
// count of each (ingress-nginx, ratelimit: the zone is named by the Ingress).
func (l *limits) guards(ing *ingress, status, connStatus int, origin plan.Origin) []plan.Guard {
	var guards []plan.Guard
	if l.connections > 0 && ing != nil {
		guards = append(guards, &plan.ConnLimit{Zone: ing.item.Ref.Namespace + "/" + ing.item.Ref.Name + " limit-connections", Most: l.connections,
			Exempt: l.exempt, Status: connStatus, Origin: origin})
	}
	add := func(unit string, n, perMinute int) {
		if n > 0 && ing != nil {
			guards = append(guards, &plan.RateLimit{Zone: ing.item.Ref.Namespace + "/" + ing.item.Ref.Name + " " + unit, PerMinute: perMinute,
				Burst: n * l.multiplier, Exempt: l.exempt, Status: status, Origin: origin})
		}
	}
	add("limit-rpm", l.perMinute, l.perMinute)
	add("limit-rps", l.perSecond, l.perSecond*60)
	return guards
}
