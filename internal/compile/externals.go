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
	var first *authorizationPolicy
	for _, p := range custom {
		switch {
		case p.dryRun:
		case first == nil:
			first = p
			x := c.extensionProvider(p.provider())
			g.Provider, g.Broken = x.Provider, x.broken
		case p.provider() != first.provider():
			g.Broken = "the policies name several providers: " + first.provider() + ", " + p.provider()
			c.lintRival(p, first)
		}
	}
	if g.Broken != "" {
		g.Provider = nil
	}
	return []plan.Guard{g}
}

// provider is whom a CUSTOM policy wants to be asked.
func (p *authorizationPolicy) provider() string { return p.item.Object.Spec.GetProvider().GetName() }

// lintRival reports, once, a policy that names another provider than the first one
// of a workload.
func (c *compiler) lintRival(p, first *authorizationPolicy) {
	if p.rival {
		return
	}
	p.rival = true
	c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider.name", first.item.Ref.String()+" names the provider "+first.provider()+
		" for the same workload, which can have one: its CUSTOM policies deny what they are about", "name the same provider in all of them")
}

// lintProvider reports a CUSTOM policy that names nobody who can be asked.
func (c *compiler) lintProvider(p *authorizationPolicy) {
	if p.action != securityv1beta1.AuthorizationPolicy_CUSTOM || c.extensionProvider(p.provider()).named {
		return
	}
	name, have := p.provider(), c.providerNames()
	const denied = "what the rules are about is denied; "
	if name == "" {
		c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider", "a CUSTOM policy needs a provider: "+denied+"there is "+some(have, "none"), "write provider: {name: ...}")
		return
	}
	c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider.name", "MeshConfig has no provider "+name+" for authorization: "+denied+"there is "+
		some(have, "none")+nearest(name, have), "define it in extensionProviders of ConfigMap istio-system/istio")
}
