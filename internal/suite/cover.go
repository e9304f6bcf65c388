package suite

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// Coverage is which rules of the manifests some test touches, and which none does.
type Coverage struct {
	Files []FileCoverage // by name
	rules map[ruleKey]*Rule
}

// FileCoverage is the coverage of one manifest.
type FileCoverage struct {
	File    string
	Touched int
	Rules   int
	Missed  []Rule // in the order of their lines
}

// Rule is a rule that a test can touch.
type Rule struct {
	plan.Origin
	What    string // "route", "exemption", ...
	Text    string // the rule, for people
	touched bool
}

// ruleKey tells rules apart: a rule that stands in several plans, or for several hosts,
// is one.
type ruleKey struct {
	ref   object.Ref
	file  string
	field string
}

func keyOf(o *plan.Origin) ruleKey { return ruleKey{o.Ref, o.Origin.File, o.Field} }

// Percent is the share of the rules that are touched, from 0 to 100.
func Percent(touched, rules int) float64 {
	if rules == 0 {
		return 100
	}
	return 100 * float64(touched) / float64(rules)
}

// Total counts the rules of all files.
func (c *Coverage) Total() (touched, rules int) {
	for i := range c.Files {
		touched, rules = touched+c.Files[i].Touched, rules+c.Files[i].Rules
	}
	return touched, rules
}

// add notes that there is a rule. What is built in is no rule of anybody's.
func (c *Coverage) add(o plan.Origin, what, text string) {
	if o.Ref.Kind == "" || o.Origin.File == "" {
		return
	}
	if key := keyOf(&o); c.rules[key] == nil {
		c.rules[key] = &Rule{Origin: o, What: what, Text: text}
	}
}

// touch notes that a test touches a rule.
func (c *Coverage) touch(o *plan.Origin) {
	if r := c.rules[keyOf(o)]; r != nil {
		r.touched = true
	}
}

// addPlan notes the rules of a plan: routes, rules of policies with what they leave
// out, token rules and sets of API keys.
func (c *Coverage) addPlan(p *plan.Plan) {
	for _, l := range p.Listeners() {
		for _, g := range l.Guards {
			c.addGuard(g)
		}
		if l.Dialect == plan.Service {
			continue // nobody has written its one route
		}
		for _, chain := range l.Chains {
			for _, h := range chain.Hosts {
				for _, r := range h.Routes {
					c.add(r.Origin, "route", "host "+h.Name+", "+r.Rule.String())
				}
			}
		}
	}
}

func (c *Coverage) addGuard(g plan.Guard) {
	switch g := g.(type) {
	case *plan.APIKeys:
		for _, by := range g.Ring.By {
			c.add(by, "API keys", "the keys of the set")
		}
	case *plan.Tokens:
		for _, r := range g.Rules {
			c.add(r.Origin, "token rule", "issuer "+r.Issuer)
		}
	case *plan.Login:
		c.addPolicies("CUSTOM", &g.When)
	case *plan.External:
		c.addPolicies("CUSTOM", &g.When)
	case *plan.Policies:
		c.addPolicies("AUDIT", &g.Audit)
		c.addPolicies("DENY", &g.Deny)
		c.addPolicies("ALLOW", &g.Allow)
	}
}

func (c *Coverage) addPolicies(action string, s *plan.PolicySet) {
	for _, rule := range s.Rules() {
		if !rule.Never {
			c.add(rule.Origin, action+" rule", rule.String())
		}
		exemptions(rule, func(o plan.Origin, condition *match.PolicyCondition, i int) {
			c.add(o, "exemption", condition.What()+" "+strconv.Quote(condition.NotValues[i].Written))
		})
	}
}

// exemptions calls yield with each path and host that a rule leaves out.
func exemptions(rule *plan.PolicyRule, yield func(o plan.Origin, c *match.PolicyCondition, i int)) {
	for to, operation := range rule.To {
		for j := range operation {
			c := &operation[j]
			name := map[match.Fact]string{match.FactPath: "notPaths", match.FactHost: "notHosts"}[c.Fact]
			if name == "" {
				continue
			}
			for i := range c.NotValues {
				o := rule.Origin
				o.Field += fmt.Sprintf(".to[%d].operation.%s[%d]", to, name, i)
				yield(o, c, i)
			}
		}
	}
}

// judged notes that a walk has looked at a rule of a policy.
func (c *Coverage) judged(rule *plan.PolicyRule, r *match.Request, matches bool) {
	if matches {
		c.touch(&rule.Origin)
	}
	exemptions(rule, func(o plan.Origin, condition *match.PolicyCondition, i int) {
		if condition.Excepts(i, r) {
			c.touch(&o)
		}
	})
}

// walked notes what a walk has come by.
func (c *Coverage) walked(out *plan.Outcome, tr *plan.Trace) {
	for _, h := range out.Hops() {
		if h.Route != nil {
			c.touch(&h.Route.Origin)
		}
		for _, g := range h.Listener.Guards {
			c.shown(g, tr)
		}
	}
}

// shown notes the token rules and key sets that have accepted somebody.
func (c *Coverage) shown(g plan.Guard, tr *plan.Trace) {
	for _, step := range tr.Steps {
		if !step.OK || step.Kind != "token" && step.Kind != "apikey" {
			continue
		}
		switch g := g.(type) {
		case *plan.Tokens:
			for _, r := range g.Rules {
				if step.Origin == r.Origin.String() {
					c.touch(&r.Origin)
				}
			}
		case *plan.APIKeys:
			for i := range g.Ring.By {
				if strings.HasPrefix(step.Origin, g.Ring.By[i].Ref.String()+" ") {
					c.touch(&g.Ring.By[i])
				}
			}
		}
	}
}

// finish counts, and finds the lines of what is missed.
func (c *Coverage) finish(o Options) {
	files := map[string]*FileCoverage{}
	for _, r := range c.rules {
		f := files[r.Origin.Origin.File]
		if f == nil {
			f = &FileCoverage{File: r.Origin.Origin.File}
			files[f.File] = f
		}
		f.Rules++
		if r.touched {
			f.Touched++
		} else {
			f.Missed = append(f.Missed, *r)
		}
	}
	for _, f := range files {
		lines := make(problem.List, len(f.Missed))
		for i, r := range f.Missed {
			lines[i] = problem.Problem{File: f.File, Line: r.Origin.Origin.Line, Field: r.Field}
		}
		o.Source.Point(lines)
		for i := range f.Missed {
			f.Missed[i].Origin.Origin.Line = lines[i].Line
		}
		slices.SortFunc(f.Missed, func(a, b Rule) int {
			return cmp.Or(cmp.Compare(a.Origin.Origin.Line, b.Origin.Origin.Line), cmp.Compare(a.Field, b.Field))
		})
		c.Files = append(c.Files, *f)
	}
	slices.SortFunc(c.Files, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
}
