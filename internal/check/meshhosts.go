package check

import (
	"slices"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
)

// meshHost is a host of a VirtualService that sidecars read.
type meshHost struct {
	name string
	item object.Item[*networkingv1.VirtualService]
}

// meshHostConflict: of two VirtualServices that sidecars read for one host, one counts.
// A wildcard meets the names that it covers.
func meshHostConflict(p *Pass) {
	var hosts []meshHost
	exact, wild := map[string][]meshHost{}, []meshHost{}
	for _, v := range p.Set.VirtualServices.All() {
		if !inMesh(v.Object) {
			continue
		}
		for _, h := range v.Object.Spec.Hosts {
			if !strings.ContainsAny(h, ".*") {
				h += "." + v.Ref.Namespace + ".svc.cluster.local"
			}
			m := meshHost{strings.ToLower(h), v}
			hosts, exact[m.name] = append(hosts, m), append(exact[m.name], m)
			if strings.HasPrefix(m.name, "*") {
				wild = append(wild, m)
			}
		}
	}
	for _, m := range hosts {
		others := append(slices.Clone(exact[m.name]), wild...)
		if strings.HasPrefix(m.name, "*") && everywhere(m.item) {
			others = append(others, hosts...)
		}
		for _, other := range others {
			if other.item.Ref == m.item.Ref || !compete(m, other) {
				continue
			}
			p.report(fieldOf(m.item, "spec.hosts"), other.item.Ref.String()+" is for host "+other.name+" in the mesh as well; sidecars read only one of the two",
				"put the rules of both into one VirtualService")
			break
		}
	}
}

// compete tells whether two VirtualServices are for the same host and seen by the same
// namespaces: by the same rule as Istio's analysis, a host that covers the
// other counts where one of them is exported to all and the other is not.
func compete(a, b meshHost) bool {
	if a.name == b.name {
		return sharedReach(a.item, b.item)
	}
	return overlap(a.name, b.name) && everywhere(b.item) != everywhere(a.item)
}

func everywhere(v object.Item[*networkingv1.VirtualService]) bool {
	to := v.Object.Spec.ExportTo
	return len(to) == 0 || slices.Contains(to, "*")
}

// sharedReach tells whether some namespace sees both.
func sharedReach(a, b object.Item[*networkingv1.VirtualService]) bool {
	if everywhere(a) || everywhere(b) {
		return true
	}
	seenBy := func(v object.Item[*networkingv1.VirtualService]) []string {
		var list []string
		for _, ns := range v.Object.Spec.ExportTo {
			if ns == "." {
				ns = v.Ref.Namespace
			}
			list = append(list, ns)
		}
		return list
	}
	theirs := seenBy(b)
	return slices.ContainsFunc(seenBy(a), func(ns string) bool { return slices.Contains(theirs, ns) })
}
