package compile

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	securityv1beta1 "istio.io/api/security/v1beta1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// readPolicyRules reads the rules of a policy. One that cannot be read is closed:
// in an ALLOW policy it allows nothing, in others it matches every request.
func (c *compiler) readPolicyRules(p *authorizationPolicy) {
	whole, byRule := unreadRules(p.item.Unread)
	if slices.ContainsFunc(p.item.Unread, func(f string) bool { return strings.HasPrefix(f, "spec.targetRef") }) {
		p.everywhere = true
	}
	if p.everywhere && whole == "" {
		whole = "the scope of the policy cannot be read"
	}
	if whole != "" {
		action := slices.ContainsFunc(p.item.Unread, func(f string) bool { return f == "spec.action" || f == "spec" })
		if action { // it might be any: the strictest
			p.action = securityv1beta1.AuthorizationPolicy_DENY
		}
		p.dryRun = p.dryRun && !action
		p.rules = []*plan.PolicyRule{{Origin: p.origin(""), Broken: whole, Never: p.action == securityv1beta1.AuthorizationPolicy_ALLOW}}
		return
	}
	for i, rule := range p.item.Object.Spec.Rules {
		r := ruleReader{c: c, p: p, field: "spec.rules[" + strconv.Itoa(i) + "]", broken: byRule[i]}
		p.rules = append(p.rules, r.read(rule))
	}
	if len(p.rules) > 0 {
		return
	}
	p.rules = []*plan.PolicyRule{{Origin: p.origin(""), Never: true}}
	if p.action != securityv1beta1.AuthorizationPolicy_ALLOW {
		c.onPolicy(problem.Schema, p, "spec.rules", "a policy with action "+p.action.String()+" and without rules matches no request; Istio refuses it",
			"write rules: [{}] for every request, or delete the policy")
	}
}

func (p *authorizationPolicy) origin(field string) plan.Origin {
	return plan.Origin{Ref: p.item.Ref, Origin: p.item.Origin, Field: field}
}

// unreadRules tells which rules have fields that cannot be read, and whether the
// policy as a whole has.
func unreadRules(unread []string) (whole string, byRule map[int]string) {
	byRule = map[int]string{}
	for _, field := range unread {
		rest, ok := strings.CutPrefix(field, "spec.rules[")
		number, inside, _ := strings.Cut(rest, "]")
		i, err := strconv.Atoi(number)
		switch {
		case ok && err == nil && inside != "":
			byRule[i] = field + " cannot be read"
		case strings.HasPrefix(field, "spec"), field == "metadata.annotations":
			whole = field + " cannot be read"
		}
	}
	return whole, byRule
}

// ruleReader reads one rule.
type ruleReader struct {
	c      *compiler
	p      *authorizationPolicy
	field  string // spec.rules[1]
	broken string // why the rule cannot be read
}

// bad notes that a field of the rule cannot be read.
func (r *ruleReader) bad(code, field, message, remedy string) {
	if r.broken == "" {
		r.broken = strings.TrimPrefix(field, ".") + ": " + message
	}
	r.c.onPolicy(code, r.p, r.field+field, message+"; "+r.closed(), remedy)
}

// closed tells what a broken rule does.
func (r *ruleReader) closed() string {
	if r.p.action == securityv1beta1.AuthorizationPolicy_ALLOW {
		return "the rule allows nothing"
	}
	return "the rule matches every request"
}

func (r *ruleReader) read(rule *securityv1beta1.Rule) *plan.PolicyRule {
	u := &plan.PolicyRule{Origin: r.p.origin(r.field)}
	if rule.From != nil && len(rule.From) == 0 {
		r.bad(problem.Schema, ".from", "an empty list of sources is not allowed", "remove it to allow any source")
	}
	for i, from := range rule.From {
		u.From = append(u.From, r.source(".from["+strconv.Itoa(i)+"].source", from.GetSource()))
	}
	if rule.To != nil && len(rule.To) == 0 {
		r.bad(problem.Schema, ".to", "an empty list of operations is not allowed", "remove it to allow any operation")
	}
	for i, to := range rule.To {
		u.To = append(u.To, r.operation(".to["+strconv.Itoa(i)+"].operation", to.GetOperation()))
	}
	for i, when := range rule.When {
		r.when(&u.When, ".when["+strconv.Itoa(i)+"]", when)
	}
	if r.broken != "" {
		u.Broken, u.PolicyRule = r.broken, match.PolicyRule{}
		u.Never = r.p.action == securityv1beta1.AuthorizationPolicy_ALLOW
	}
	return u
}

func (r *ruleReader) source(field string, s *securityv1beta1.Source) (all match.Conditions) {
	m := &r.c.mesh
	r.add(&all, field, "principals", match.FactPrincipal, m.principals(s.GetPrincipals()), m.principals(s.GetNotPrincipals()))
	r.add(&all, field, "requestPrincipals", match.FactRequestPrincipal, s.GetRequestPrincipals(), s.GetNotRequestPrincipals())
	r.add(&all, field, "serviceAccounts", match.FactServiceAccount, s.GetServiceAccounts(), s.GetNotServiceAccounts())
	r.add(&all, field, "trustDomains", match.FactTrustDomain, m.trustDomains(s.GetTrustDomains()), m.trustDomains(s.GetNotTrustDomains()))
	r.add(&all, field, "namespaces", match.FactNamespace, s.GetNamespaces(), s.GetNotNamespaces())
	r.add(&all, field, "remoteIpBlocks", match.FactRemoteIP, s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks())
	r.add(&all, field, "ipBlocks", match.FactSourceIP, s.GetIpBlocks(), s.GetNotIpBlocks())
	if len(all) == 0 && r.broken == "" {
		r.bad(problem.Schema, field, "a source without any condition is not allowed", "remove from to allow any source")
	}
	if len(s.GetServiceAccounts())+len(s.GetNotServiceAccounts()) > 0 &&
		len(s.GetPrincipals())+len(s.GetNotPrincipals())+len(s.GetNamespaces())+len(s.GetNotNamespaces()) > 0 {
		r.bad(problem.Schema, field, "serviceAccounts excludes principals and namespaces", "write NAMESPACE/NAME under serviceAccounts, or use two sources")
	}
	return all
}

func (r *ruleReader) operation(field string, o *securityv1beta1.Operation) (all match.Conditions) {
	r.add(&all, field, "hosts", match.FactHost, o.GetHosts(), o.GetNotHosts())
	r.add(&all, field, "methods", match.FactMethod, o.GetMethods(), o.GetNotMethods())
	r.add(&all, field, "paths", match.FactPath, o.GetPaths(), o.GetNotPaths())
	r.add(&all, field, "ports", match.FactPort, o.GetPorts(), o.GetNotPorts())
	if len(all) == 0 && r.broken == "" {
		r.bad(problem.Schema, field, "an operation without any condition is not allowed", "remove to, to allow any operation")
	}
	return all
}

// add makes a condition of a list and its not-form, if there is one.
func (r *ruleReader) add(to *match.Conditions, at, list string, fact match.Fact, values, notValues []string) {
	if len(values)+len(notValues) == 0 {
		return
	}
	r.condition(to, at+"."+list, fact, nil, values, notValues)
	if !r.identities() && (fact <= match.FactTrustDomain || fact == match.FactRequestPrincipal) {
		r.bad(problem.Schema, at+"."+list, "identities are not known before an external authorizer is asked (action CUSTOM)", "use hosts, paths, methods or headers")
	}
}

// identities tells whether rules may look at who asks.
func (r *ruleReader) identities() bool {
	return r.p.action != securityv1beta1.AuthorizationPolicy_CUSTOM
}

func (r *ruleReader) condition(to *match.Conditions, field string, fact match.Fact, name, values, notValues []string) {
	condition, err := match.NewPolicyCondition(fact, name, values, notValues, r.p.item.Ref.Namespace)
	if err != nil {
		r.bad(problem.Schema, field, err.Error(), "correct the value")
		return
	}
	condition.Unknown = r.p.action != securityv1beta1.AuthorizationPolicy_ALLOW // closed
	r.c.lintStars(r.p, r.field+field, fact, values, notValues)
	*to = append(*to, condition)
}

func (r *ruleReader) when(to *match.Conditions, field string, when *securityv1beta1.Condition) {
	key := when.GetKey()
	fact, name, err := match.PolicyKey(key)
	switch {
	case errors.Is(err, match.ErrNotCarriedOut):
		r.bad(problem.NotCarriedOut, field+".key", key+" "+err.Error(), "use another condition")
		return
	case err != nil:
		r.bad(problem.Schema, field+".key", strconv.Quote(key)+" "+err.Error()+nearest(key, match.PolicyKeys()), "write one of "+strings.Join(match.PolicyKeys(), ", "))
		return
	case len(when.Values)+len(when.NotValues) == 0:
		r.bad(problem.Schema, field, "a condition has values or notValues", `write values: ["*"] for any`)
		return
	case !r.identities() && (fact <= match.FactTrustDomain || fact == match.FactRequestPrincipal || fact == match.FactClaim):
		r.bad(problem.Schema, field+".key", key+" is not known before an external authorizer is asked (action CUSTOM)", "use hosts, paths, methods or headers")
		return
	}
	values, notValues := when.Values, when.NotValues
	switch fact {
	case match.FactDestinationIP:
		r.p.byAddress = true
	case match.FactPrincipal:
		values, notValues = r.c.mesh.principals(values), r.c.mesh.principals(notValues)
	case match.FactTrustDomain:
		values, notValues = r.c.mesh.trustDomains(values), r.c.mesh.trustDomains(notValues)
	}
	r.condition(to, field, fact, name, values, notValues)
}

// principals adds to principals of the mesh's trust domain those of its aliases;
// cluster.local means the mesh's own, whatever its name (Istio,
// trustdomain.Bundle).
func (m *mesh) principals(values []string) []string {
	own := append([]string{m.trustDomain}, m.config.GetTrustDomainAliases()...)
	var all []string
	for _, value := range values {
		domain, identity, _ := strings.Cut(value, "/")
		suffix, wild := strings.CutPrefix(domain, "*")
		covers := func(d string) bool { return wild && strings.HasSuffix(d, suffix) }
		known := func(d string) bool {
			prefix, open := strings.CutSuffix(domain, "*")
			return d == domain || covers(d) || open && strings.HasPrefix(d, prefix)
		}
		if strings.Count(value, "/") != 4 || domain == "*" || domain != "cluster.local" && !slices.ContainsFunc(own, known) {
			all = append(all, value)
			continue
		}
		for _, d := range own {
			replaced := d + "/" + identity
			if covers(d) {
				replaced = value
			}
			if !slices.Contains(all, replaced) {
				all = append(all, replaced)
			}
		}
	}
	return all
}

// trustDomains adds the aliases of the mesh's trust domain.
func (m *mesh) trustDomains(values []string) []string {
	own := append([]string{m.trustDomain}, m.config.GetTrustDomainAliases()...)
	var all []string
	for _, value := range values {
		if slices.Contains(own, value) {
			all = append(all, own...)
		} else {
			all = append(all, value)
		}
	}
	return all
}
