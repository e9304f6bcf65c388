package plan

import (
	"strconv"

	"github.com/doorward/doorward/internal/match"
)

// PolicyRule is one rule of an AuthorizationPolicy that a workload enforces.
type PolicyRule struct {
	Origin Origin
	match.PolicyRule
	// Broken tells why the rule cannot be read; "" for a sound one. It is closed
	// then: it matches every request where a match refuses, and none where a match
	// lets in.
	Broken string
	// Never says that the rule matches nothing: a broken rule that would let in, or
	// the place of a policy without rules.
	Never bool
}

// Match tells whether r fulfils the rule.
func (u *PolicyRule) Match(r *match.Request) bool { return !u.Never && u.PolicyRule.Match(r) }

// Why tells why r does not fulfil the rule; "" if it does.
func (u *PolicyRule) Why(r *match.Request) string {
	switch {
	case u.Never && u.Broken != "":
		return "the rule cannot be read: " + u.Broken
	case u.Never:
		return "the policy has no rules"
	}
	return u.PolicyRule.Why(r)
}

// String prints the rule.
func (u *PolicyRule) String() string {
	switch {
	case u.Broken != "":
		return "a rule that cannot be read: " + u.Broken
	case u.Never:
		return "no rule"
	}
	return u.PolicyRule.String()
}

// name is how reasons and records name the rule.
func (u *PolicyRule) name() string {
	if u.Origin.Field == "" {
		return u.Origin.Ref.String()
	}
	return u.Origin.Ref.String() + " " + u.Origin.Field
}

// Policies is the Guard of a workload's AuthorizationPolicies but CUSTOM ones:
// AUDIT is noted, a DENY rule that matches refuses, and where there are ALLOW
// policies one of their rules must match (Istio's proxy: three RBAC filters, in
// this order). The dry-run policies of an action (istio.io/dry-run) are evaluated
// beside it, noted, and count for nothing.
type Policies struct {
	Audit, Deny, Allow PolicySet
}

// PolicySet is the policies of one action.
type PolicySet struct {
	// Policies and DryRun count the policies; a set with none does not judge.
	Policies, DryRun int
	rules, shadow    policyIndex
}

// NewPolicySet makes the set of policies policies with these rules, and of dryRun
// policies with the rules in shadow. A policy without rules is a rule that Never
// matches. The rules must not change afterwards.
func NewPolicySet(policies int, rules []*PolicyRule, dryRun int, shadow []*PolicyRule) PolicySet {
	return PolicySet{Policies: policies, DryRun: dryRun, rules: newPolicyIndex(rules), shadow: newPolicyIndex(shadow)}
}

// Empty tells whether no policy is in force or dry-run.
func (g *Policies) Empty() bool {
	for _, s := range []*PolicySet{&g.Audit, &g.Deny, &g.Allow} {
		if s.Policies+s.DryRun > 0 {
			return false
		}
	}
	return true
}

func (g *Policies) check(w *walk) bool {
	if rule := w.policy("AUDIT", &g.Audit); rule != nil {
		w.out.Audit = also(w.out.Audit, rule.name())
	}
	if rule := w.policy("DENY", &g.Deny); rule != nil {
		w.out.By = rule.Origin
		w.deny(rule.name() + " denies: " + rule.String())
		return true
	}
	rule := w.policy("ALLOW", &g.Allow)
	if rule == nil && g.Allow.Policies > 0 {
		w.denyByDefault(&g.Allow.rules)
		return true
	}
	return false
}

// policy finds the first rule of a set that matches, nil if none does, and notes
// what the dry-run policies say.
func (w *walk) policy(action string, s *PolicySet) *PolicyRule {
	if s.DryRun > 0 {
		rule := w.policyRule(action+" dry-run", &s.shadow)
		switch {
		case rule != nil:
			w.out.DryRun = also(w.out.DryRun, action+": "+rule.name())
		case action == "ALLOW":
			w.out.DryRun = also(w.out.DryRun, "ALLOW: no rule")
		}
	}
	if s.Policies == 0 {
		return nil
	}
	return w.policyRule(action, &s.rules)
}

// policyRule finds the first rule that matches. With a trace it tells of every
// rule up to it.
func (w *walk) policyRule(action string, x *policyIndex) *PolicyRule {
	if w.tr == nil {
		return x.find(w.req)
	}
	for _, rule := range x.rules {
		why := rule.Why(w.req)
		w.tr.add("policy", action+" "+rule.String(), rule.Origin, why == "", why)
		if w.tr.Judged != nil {
			w.tr.Judged(rule, w.req, why == "")
		}
		if why == "" {
			return rule
		}
	}
	return nil
}

// maxNear bounds the near misses that a reason tells of.
const maxNear = 3

// denyByDefault refuses for want of a rule that allows, and tells what those rules
// miss that are about such requests.
func (w *walk) denyByDefault(x *policyIndex) {
	near := x.near(w.req, maxNear)
	reason := "no ALLOW policy allows the request"
	if len(near) == 0 {
		w.out.By = x.rules[0].Origin
		if len(x.rules) == 1 {
			reason += "; " + x.rules[0].name() + ": " + x.rules[0].Why(w.req)
		} else {
			reason += ": none of " + strconv.Itoa(len(x.rules)) + " rules is about " + w.req.Method + " " + w.req.Path + " of host " + w.req.Host
		}
	} else {
		w.out.By = near[0].Origin
	}
	for _, rule := range near {
		reason += "; " + rule.name() + ": " + rule.Why(w.req)
	}
	w.deny(reason)
}

// deny refuses as Envoy's RBAC filter does.
func (w *walk) deny(reason string) {
	w.reply(Reply{Status: 403, Body: "RBAC: access denied", Reason: reason})
}

// also appends to a list in words.
func also(list, more string) string {
	if list == "" {
		return more
	}
	return list + "; " + more
}

// String counts the policies.
func (g *Policies) String() string {
	s := "policies:"
	for _, a := range []struct {
		name string
		set  *PolicySet
	}{{"AUDIT", &g.Audit}, {"DENY", &g.Deny}, {"ALLOW", &g.Allow}} {
		if a.set.Policies > 0 {
			s += " " + strconv.Itoa(a.set.Policies) + " " + a.name
		}
		if a.set.DryRun > 0 {
			s += " " + strconv.Itoa(a.set.DryRun) + " dry-run " + a.name
		}
	}
	return s
}

// Rules are the rules in force, for tools. They must not be changed.
func (s *PolicySet) Rules() []*PolicyRule { return s.rules.rules }
