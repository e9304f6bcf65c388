package compile

import (
	securityv1beta1 "istio.io/api/security/v1beta1"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// externals are the CUSTOM policies of a workload, with the authorizer or login that
// they name. Where there is none, or where they name several, what they are about is
// denied (Istio, getExtAuthz and getBadCustomDenyRules).
func (c *compiler) externals(w *secured) []plan.Guard {
	custom := c.policiesOf(w, securityv1beta1.AuthorizationPolicy_CUSTOM)
	if len(custom) == 0 {
		return nil
	}
	var first *authorizationPolicy
	var asked authority
	for _, p := range custom {
		switch {
		case p.dryRun:
		case first == nil:
			first, asked = p, c.authority(p)
		case c.authority(p) != c.authority(first):
			asked.broken = "the policies name several providers: " + first.provider() + ", " + p.provider()
			c.lintRival(p, first)
		}
	}
	when := c.policySet(custom)
	switch {
	case asked.login != nil:
		return []plan.Guard{&plan.Login{When: when, Provider: asked.login, Broken: asked.broken}}
	case asked.broken != "":
		asked.provider = nil
	}
	return []plan.Guard{&plan.External{When: when, Provider: asked.provider, Broken: asked.broken}}
}

// authority is what a CUSTOM policy asks: an external authorizer, or the login that is
// called like it and takes its place.
type authority struct {
	provider *plan.Provider
	login    *plan.LoginProvider
	broken   string // why nobody can be asked
}

func (c *compiler) authority(p *authorizationPolicy) authority {
	if l := c.loginFor(p.item.Ref.Namespace, p.provider()); l != nil {
		return authority{login: l.LoginProvider, broken: l.broken}
	}
	x := c.extensionProvider(p.provider())
	return authority{provider: x.Provider, broken: x.broken}
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
	if p.action != securityv1beta1.AuthorizationPolicy_CUSTOM || c.loginFor(p.item.Ref.Namespace, p.provider()) != nil || c.extensionProvider(p.provider()).named {
		return
	}
	name, have := p.provider(), c.providerNames()
	const denied = "what the rules are about is denied; "
	if name == "" {
		c.onPolicy(problem.AuthzProviderNotFound, p, "spec.provider", "a CUSTOM policy needs a provider: "+denied+"there is "+some(have, "none"), "write provider: {name: ...}")
		return
	}
	severity := problem.Error
	if c.mesh.origin.Ref.IsZero() {
		severity = problem.Info // MeshConfig is not among the files
	}
	c.problemAs(severity, problem.AuthzProviderNotFound, p.item.Ref, p.item.Origin, "spec.provider.name", "MeshConfig has no provider "+name+" for authorization: "+denied+"there is "+
		some(have, "none")+nearest(name, have), "define it in extensionProviders of ConfigMap istio-system/istio")
}
