package check

import (
	"strconv"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// gatewayDuplicateCert: browsers use one connection for all hosts of a certificate,
// and a gateway answers 404 for those of another server.
func gatewayDuplicateCert(p *Pass) {
	type shown struct {
		at       plan.Origin
		selector map[string]string
	}
	seen := map[string][]shown{} // by credentialName
	for _, g := range p.Set.Gateways.All() {
		for i, s := range g.Object.Spec.Servers {
			name := s.GetTls().GetCredentialName()
			if name == "" {
				continue
			}
			here := shown{fieldOf(g, "spec.servers["+strconv.Itoa(i)+"].tls.credentialName"), g.Object.Spec.Selector}
			for _, before := range seen[name] {
				if before.at.Ref == g.Ref || !p.together(before.selector, here.selector) {
					continue
				}
				for _, pair := range [][2]plan.Origin{{before.at, here.at}, {here.at, before.at}} {
					p.report(pair[0], "certificate "+name+" is also that of "+pair[1].Ref.String()+" on the same workload: browsers use one connection for the hosts of both, and get 404 for those of the other",
						"put the hosts of both into one Gateway")
				}
			}
			seen[name] = append(seen[name], here)
		}
	}
}

// together tells whether some workload has the labels of both selectors.
func (p *Pass) together(a, b map[string]string) bool {
	if labels(a) == labels(b) {
		return true
	}
	for _, s := range p.Set.Services.All() {
		if l := s.Object.Spec.Selector; len(l) > 0 && object.Match(a, l) && object.Match(b, l) {
			return true
		}
	}
	for _, w := range p.Set.Workloads.All() {
		if l := w.Object.PodLabels(); object.Match(a, l) && object.Match(b, l) {
			return true
		}
	}
	return false
}
