package compile

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"

	securityv1beta1 "istio.io/api/security/v1beta1"
	typev1beta1 "istio.io/api/type/v1beta1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// authorizationPolicy is an AuthorizationPolicy, read once for all workloads.
type authorizationPolicy struct {
	item   object.Item[*securityv1.AuthorizationPolicy]
	action securityv1beta1.AuthorizationPolicy_Action
	// rules are at least one: a policy without rules has one that Never matches.
	rules  []*plan.PolicyRule
	dryRun bool
	refs   []*typev1beta1.PolicyTargetReference
	// everywhere says that its scope cannot be read: it counts for every workload
	// that it could select.
	everywhere bool
	byAddress  bool // some condition is on destination.ip
	number     int
	// What it turned out to select.
	gateways, others int
	rival            bool // told to name another provider than others of its workload
	unknownAddress   bool // told of
}

// dryRunAnnotation has a policy evaluated and noted, but not enforced.
const dryRunAnnotation = "istio.io/dry-run"

// readAuthorizationPolicies reads the rules of all AuthorizationPolicies.
func (c *compiler) readAuthorizationPolicies() {
	c.authorization = map[string]*scopedPolicies{}
	c.policySets = map[string]plan.PolicySet{}
	for i, item := range c.set.AuthorizationPolicies.All() {
		p := &authorizationPolicy{item: item, action: item.Object.Spec.Action, number: i}
		p.refs = item.Object.Spec.TargetRefs
		if ref := item.Object.Spec.TargetRef; ref != nil {
			p.refs = append(slices.Clone(p.refs), ref)
		}
		if value, ok := item.Object.Annotations[dryRunAnnotation]; ok {
			p.dryRun = c.readDryRun(p, value)
		}
		c.readPolicyScope(p)
		c.readPolicyRules(p)
		c.file(p)
	}
	c.closeUnread(c.set.AuthorizationPolicies.Len())
}

// closeUnread denies every request to what an unreadable RequestAuthentication is
// for: without it clients could write the headers that its tokens fill. number is
// the first that no policy has.
func (c *compiler) closeUnread(number int) {
	for i, item := range c.set.RequestAuthentications.All() {
		if len(item.Unread) == 0 {
			continue
		}
		deny := &securityv1.AuthorizationPolicy{}
		deny.Spec.Selector = item.Object.Spec.Selector
		p := &authorizationPolicy{action: securityv1beta1.AuthorizationPolicy_DENY, number: number + i, refs: targetsOf(&item.Object.Spec)}
		p.item = object.Item[*securityv1.AuthorizationPolicy]{Ref: item.Ref, Origin: item.Origin, Object: deny}
		p.everywhere = slices.ContainsFunc(item.Unread, func(f string) bool { return !strings.HasPrefix(f, "spec.jwtRules") })
		p.rules = []*plan.PolicyRule{{Origin: p.origin(""), Broken: "the RequestAuthentication cannot be read"}}
		c.file(p)
		c.onPolicy(problem.Schema, p, "", "what it is for refuses every request until it can be read, since clients could forge what its tokens fill", "correct the fields that are reported")
	}
}

func (c *compiler) readDryRun(p *authorizationPolicy, value string) bool {
	dry, err := strconv.ParseBool(value)
	field := "metadata.annotations[" + dryRunAnnotation + "]"
	if err != nil {
		c.onPolicy(problem.AnnotationInvalid, p, field, strconv.Quote(value)+" is neither true nor false; the policy is enforced", `write "true" or "false"`)
	} else if dry {
		c.onPolicy(problem.DryRunPolicy, p, field, "the policy is evaluated and logged, not enforced", `write "false" to enforce it`)
	}
	return dry
}

// readPolicyScope says what is wrong with which workloads a policy is for.
func (c *compiler) readPolicyScope(p *authorizationPolicy) {
	spec := &p.item.Object.Spec
	bad := func(field, message, remedy string) {
		p.everywhere = true
		c.onPolicy(problem.Schema, p, field, message+"; the policy counts for every workload that it could select, and is closed", remedy)
	}
	if spec.Selector != nil && len(p.refs) > 0 {
		bad("spec.selector", "selector and targetRefs exclude each other", "keep one of them")
	}
	for k, v := range spec.Selector.GetMatchLabels() {
		if k == "" || strings.Contains(k+v, "*") {
			bad("spec.selector.matchLabels", "a selector has no empty key and no wildcard, and "+k+": "+v+" is one", "name the labels of the Pods in full")
		}
	}
	for i, ref := range p.refs {
		field := "spec.targetRefs[" + strconv.Itoa(i) + "]"
		group := ref.Group
		if group == "core" {
			group = ""
		}
		switch kind := group + "/" + ref.Kind; {
		case ref.Name == "" || ref.Namespace != "" && ref.Namespace != p.item.Ref.Namespace:
			bad(field, "a target has a name, and is of the policy's own namespace", "name the target, and leave its namespace out")
		case kind == "/Service":
		case kind == "networking.istio.io/ServiceEntry", kind == "gateway.networking.k8s.io/Gateway", kind == "gateway.networking.k8s.io/GatewayClass":
			c.onPolicy(problem.NotCarriedOut, p, field, "targets of kind "+ref.Kind+" are not carried out: the policy is for nothing by it",
				"select the workload by its labels (selector)")
		default:
			bad(field, "there is no target of kind "+ref.Kind+" in group "+strconv.Quote(ref.Group), "name a Service, or use a selector")
		}
	}
	if p.item.Object.Spec.GetProvider() != nil && p.action != securityv1beta1.AuthorizationPolicy_CUSTOM {
		c.onPolicy(problem.Schema, p, "spec.provider", "a provider does nothing with action "+p.action.String(), "write action: CUSTOM, or remove the provider")
	}
}

// scopedPolicies are the policies of one namespace, in order: those of a selector are
// found by one of its labels, since thousands of workloads may have one each.
type scopedPolicies struct {
	all     []*authorizationPolicy
	wide    []*authorizationPolicy // for every workload, or not by selector
	byLabel map[[2]string][]*authorizationPolicy
}

// file adds a policy to those of its namespace.
func (c *compiler) file(p *authorizationPolicy) {
	c.byAddress = c.byAddress || p.byAddress
	x := c.authorization[p.item.Ref.Namespace]
	if x == nil {
		x = &scopedPolicies{byLabel: map[[2]string][]*authorizationPolicy{}}
		c.authorization[p.item.Ref.Namespace] = x
	}
	x.all = append(x.all, p)
	selector := p.item.Object.Spec.Selector.GetMatchLabels()
	if p.everywhere || len(p.refs) > 0 || len(selector) == 0 {
		x.wide = append(x.wide, p)
		return
	}
	k := slices.Min(slices.Collect(maps.Keys(selector)))
	x.byLabel[[2]string{k, selector[k]}] = append(x.byLabel[[2]string{k, selector[k]}], p)
}

// about are the policies that may select Pods with labels, in order.
func (x *scopedPolicies) about(labels map[string]string) []*authorizationPolicy {
	if x == nil {
		return nil
	}
	found := slices.Clone(x.wide)
	for k, v := range labels {
		found = append(found, x.byLabel[[2]string{k, v}]...)
	}
	slices.SortFunc(found, func(a, b *authorizationPolicy) int { return a.number - b.number })
	return found
}

// policiesOf are the policies of an action that select a workload: the root
// namespace's first, each namespace's by name.
func (c *compiler) policiesOf(w *secured, action securityv1beta1.AuthorizationPolicy_Action) []*authorizationPolicy {
	var found []*authorizationPolicy
	namespaces := []string{c.mesh.rootNamespace, w.namespace}
	for _, ns := range slices.Compact(namespaces) {
		for _, p := range c.authorization[ns].about(w.labels) {
			if p.action != action || !p.everywhere && !c.selects(ns, p.item.Object.Spec.Selector, p.refs, w) {
				continue
			}
			if p.byAddress && !w.address.IsValid() && !p.unknownAddress {
				p.unknownAddress = true
				c.onPolicy(problem.NotCarriedOut, p, "spec.rules", "the address of the Pods in namespace "+w.namespace+" with the labels "+labelsText(w.labels)+
					" is not known: the rules that ask for destination.ip are closed there", "attach endpoints, or use destination.port or hosts")
			}
			if w.gateway {
				p.gateways++
			} else {
				p.others++
			}
			found = append(found, p)
		}
	}
	return found
}

// policies are the AUDIT, DENY and ALLOW policies of a workload.
func (c *compiler) policies(w *secured) []plan.Guard {
	allow := c.policiesOf(w, securityv1beta1.AuthorizationPolicy_ALLOW)
	g := &plan.Policies{
		Audit: c.policySet(c.policiesOf(w, securityv1beta1.AuthorizationPolicy_AUDIT)),
		Deny:  c.policySet(c.policiesOf(w, securityv1beta1.AuthorizationPolicy_DENY)),
		Allow: c.policySet(allow),
	}
	if g.Empty() {
		return nil
	}
	if w.gateway {
		c.lintGatewayDenied(w, allow)
	}
	return []plan.Guard{g}
}

// policySet is the set of some policies. Workloads with the same policies share it.
func (c *compiler) policySet(policies []*authorizationPolicy) plan.PolicySet {
	key := make([]byte, 0, 4*len(policies))
	for _, p := range policies {
		key = binary.BigEndian.AppendUint32(key, uint32(p.number))
	}
	if set, ok := c.policySets[string(key)]; ok {
		return set
	}
	var rules, shadow []*plan.PolicyRule
	dry := 0
	for _, p := range policies {
		if p.dryRun {
			dry++
			shadow = append(shadow, p.rules...)
			continue
		}
		rules = append(rules, p.rules...)
	}
	set := plan.NewPolicySet(len(policies)-dry, rules, dry, shadow)
	c.policySets[string(key)] = set
	return set
}

// onPolicy reports a problem of an AuthorizationPolicy.
func (c *compiler) onPolicy(code string, p *authorizationPolicy, field, message, remedy string) {
	c.problem(code, p.item.Ref, p.item.Origin, field, message, remedy)
}
