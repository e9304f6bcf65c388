package check

import (
	"slices"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// Partial lowers what is said of things that are not in the set to info where the
// set has nothing at all of their kind: they are kept elsewhere then. It is for
// files that are part of a whole, not for what is served.
func Partial(l problem.List, set *object.Set) problem.List {
	absent := map[string]string{}
	note := func(number int, what string, codes ...string) {
		for _, c := range codes {
			if number == 0 {
				absent[c] = what
			}
		}
	}
	services := set.Services.Len()
	note(set.Gateways.Len(), "Gateway", problem.GatewayNotFound, problem.AuthzSourceNotFound)
	note(services+set.ServiceEntries.Len(), "Service", problem.HostNotFound, problem.DRHostNotFound)
	note(services+set.Workloads.Len(), "workload", problem.GatewaySelectsNothing, problem.AuthzSelectsNothing, problem.AuthnSelectsNothing)
	note(set.Secrets.Len(), "Secret", problem.GatewayCredentialNotFound)
	note(services, "Service", problem.IngressServiceNotFound)
	note(set.DestinationRules.Len(), "DestinationRule", problem.SubsetNotFound)
	note(set.ConfigMaps.Len(), "MeshConfig", problem.AuthzProviderNotFound)
	l = slices.Clone(l)
	for i := range l {
		if what := absent[l[i].Code]; what != "" && l[i].Severity != problem.Info {
			l[i].Severity = problem.Info
			l[i].Message += " (no " + what + " is in these files)"
		}
	}
	return l
}
