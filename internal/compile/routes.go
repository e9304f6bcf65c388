package compile

import (
	"fmt"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// binding is where rules are built for: some things depend on the server that
// carries them.
type binding struct {
	group   *serverGroup // nil only to find mistakes
	gateway string       // NAMESPACE/NAME
	port    uint32       // servers[].port.number
	tls     bool
}

// buildRoutes makes the routes of a VirtualService for a binding, one for each
// condition of each rule (Istio, BuildHTTPRoutesForVirtualService). A rule that
// takes every request ends the list.
func (c *compiler) buildRoutes(v *virtualService, at binding) []*plan.Route {
	v.built = true
	rules := c.rules(v)
	c.repeated(rules)
	routes := make([]*plan.Route, 0, len(rules))
	for i := range rules {
		r := &rules[i]
		b := c.newRouteBuilder(r, at)
		if len(r.Match) == 0 {
			routes = append(routes, b.route(nil, r.field))
			c.unreachable(v, rules[i+1:])
			return routes
		}
		for j, m := range r.Match {
			field := r.field + c.matchField(j)
			if m == nil || !c.applies(r, m, at) {
				continue
			}
			route := b.route(m, field)
			if route == nil {
				continue
			}
			routes = append(routes, route)
			if catchAll(&route.Rule) && !b.refused {
				c.unreachable(v, rules[i+1:])
				return routes
			}
		}
	}
	return routes
}

func (c *compiler) matchField(j int) string {
	for len(c.matchFields) <= j {
		c.matchFields = append(c.matchFields, ".match["+strconv.Itoa(len(c.matchFields))+"]")
	}
	return c.matchFields[j]
}

// applies tells whether a condition is for the place at all: its port, Gateways
// and source are known beforehand (Istio, sourceMatchHTTP).
func (c *compiler) applies(r *rule, m *networkingv1alpha3.HTTPMatchRequest, at binding) bool {
	if at.group == nil {
		return true
	}
	if m.Port != 0 && m.Port != at.port {
		return false
	}
	if len(m.Gateways) > 0 {
		for _, g := range m.Gateways {
			if g != "mesh" && gatewayName(g, r.owner.namespace()) == at.gateway {
				return true
			}
		}
		return false
	}
	w := at.group.workload
	return object.Match(m.SourceLabels, w.labels) && (m.SourceNamespace == "" || m.SourceNamespace == w.namespace)
}

// unreachable reports rules that stand behind one that takes every request.
func (c *compiler) unreachable(v *virtualService, rest []rule) {
	for i := range rest {
		c.onVS(problem.RuleUnreachable, rest[i].owner, rest[i].field, "a rule before it takes every request, so no request reaches it",
			"move it before the rule without conditions")
	}
}

// repeated reports conditions that repeat one of an earlier rule of the same
// VirtualService.
func (c *compiler) repeated(rules []rule) {
	if len(rules) < 2 {
		return
	}
	seen := map[string]string{}
	for i := range rules {
		for j, m := range rules[i].Match {
			if m == nil {
				continue
			}
			field := rules[i].field + c.matchField(j)
			key := matchKey(m)
			if before, ok := seen[key]; ok && !strings.HasPrefix(before, rules[i].field+".") {
				c.onVS(problem.MatchDuplicate, rules[i].owner, field, "the condition is the same as "+before+", which takes its requests", "remove one of the two")
				continue
			}
			seen[key] = field
		}
	}
}

// matchKey is the same for conditions that mean the same.
func matchKey(m *networkingv1alpha3.HTTPMatchRequest) string {
	var b strings.Builder
	text := func(what string, t *networkingv1alpha3.StringMatch) {
		if t != nil {
			fmt.Fprintf(&b, "%s exact %q prefix %q regex %q\n", what, t.GetExact(), t.GetPrefix(), t.GetRegex())
		}
	}
	texts := func(what string, m map[string]*networkingv1alpha3.StringMatch) {
		for _, k := range sortedKeys(m) {
			b.WriteString(what + " " + k)
			text("", m[k])
		}
	}
	text("uri", m.Uri)
	text("scheme", m.Scheme)
	text("method", m.Method)
	text("authority", m.Authority)
	texts("header", m.Headers)
	texts("without", m.WithoutHeaders)
	texts("query", m.QueryParams)
	for _, k := range sortedKeys(m.SourceLabels) {
		fmt.Fprintf(&b, "label %q %q\n", k, m.SourceLabels[k])
	}
	fmt.Fprintf(&b, "%v %d %q %q", m.IgnoreUriCase, m.Port, m.Gateways, m.SourceNamespace)
	return b.String()
}

// routeBuilder makes the routes of one rule, which differ in their conditions.
type routeBuilder struct {
	c       *compiler
	rule    *rule
	at      binding
	filters []plan.Filter
	action  plan.Action
	forward *plan.Forward // the action, if it forwards
	refused bool          // the rule is invalid: it answers 503
}

func (c *compiler) newRouteBuilder(r *rule, at binding) *routeBuilder {
	b := &routeBuilder{c: c, rule: r, at: at}
	b.conflicts()
	b.buildFilters()
	b.buildAction()
	return b
}

// conflicts refuses what Istio's validation refuses: a rule with two actions.
func (b *routeBuilder) conflicts() {
	r := b.rule
	actions := 0
	for _, set := range [...]bool{len(r.Route) > 0, r.Redirect != nil, r.DirectResponse != nil} {
		if set {
			actions++
		}
	}
	switch {
	case actions == 0:
		b.refuse("", "the rule has no route, redirect, directResponse or delegate", "add route: [{destination: {host: NAME}}]")
	case actions > 1:
		b.refuse("", "the rule has several of route, redirect and directResponse", "keep one of them")
	case r.Redirect != nil && (r.Fault != nil || r.Rewrite != nil),
		r.DirectResponse != nil && (r.Fault != nil || r.Rewrite != nil):
		b.refuse("", "fault and rewrite go with route only", "remove them from the rule")
	case r.Mirror != nil && len(r.Mirrors) > 0:
		b.refuse(".mirror", "the rule has both mirror and mirrors", "keep mirrors")
	}
}

// refuse reports a mistake for which a cluster would refuse the object. The rule
// answers 503 instead of doing something else than was meant.
func (b *routeBuilder) refuse(field, message, remedy string) {
	b.refused = true
	b.c.onVS(problem.Schema, b.rule.owner, b.rule.field+field, message+"; its requests get 503", remedy)
}

// warn reports a mistake that the rule survives.
func (b *routeBuilder) warn(code, field, message, remedy string) {
	b.c.onVS(code, b.rule.owner, b.rule.field+field, message, remedy)
}

// route makes the route of one condition; nil matches everything. The result is
// nil for a condition that no request can fulfil.
func (b *routeBuilder) route(m *networkingv1alpha3.HTTPMatchRequest, field string) *plan.Route {
	refused := b.refused
	u, ok := b.conditions(m, strings.TrimPrefix(field, b.rule.field))
	if !ok {
		return nil
	}
	r := &plan.Route{
		Origin: plan.Origin{Ref: b.rule.owner.item.Ref, Origin: b.rule.owner.item.Origin, Field: field},
		Name:   b.rule.Name, Rule: u,
	}
	if m != nil && m.Name != "" {
		r.Name += "." + m.Name
	}
	if b.refused {
		r.Action = &plan.Direct{Status: 503, Reason: "the rule is invalid: " + field}
		b.refused = refused
		return r
	}
	r.Filters, r.Action = b.filters, b.actionFor(&u)
	if catchAll(&u) {
		r.Place = "it takes every request, so it stands last"
	}
	return r
}

// conditions turns a match into a rule of the plan (Istio, TranslateRouteMatch).
// It is false for conditions that cannot be fulfilled.
func (b *routeBuilder) conditions(m *networkingv1alpha3.HTTPMatchRequest, field string) (match.Rule, bool) {
	u := match.Rule{Path: match.Text{Op: match.Prefix, Value: "/"}}
	if m == nil {
		return u, true
	}
	if m.Uri.GetMatchType() != nil {
		if u.Path = b.text(m.Uri, field+".uri"); u.Path.Op == match.Any {
			// An invalid regex: what its plain beginning covers is refused.
			if u.Path = (match.Text{Op: match.Prefix, Value: plainPrefix(m.Uri.GetRegex())}); len(u.Path.Value) < 2 {
				return u, false
			}
		}
		u.Path.IgnoreCase = m.IgnoreUriCase && u.Path.Op != match.Regex
	}
	if n := len(m.Headers) + len(m.WithoutHeaders) + len(m.QueryParams); n > 0 || m.Method != nil || m.Authority != nil || m.Scheme != nil {
		u.All = make([]match.Condition, 0, n+3)
	}
	for _, k := range sortedKeys(m.Headers) {
		b.condition(&u, headerCondition(k, false), m.Headers[k], field+".headers."+k)
	}
	for _, k := range sortedKeys(m.WithoutHeaders) {
		b.condition(&u, headerCondition(k, true), m.WithoutHeaders[k], field+".withoutHeaders."+k)
	}
	for _, k := range sortedKeys(m.QueryParams) {
		b.condition(&u, match.Condition{Attr: match.Query, Name: k}, m.QueryParams[k], field+".queryParams."+k)
	}
	if m.Method != nil {
		b.condition(&u, match.Condition{Attr: match.Method}, m.Method, field+".method")
	}
	if m.Authority != nil {
		b.condition(&u, match.Condition{Attr: match.Authority}, m.Authority, field+".authority")
	}
	if m.Scheme != nil {
		b.condition(&u, match.Condition{Attr: match.Scheme}, m.Scheme, field+".scheme")
	}
	return u, true
}

// condition adds one condition, unless its text is invalid; then the rule is refused.
func (b *routeBuilder) condition(u *match.Rule, cond match.Condition, t *networkingv1alpha3.StringMatch, field string) {
	if cond.Text = b.text(t, field); cond.Text.Op != match.Any {
		u.All = append(u.All, cond)
	}
}

// text turns a StringMatch into a condition. No kind at all, and the regex "*",
// ask for presence. An invalid regex refuses the rule and gives the zero Text.
func (b *routeBuilder) text(t *networkingv1alpha3.StringMatch, field string) match.Text {
	switch m := t.GetMatchType().(type) {
	case *networkingv1alpha3.StringMatch_Exact:
		return match.Text{Op: match.Exact, Value: m.Exact}
	case *networkingv1alpha3.StringMatch_Prefix:
		return match.Text{Op: match.Prefix, Value: m.Prefix}
	case *networkingv1alpha3.StringMatch_Regex:
		if m.Regex == "*" {
			break
		}
		text, err := b.c.regex(m.Regex)
		if err != nil {
			b.refuse(field, "the regex "+strconv.Quote(m.Regex)+" is no RE2 expression: "+err.Error(), "correct the expression")
			return match.Text{}
		}
		return text
	}
	return match.Text{Op: match.Present}
}

// regex compiles an expression once, however often it is written.
func (c *compiler) regex(expr string) (match.Text, error) {
	if t, ok := c.regexes[expr]; ok {
		return t, nil
	}
	t, err := match.NewRegex(expr)
	if err == nil {
		c.regexes[expr] = t
	}
	return t, err
}

// plainPrefix is the beginning of an expression that stands for itself.
func plainPrefix(expr string) string {
	expr = strings.TrimPrefix(expr, "^")
	end := strings.IndexAny(expr, `\.+*?()|[]{}^$`)
	if end < 0 {
		return expr
	}
	if strings.ContainsRune("*?{", rune(expr[end])) {
		end--
	}
	return expr[:max(end, 0)]
}

// headerCondition is a condition on a header, or on a claim of the token that the
// gateway has verified: @request.auth.claims.a.b, or @request.auth.claims[a][b]
// for names with dots (Istio, ToRoutingClaim).
func headerCondition(name string, not bool) match.Condition {
	const claims = "@request.auth.claims"
	if len(name) > len(claims)+1 && strings.EqualFold(name[:len(claims)], claims) {
		rest := name[len(claims):]
		if list, ok := strings.CutSuffix(rest[1:], "]"); ok && rest[0] == '[' {
			return match.Condition{Attr: match.Claim, Path: strings.Split(list, "]["), Not: not}
		}
		if rest[0] == '.' {
			return match.Condition{Attr: match.Claim, Path: strings.Split(rest[1:], "."), Not: not}
		}
	}
	return match.Condition{Attr: match.Header, Name: strings.ToLower(name), Not: not}
}
