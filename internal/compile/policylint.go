package compile

import (
	"slices"
	"strconv"
	"strings"

	securityv1beta1 "istio.io/api/security/v1beta1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// What is read and enforced, but probably not meant.

// lintStars reports values with a star in their middle, which is compared
// literally, as in /a*/b; of /a/** beside a value that covers it they only tell.
func (c *compiler) lintStars(p *authorizationPolicy, field string, fact match.Fact, values, notValues []string) {
	if fact != match.FactPath && fact != match.FactHost && fact != match.FactPrincipal {
		return
	}
	for _, list := range [][]string{values, notValues} {
		for _, value := range list {
			if literalStar(value) {
				severity := problem.Warning
				if covered(value, list) {
					severity = problem.Info
				}
				c.problemAs(severity, problem.PathPatternLiteralStar, p.item.Ref, p.item.Origin, field,
					strconv.Quote(value)+": a star is special only as the first or the last letter; the other is compared literally",
					"end the value with one star; in paths {*} is one segment and {**} any number of them")
			}
		}
	}
}

// literalStar tells whether a star of the value is compared literally.
func literalStar(value string) bool {
	if strings.Contains(value, "{*}") || strings.Contains(value, "{**}") {
		return false
	}
	rest, first := strings.CutPrefix(value, "*")
	if !first {
		rest = strings.TrimSuffix(value, "*")
	}
	return strings.Contains(rest, "*")
}

// covered tells whether another value of the list covers what was meant: /a/* does
// for /a/**.
func covered(value string, list []string) bool {
	stem, _, _ := strings.Cut(value, "*")
	return slices.ContainsFunc(list, func(other string) bool {
		prefix, open := strings.CutSuffix(other, "*")
		return open && !strings.Contains(prefix, "*") && strings.HasPrefix(stem, prefix)
	})
}

// lintGatewayDenied reports a gateway that refuses every request: it has ALLOW
// policies, and none has a rule that can match.
func (c *compiler) lintGatewayDenied(w *secured, allow []*authorizationPolicy) {
	var first *authorizationPolicy
	for _, p := range allow {
		if p.dryRun {
			continue
		}
		if first == nil {
			first = p
		}
		for _, rule := range p.rules {
			if !rule.Never {
				return
			}
		}
	}
	if first != nil {
		c.onPolicy(problem.GatewayDeniedByDefault, first, "spec.rules",
			"the gateway in namespace "+w.namespace+" with the labels "+labelsText(w.labels)+" refuses every request: its ALLOW policies have no rule that allows any",
			"add an ALLOW policy for the gateway in namespace "+w.namespace+" with rules: [{}], or with the rules that are meant")
	}
}

// lintAuthorizationPolicies reports policies that select nothing, and gateways'
// policies on identities that nobody has there.
func (c *compiler) lintAuthorizationPolicies() {
	pods := c.podSelectors()
	for ns, policies := range c.authorization {
		scope, where := ns, "in namespace "+ns
		if ns == c.mesh.rootNamespace {
			scope, where = "", "in any namespace"
		}
		for _, p := range policies.all {
			selector := p.item.Object.Spec.Selector.GetMatchLabels()
			c.lintUnmeshed(p, scope, selector)
			if p.gateways+p.others == 0 && len(selector) > 0 && !p.everywhere && !pods.match(scope, selector) {
				severity := problem.Warning
				if len(pods) == 0 || scope == "" && c.set.Gateways.Len() == 0 || len(c.set.Workloads.In(ns))+len(c.set.Services.In(ns)) == 0 {
					severity = problem.Info // the workloads are not among the files
				}
				c.problemAs(severity, problem.AuthzSelectsNothing, p.item.Ref, p.item.Origin, "spec.selector.matchLabels",
					"no workload "+where+" has the labels "+labelsText(selector), "use the labels of the Pods, as their Service selects them")
			}
			c.lintIdentities(p)
			c.lintProvider(p)
			c.lintTargets(p)
		}
	}
}

// lintTargets reports targets that are not there.
func (c *compiler) lintTargets(p *authorizationPolicy) {
	ns := p.item.Ref.Namespace
	for i, ref := range p.refs {
		if ref.Kind != "Service" || ref.Name == "" || c.service(ns, ref.Name) != nil {
			continue
		}
		severity, have := problem.Warning, c.serviceNames(ns)
		if len(have) == 0 {
			severity = problem.Info // the Services are not among the files
		}
		near := ""
		if c.look(len(have)) {
			near = nearest(ref.Name, have)
		}
		c.problemAs(severity, problem.AuthzSelectsNothing, p.item.Ref, p.item.Origin, "spec.targetRefs["+strconv.Itoa(i)+"].name",
			"there is no Service "+ns+"/"+ref.Name+", so the policy is for nothing by it"+near, "name a Service of the policy's namespace")
	}
}

// lintUnmeshed reports a policy all of whose workloads lack what would enforce it.
func (c *compiler) lintUnmeshed(p *authorizationPolicy, scope string, selector map[string]string) {
	if p.gateways+p.others > 0 || p.everywhere || scope == "" || !c.declared(scope) {
		return
	}
	bare := ""
	for _, w := range c.set.Workloads.In(scope) {
		if !object.Match(selector, w.Object.PodLabels()) {
			continue
		}
		if of := podOf(w.Object); c.injected(scope, of) || gatewayPod(of) || c.isGateway(w.Object) {
			return
		}
		bare = w.Ref.String()
	}
	switch {
	case bare != "" && len(selector) > 0:
		c.problem(problem.AuthzSelectsNothing, p.item.Ref, p.item.Origin, "spec.selector.matchLabels",
			"none of the workloads that it selects, such as "+bare+", has a sidecar, so nothing enforces it", "label the Namespace "+injectionLabel+": enabled, or authorize at the gateway")
	case bare == "" && len(selector) == 0 && c.set.Workloads.Len() > 0:
		c.problemAs(problem.Info, problem.AuthzSelectsNothing, p.item.Ref, p.item.Origin, "spec",
			"these files have no workload in namespace "+scope, "nothing is to be done if they are kept elsewhere")
	}
}

// lintIdentities reports rules that ask for an identity at a gateway, where no
// caller has one.
func (c *compiler) lintIdentities(p *authorizationPolicy) {
	if p.gateways == 0 || p.others > 0 || p.item.Object.Spec.Selector == nil || p.action == securityv1beta1.AuthorizationPolicy_CUSTOM {
		return
	}
	for _, rule := range p.rules {
		for _, conditions := range append(slices.Clone(rule.From), rule.When) {
			for i := range conditions {
				if condition := &conditions[i]; condition.Fact <= match.FactTrustDomain && len(condition.Values) > 0 {
					c.onPolicy(problem.MTLSIdentityNeverPresent, p, rule.Origin.Field,
						"the policy selects a gateway, whose callers have no identity of the mesh: "+condition.String()+" never holds there",
						"use requestPrincipals (a token), remoteIpBlocks or headers")
				}
			}
		}
	}
}

// podLabels are the labels of what Pods are known, filed by namespace ("" for all)
// and each label.
type podLabels map[podLabelKey][]map[string]string

type podLabelKey struct{ namespace, name, value string }

// podSelectors collects the labels of all workloads, and those that Services select.
func (c *compiler) podSelectors() podLabels {
	all := podLabels{}
	if c.set.AuthorizationPolicies.Len() == 0 {
		return all
	}
	for _, w := range c.set.Workloads.All() {
		all.add(w.Ref.Namespace, w.Object.PodLabels())
	}
	for _, s := range c.set.Services.All() {
		all.add(s.Ref.Namespace, s.Object.Spec.Selector)
	}
	for _, a := range c.opts.Endpoints {
		all.add(a.Namespace, a.Labels)
	}
	return all
}

func (x podLabels) add(namespace string, labels map[string]string) {
	for k, v := range labels {
		for _, ns := range []string{namespace, ""} {
			key := podLabelKey{ns, k, v}
			x[key] = append(x[key], labels)
		}
	}
}

// match tells whether some Pod has all labels of a selector.
func (x podLabels) match(namespace string, selector map[string]string) bool {
	var candidates []map[string]string
	first := true
	for k, v := range selector {
		if found := x[podLabelKey{namespace, k, v}]; first || len(found) < len(candidates) {
			candidates, first = found, false
		}
	}
	return slices.ContainsFunc(candidates, func(labels map[string]string) bool { return object.Match(selector, labels) })
}
