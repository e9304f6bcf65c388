package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// policyFixes are for a refusal by DENY policies, or for want of an ALLOW rule.
func (x *asking) policyFixes(g *plan.Policies) []Fix {
	for _, rule := range g.Deny.Rules() {
		if rule.Match(x.req) {
			return x.denyFixes(rule)
		}
	}
	var best *miss
	for _, rule := range g.Allow.Rules() {
		if rule.Never {
			continue
		}
		if m := x.missOf(rule); best == nil || m.less(best) {
			best = m
		}
	}
	if best == nil {
		rules := g.Allow.Rules()
		if len(rules) == 0 || rules[0].Broken != "" {
			return x.problemFixes(x.out.By)
		}
		return []Fix{{What: "the policy allows nothing; give it a rule for such requests", Place: x.at(rules[0].Origin, "spec.rules"),
			YAML: "rules:\n- to:\n  - operation:\n      paths: [" + strconv.Quote(x.req.Path) + "]"}}
	}
	return x.missFixes(best)
}

// miss is what a request lacks to fulfil a rule.
type miss struct {
	rule *plan.PolicyRule
	all  []condition
	near int
}

// condition is one that fails, and where it stands.
type condition struct {
	*match.PolicyCondition
	field string // "spec.rules[0].to[0].operation.paths"
}

func (m *miss) less(o *miss) bool {
	if len(m.all) != len(o.all) {
		return len(m.all) < len(o.all)
	}
	return m.near > o.near
}

// missOf takes of each part of the rule the alternative with the fewest failures.
func (x *asking) missOf(rule *plan.PolicyRule) *miss {
	m := &miss{rule: rule, near: x.policyNear(rule)}
	field := rule.Origin.Field
	m.all = slices.Concat(x.fewest(rule.To, field+".to", ".operation"), x.fewest(rule.From, field+".from", ".source"))
	for i := range rule.When {
		if c := &rule.When[i]; !c.Match(x.req) {
			m.all = append(m.all, condition{c, field + ".when[" + strconv.Itoa(i) + "]"})
		}
	}
	return m
}

func (x *asking) fewest(alternatives []match.Conditions, field, inner string) []condition {
	var best []condition
	for i, all := range alternatives {
		var failing []condition
		for j := range all {
			if c := &all[j]; !c.Match(x.req) {
				failing = append(failing, condition{c, field + "[" + strconv.Itoa(i) + "]" + inner})
			}
		}
		if len(failing) == 0 {
			return nil
		}
		if best == nil || len(failing) < len(best) {
			best = failing
		}
	}
	return best
}

// missFixes widens the conditions that fail, if the request has something to widen
// them by; otherwise it says what the request lacks.
func (x *asking) missFixes(m *miss) (all []Fix) {
	proven := true
	changed := m.rule.PolicyRule
	for _, c := range m.all {
		fix := Fix{Place: x.at(m.rule.Origin, c.field), And: len(all) > 0}
		have, ok := c.Have(x.req)
		lists, edited := c.edit(x.req, m.rule.Origin.Ref.Namespace, have, ok)
		switch {
		case !ok && len(c.Values) > 0:
			fix.What = "the request has no " + c.What() + ", and the rule wants " + wants(c.Values) + who(c.Fact)
			proven = false
		case c.Secret() && len(c.Values) > 0:
			fix.What = c.What() + " must be " + wants(c.Values)
			proven = false
		default:
			fix.What = c.What() + " is " + strconv.Quote(have) + "; the rule would let it in with"
			fix.YAML = lists
			changed = replaced(changed, c.PolicyCondition, edited)
		}
		all = append(all, fix)
	}
	if proven && len(all) > 0 && changed.Match(x.req) {
		all[len(all)-1].Proven = true
	}
	return all
}

// who tells how to ask as somebody, where a rule wants somebody.
func who(f match.Fact) string {
	switch f {
	case match.FactRequestPrincipal, match.FactClaim:
		return "; to ask as somebody: --as NAME --groups A,B, --claims or --token"
	case match.FactPrincipal, match.FactNamespace, match.FactServiceAccount, match.FactTrustDomain:
		return ": a caller with a sidecar, over mutual TLS"
	}
	return ""
}

func wants(values []match.PolicyValue) string {
	var all []string
	for i := range values {
		all = append(all, strconv.Quote(values[i].Written))
	}
	return strings.Join(all, " or ")
}

// lists are the names of the lists that facts stand in.
func lists() map[match.Fact][2]string {
	return map[match.Fact][2]string{
		match.FactPrincipal: {"principals", "notPrincipals"}, match.FactNamespace: {"namespaces", "notNamespaces"},
		match.FactServiceAccount: {"serviceAccounts", "notServiceAccounts"}, match.FactTrustDomain: {"trustDomains", "notTrustDomains"},
		match.FactSourceIP: {"ipBlocks", "notIpBlocks"}, match.FactRemoteIP: {"remoteIpBlocks", "notRemoteIpBlocks"},
		match.FactRequestPrincipal: {"requestPrincipals", "notRequestPrincipals"}, match.FactHost: {"hosts", "notHosts"},
		match.FactMethod: {"methods", "notMethods"}, match.FactPath: {"paths", "notPaths"}, match.FactPort: {"ports", "notPorts"},
	}
}

// edit widens the condition of a policy of namespace by what the request has, and
// returns the lists as YAML.
func (c *condition) edit(r *match.Request, namespace, have string, ok bool) (yaml string, edited *match.PolicyCondition) {
	var values, notValues []string
	for i := range c.Values {
		values = append(values, c.Values[i].Written)
	}
	for i := range c.NotValues {
		without, err := match.NewPolicyCondition(c.Fact, c.Name, []string{c.NotValues[i].Written}, nil, namespace)
		if err != nil || !without.Match(r) {
			notValues = append(notValues, c.NotValues[i].Written)
		}
	}
	only, err := match.NewPolicyCondition(c.Fact, c.Name, values, nil, namespace)
	if ok && len(values) > 0 && (err != nil || !only.Match(r)) {
		values = append(values, have)
	}
	names, listed := lists()[c.Fact]
	if !listed || strings.Contains(c.field, ".when[") {
		yaml, names = "key: "+c.Key()+"\n", [2]string{"values", "notValues"}
	}
	if len(values) > 0 {
		yaml += names[0] + ": [" + quoted(values) + "]\n"
	}
	if len(notValues) > 0 {
		yaml += names[1] + ": [" + quoted(notValues) + "]\n"
	} else if len(c.NotValues) > 0 && len(values) == 0 {
		yaml += "# without " + names[1] + "\n"
	}
	wide, err := match.NewPolicyCondition(c.Fact, c.Name, values, notValues, namespace)
	if err != nil {
		return yaml, c.PolicyCondition
	}
	return yaml, &wide
}

func quoted(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = strconv.Quote(s)
	}
	return strings.Join(all, ", ")
}

// replaced is the rule with one condition for another.
func replaced(u match.PolicyRule, old, new *match.PolicyCondition) match.PolicyRule {
	swap := func(alternatives []match.Conditions) []match.Conditions {
		var all []match.Conditions
		for _, conditions := range alternatives {
			conditions = slices.Clone(conditions)
			for i := range conditions {
				if same(&conditions[i], old) {
					conditions[i] = *new
				}
			}
			all = append(all, conditions)
		}
		return all
	}
	u.To, u.From = swap(u.To), swap(u.From)
	u.When = swap([]match.Conditions{u.When})[0]
	return u
}

func same(a, b *match.PolicyCondition) bool { return a.String() == b.String() }

// denyFixes narrow a DENY rule that matches, or say what its request lacks.
func (x *asking) denyFixes(rule *plan.PolicyRule) (all []Fix) {
	exception := "make an exception of the path"
	for _, from := range rule.From {
		for i := range from {
			c := &from[i]
			if len(c.NotValues) == 0 || len(c.Values) > 0 {
				continue
			}
			if c.Fact == match.FactRequestPrincipal {
				exception += ", here and at the login: doorward exempt " + x.req.Path
			}
			all = append(all, Fix{What: "the rule spares whose " + c.What() + " is " + wants(c.NotValues) + who(c.Fact)})
		}
	}
	for i := range rule.When {
		if c := &rule.When[i]; len(c.NotValues) > 0 && len(c.Values) == 0 {
			all = append(all, Fix{What: "the rule spares whose " + c.What() + " is " + wants(c.NotValues) + who(c.Fact)})
		}
	}
	if rule.Broken != "" {
		return append(all, x.problemFixes(rule.Origin)...)
	}
	return append(all, x.spare(rule, exception))
}

// spare makes an exception of the request's path in a rule that stops it.
func (x *asking) spare(rule *plan.PolicyRule, what string) Fix {
	field := rule.Origin.Field
	for i, operation := range rule.To {
		if !allMatch(operation, x.req) {
			continue
		}
		var paths, notPaths []string
		for j := range operation {
			if c := &operation[j]; c.Fact == match.FactPath {
				for k := range c.Values {
					paths = append(paths, c.Values[k].Written)
				}
				for k := range c.NotValues {
					notPaths = append(notPaths, c.NotValues[k].Written)
				}
			}
		}
		yaml := "notPaths: [" + quoted(append(notPaths, x.req.Path)) + "]"
		if len(paths) > 0 {
			yaml = "paths: [" + quoted(paths) + "]\n" + yaml
		}
		f := Fix{What: what, Place: x.at(rule.Origin, field+".to["+strconv.Itoa(i)+"].operation"), YAML: yaml}
		f.Proven = x.spared(rule, i, paths, append(notPaths, x.req.Path))
		return f
	}
	return Fix{What: what, Place: x.at(rule.Origin, field), YAML: "to:\n- operation:\n    notPaths: [" + strconv.Quote(x.req.Path) + "]",
		Proven: x.spared(rule, -1, nil, []string{x.req.Path})}
}

// spared tries the exception: no alternative of the rule matches any more.
func (x *asking) spared(rule *plan.PolicyRule, operation int, paths, notPaths []string) bool {
	c, err := match.NewPolicyCondition(match.FactPath, nil, paths, notPaths, "")
	if err != nil {
		return false
	}
	changed := rule.PolicyRule
	if operation < 0 {
		changed.To = []match.Conditions{{c}}
		return !changed.Match(x.req)
	}
	changed.To = slices.Clone(changed.To)
	kept := slices.DeleteFunc(slices.Clone(changed.To[operation]), func(old match.PolicyCondition) bool { return old.Fact == match.FactPath })
	changed.To[operation] = append(kept, c)
	return !changed.Match(x.req)
}

func allMatch(all match.Conditions, r *match.Request) bool {
	for i := range all {
		if !all[i].Match(r) {
			return false
		}
	}
	return true
}

// loginFixes are for who is sent to log in.
func (x *asking) loginFixes(broken string, when *plan.PolicySet) (all []Fix) {
	if broken != "" {
		return append(all, Fix{What: "nobody can log in: " + broken}, Fix{What: "name a login that there is", Place: x.at(x.out.By, "spec.provider")})
	}
	if x.who.Anonymous() {
		all = append(all, Fix{What: "log in; to ask as somebody who is: --as NAME --groups A,B, or --claims"})
	}
	for _, rule := range when.Rules() {
		if rule.Match(x.req) {
			f := x.spare(rule, "make an exception of the path, here and where a token is required: doorward exempt "+x.req.Path)
			return append(all, f)
		}
	}
	return all
}

// tokenFixes are for a token that is not accepted.
func (x *asking) tokenFixes(g *plan.Tokens) []Fix {
	text := x.out.Reply.Body
	switch {
	case text == plan.UnknownIssuer:
		var have []string
		for _, r := range g.Rules {
			have = append(have, r.Issuer)
		}
		return []Fix{{What: "bring a token of " + strings.Join(have, " or ") + "; or take tokens of that issuer too", Place: x.at(x.out.By, "spec.jwtRules"),
			YAML: "- issuer: https://ISSUER\n  jwksUri: https://ISSUER/KEYS"}}
	case strings.HasPrefix(text, "Audiences"):
		return []Fix{{What: "bring a token for one of the rule's audiences, or add the token's", Place: x.at(x.out.By, x.out.By.Field+".audiences")}}
	case strings.Contains(text, "expired"):
		return []Fix{{What: "bring a token that has not expired"}}
	}
	return []Fix{{What: "bring a token that the rule can verify; to ask without one: --claims, or --as NAME"}}
}
