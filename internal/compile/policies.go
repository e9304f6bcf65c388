package compile

import (
	"fmt"

	"github.com/doorward/doorward/internal/problem"
)

// readPolicies says what of the policies is probably not meant, and which kinds
// are not carried out.
func (c *compiler) readPolicies() {
	c.lintAuthorizationPolicies()
	c.lintSidecars()
}

// lintSidecars tells that Sidecars are not carried out. What they say of egress
// narrows what sidecars see; gateways see everything with Istio too
// (Proxy.SetSidecarScope). Only listeners of their own change what comes in.
func (c *compiler) lintSidecars() {
	all := c.set.Sidecars.All()
	for _, item := range all {
		if len(item.Object.Spec.Ingress) > 0 {
			c.problem(problem.NotCarriedOut, item.Ref, item.Origin, "spec.ingress", "listeners of Sidecars are not carried out: requests come in by the Service's ports",
				"do not rely on them here; keep what must not be open behind another guard")
		}
	}
	if len(all) > 0 {
		c.problemAs(problem.Info, problem.NotCarriedOut, all[0].Ref, all[0].Origin, "",
			fmt.Sprintf("what Sidecars say of egress is not carried out: it is for requests that applications send (%d of them)", len(all)), "nothing is to be done if that is meant")
	}
}
