package compile

import (
	securityv1beta1 "istio.io/api/security/v1beta1"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// externals are the CUSTOM policies of a workload, with the authorizer that they
// name. Where there is none, or where they name several, what they are about is
// denied (Istio, getExtAuthz and getBadCustomDenyRules).
func (c *compiler) externals(w *secured) []plan.Guard {
	custom := c.policiesOf(w, securityv1beta1.AuthorizationPolicy_CUSTOM)
	if len(custom) == 0 {
		return nil
	}
	g := &plan.External{When: c.policySet(custom)}
	var named []string
	for _, p := range custom {
		name := p.item.Object.Spec.GetProvider().GetName()
		if p.dryRun {
			c.lintProvider(p, name)
			continue
		}
		if len(named) > 0 && named[0] != name {
			c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider.name", "another policy of the workload names the provider "+named[0]+
				", and a workload can have one: its CUSTOM policies deny what they are about", "name the same provider in all of them")
			g.Broken = "they name several providers: " + named[0] + ", " + name
		}
		named = append(named, name)
		x := c.lintProvider(p, name)
		if g.Broken == "" {
			g.Provider, g.Broken = x.Provider, x.broken
		}
	}
	if g.Broken != "" {
		g.Provider = nil
	}
	return []plan.Guard{g}
}

// lintProvider finds the provider that a policy names, and reports where there is
// none to ask.
func (c *compiler) lintProvider(p *authorizationPolicy, name string) *extensionProvider {
	x := c.extensionProvider(name)
	switch {
	case x.named:
	case name == "":
		c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider", "a CUSTOM policy needs a provider; there is "+some(c.providerNames(), "none")+
			". What its rules are about is denied", "write provider: {name: ...}")
	default:
		c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider.name", "MeshConfig has no provider "+name+" for authorization; there is "+
			some(c.providerNames(), "none")+nearest(name, c.providerNames())+" What its rules are about is denied", "define it in extensionProviders of ConfigMap istio-system/istio")
	}
	return x
}
