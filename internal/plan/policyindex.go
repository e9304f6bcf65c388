package plan

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// policyIndex finds the rules of many policies that can match a request, by the
// Host header and the beginning of the path. It must agree with the plain scan; a
// fuzz test holds it to that.
type policyIndex struct {
	rules []*PolicyRule
	// The trees hold the rules by path. exact is by the Host up to its first colon,
	// suffix by the end of the Host from a dot on; both are in lower case. Rules for
	// other hosts, or all, are in any.
	exact, suffix map[string]*prefixNode
	longest       int         // suffix
	any           *prefixNode // nil: scan
}

func newPolicyIndex(rules []*PolicyRule) policyIndex {
	x := policyIndex{rules: rules}
	if len(rules) <= scanBelow {
		return x
	}
	x.exact, x.suffix, x.any = map[string]*prefixNode{}, map[string]*prefixNode{}, &prefixNode{}
	for i, rule := range rules {
		if rule.Never {
			continue
		}
		for _, place := range rule.Places() {
			x.tree(&place.Host).insert(place.Lead, int32(i))
		}
	}
	return x
}

// tree is where rules for a host hang.
func (x *policyIndex) tree(host *match.Text) *prefixNode {
	trees, key := x.exact, ""
	value := lowerASCII(host.Value)
	switch name, _, port := strings.Cut(value, ":"); {
	case host.Op == match.Exact, host.Op == match.Prefix && port:
		key = name
	case host.Op == match.Suffix && strings.HasPrefix(value, "."):
		trees, key, x.longest = x.suffix, value, max(x.longest, len(value))
	default:
		return x.any
	}
	t := trees[key]
	if t == nil {
		t = &prefixNode{}
		trees[key] = t
	}
	return t
}

// find returns the first rule that matches, or nil.
func (x *policyIndex) find(r *match.Request) *PolicyRule {
	best := len(x.rules)
	x.visit(r, func(i int) {
		if i < best && x.rules[i].Match(r) {
			best = i
		}
	})
	if best == len(x.rules) {
		return nil
	}
	return x.rules[best]
}

// near returns the first rules, up to most of them, that are about such requests.
func (x *policyIndex) near(r *match.Request, most int) []*PolicyRule {
	var found []int
	x.visit(r, func(i int) {
		if rule := x.rules[i]; !rule.Never && !slices.Contains(found, i) && rule.Concerns(r) {
			found = append(found, i)
			slices.Sort(found)
			found = found[:min(len(found), most)]
		}
	})
	rules := make([]*PolicyRule, len(found))
	for i, n := range found {
		rules[i] = x.rules[n]
	}
	return rules
}

// visit calls see with the number of every rule that may match. A number may
// come twice.
func (x *policyIndex) visit(r *match.Request, see func(int)) {
	if x.any == nil {
		for i := range x.rules {
			see(i)
		}
		return
	}
	x.any.visit(r.Path, see)
	host := lowerASCII(r.Host)
	name, _, _ := strings.Cut(host, ":")
	x.exact[name].visit(r.Path, see)
	for i := max(0, len(host)-x.longest); i < len(host); i++ {
		if host[i] == '.' {
			x.suffix[host[i:]].visit(r.Path, see)
		}
	}
}

// visit calls see with every number along path.
func (n *prefixNode) visit(path string, see func(int)) {
	for n != nil {
		for _, i := range n.routes {
			see(int(i))
		}
		n, path = n.child(path)
	}
}

// lowerASCII lowers ASCII letters alone, as hosts are compared.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if match.Lower(s[i]) == s[i] {
			continue
		}
		b := []byte(s)
		for j := i; j < len(b); j++ {
			b[j] = match.Lower(b[j])
		}
		return string(b)
	}
	return s
}
