package compile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/problem"
)

// rule is one rule of a VirtualService, or what a root's rule and one of its
// delegate's make together.
type rule struct {
	*networkingv1alpha3.HTTPRoute
	owner *virtualService // whose field it is
	field string          // spec.http[1]
	// mirrors is whose short names its mirrors are: owner's, or the root's.
	mirrors *virtualService
}

// rules lists the rules of a VirtualService in order, delegates merged in
// (Istio, mergeVirtualServices). A rule whose delegate is not there disappears.
func (c *compiler) rules(v *virtualService) []rule {
	spec := &v.item.Object.Spec
	rs := make([]rule, 0, len(spec.Http))
	for i, h := range spec.Http {
		r := rule{HTTPRoute: h, owner: v, field: c.httpField(i), mirrors: v}
		if h.GetDelegate() == nil {
			rs = append(rs, r)
			continue
		}
		d := c.delegate(v, &r)
		if d == nil {
			continue
		}
		for j, leaf := range d.item.Object.Spec.Http {
			if m := c.merge(r, rule{HTTPRoute: leaf, owner: d, field: c.httpField(j), mirrors: d}); m.HTTPRoute != nil {
				rs = append(rs, m)
			}
		}
	}
	return rs
}

func (c *compiler) httpField(i int) string {
	for len(c.fields) <= i {
		c.fields = append(c.fields, "spec.http["+strconv.Itoa(len(c.fields))+"]")
	}
	return c.fields[i]
}

// delegate finds the VirtualService that a rule delegates to, or reports why not.
func (c *compiler) delegate(v *virtualService, r *rule) *virtualService {
	ref := name{or(r.Delegate.Namespace, v.namespace()), r.Delegate.Name}
	field := r.field + ".delegate"
	d := c.delegates[ref]
	if d == nil {
		if _, ok := c.set.VirtualServices.Get(ref.namespace, ref.name); ok {
			c.onVS(problem.DelegateNotFound, v, field, "VirtualService "+ref.String()+" has hosts, so it is no delegate; the rule is left out", "remove its spec.hosts and spec.gateways")
			return nil
		}
		instead := ""
		if c.look(len(c.delegates)) {
			var have []string
			for n := range c.delegates {
				have = append(have, n.String())
			}
			slices.Sort(have)
			instead = "; there is " + some(have, "no delegate") + nearest(ref.String(), have)
		}
		c.onVS(problem.DelegateNotFound, v, field, "there is no VirtualService "+ref.String()+"; the rule is left out"+instead, "name a VirtualService without hosts, with its namespace")
		return nil
	}
	if !exported(d.item.Object.Spec.ExportTo, c.mesh.exportVirtualServices, d.namespace(), v.namespace()) {
		c.onVS(problem.NotExported, v, field, "VirtualService "+ref.String()+" is not exported to namespace "+v.namespace()+"; the rule is left out",
			"add "+strconv.Quote(v.namespace())+" to its exportTo")
		return nil
	}
	d.built = true
	return d
}

// merge combines a root's rule with a delegate's: the conditions of both, and the
// delegate's values before the root's (Istio, mergeHTTPRoute). HTTPRoute is nil
// when the delegate's lies outside the root's.
func (c *compiler) merge(root, leaf rule) rule {
	matches, ok := mergeMatches(root, leaf)
	if !ok {
		c.onVS(problem.RuleUnreachable, leaf.owner, leaf.field+".match",
			"the condition lies outside that of "+root.owner.item.Ref.String()+" "+root.field+", which delegates here; the rule is left out",
			"keep the delegate's conditions within the root's")
		return rule{}
	}
	if leaf.Delegate != nil {
		c.onVS(problem.Schema, leaf.owner, leaf.field+".delegate", "a delegate cannot delegate again", "name the last delegate in the root")
	}
	r, l := root.HTTPRoute, leaf.HTTPRoute
	m := &networkingv1alpha3.HTTPRoute{
		Name: joined(r.Name, l.Name), Match: matches, Route: l.Route, Redirect: l.Redirect,
		DirectResponse: first(l.DirectResponse, r.DirectResponse), Rewrite: first(l.Rewrite, r.Rewrite),
		Timeout: first(l.Timeout, r.Timeout), Retries: first(l.Retries, r.Retries), Fault: first(l.Fault, r.Fault),
		Mirror: first(l.Mirror, r.Mirror), Mirrors: l.Mirrors, MirrorPercent: first(l.MirrorPercent, r.MirrorPercent), //nolint:staticcheck // still read
		MirrorPercentage: first(l.MirrorPercentage, r.MirrorPercentage), CorsPolicy: first(l.CorsPolicy, r.CorsPolicy),
		Headers: first(l.Headers, r.Headers),
	}
	if m.Mirrors == nil {
		m.Mirrors = r.Mirrors
	}
	if l.Mirror == nil && l.Mirrors == nil {
		leaf.mirrors = root.owner
	}
	leaf.HTTPRoute = m
	return leaf
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// joined is the name of what two named things make together.
func joined(root, leaf string) string {
	if root == "" || leaf == "" {
		return root + leaf
	}
	return root + "-" + leaf
}

// mergeMatches combines each condition of the delegate with each of the root's
// that it lies within. It is false when one lies within none.
func mergeMatches(root, leaf rule) ([]*networkingv1alpha3.HTTPMatchRequest, bool) {
	roots, leaves := resolvedMatches(root), resolvedMatches(leaf)
	if len(roots) == 0 {
		return leaves, true
	}
	if len(leaves) == 0 {
		return roots, true
	}
	var all []*networkingv1alpha3.HTTPMatchRequest
	for _, l := range leaves {
		found := false
		for _, r := range roots {
			if !outside(r, l) {
				all, found = append(all, mergeMatch(r, l)), true
			}
		}
		if !found {
			return nil, false
		}
	}
	return all, true
}

// resolvedMatches are a rule's conditions, none nil, with the names of Gateways in full.
func resolvedMatches(r rule) []*networkingv1alpha3.HTTPMatchRequest {
	var all []*networkingv1alpha3.HTTPMatchRequest
	for _, m := range r.Match {
		if m == nil {
			m = &networkingv1alpha3.HTTPMatchRequest{}
		}
		if len(m.Gateways) > 0 {
			m = mergeMatch(m, &networkingv1alpha3.HTTPMatchRequest{IgnoreUriCase: m.IgnoreUriCase})
			m.Gateways = gatewayNames(m.Gateways, r.owner.namespace())
		}
		all = append(all, m)
	}
	return all
}

func gatewayNames(written []string, namespace string) []string {
	names := make([]string, len(written))
	for i, g := range written {
		names[i] = g
		if g != "mesh" {
			names[i] = gatewayName(g, namespace)
		}
	}
	return names
}

func mergeMatch(root, leaf *networkingv1alpha3.HTTPMatchRequest) *networkingv1alpha3.HTTPMatchRequest {
	m := &networkingv1alpha3.HTTPMatchRequest{
		Name: joined(root.Name, leaf.Name), Uri: first(leaf.Uri, root.Uri), Scheme: first(leaf.Scheme, root.Scheme),
		Method: first(leaf.Method, root.Method), Authority: first(leaf.Authority, root.Authority),
		Headers: union(root.Headers, leaf.Headers), WithoutHeaders: union(root.WithoutHeaders, leaf.WithoutHeaders),
		QueryParams: union(root.QueryParams, leaf.QueryParams), SourceLabels: union(root.SourceLabels, leaf.SourceLabels),
		Port: leaf.Port, SourceNamespace: or(leaf.SourceNamespace, root.SourceNamespace), Gateways: leaf.Gateways,
		StatPrefix: or(leaf.StatPrefix, root.StatPrefix), IgnoreUriCase: leaf.IgnoreUriCase,
	}
	if m.Port == 0 {
		m.Port = root.Port
	}
	if len(m.Gateways) == 0 {
		m.Gateways = root.Gateways
	}
	return m
}

// union is both maps in one; leaf wins.
func union[V any](root, leaf map[string]V) map[string]V {
	if len(root)+len(leaf) == 0 {
		return nil
	}
	m := make(map[string]V, len(root)+len(leaf))
	maps.Copy(m, root)
	maps.Copy(m, leaf)
	return m
}

// outside tells whether a delegate's condition lies outside a root's (Istio,
// hasConflict).
func outside(root, leaf *networkingv1alpha3.HTTPMatchRequest) bool {
	if textOutside(root.Uri, leaf.Uri) || textOutside(root.Scheme, leaf.Scheme) ||
		textOutside(root.Method, leaf.Method) || textOutside(root.Authority, leaf.Authority) ||
		anyOutside(root.Headers, leaf.Headers) || anyOutside(root.WithoutHeaders, leaf.WithoutHeaders) ||
		anyOutside(root.QueryParams, leaf.QueryParams) {
		return true
	}
	if root.IgnoreUriCase != leaf.IgnoreUriCase || root.Port > 0 && leaf.Port > 0 && root.Port != leaf.Port ||
		root.SourceNamespace != "" && root.SourceNamespace != leaf.SourceNamespace {
		return true
	}
	for k, v := range leaf.SourceLabels {
		if have, ok := root.SourceLabels[k]; ok && have != v {
			return true
		}
	}
	if len(root.Gateways) == 0 {
		return false
	}
	for _, g := range leaf.Gateways {
		if !slices.Contains(root.Gateways, g) {
			return true
		}
	}
	return len(leaf.Gateways) > len(root.Gateways)
}

func anyOutside(root, leaf map[string]*networkingv1alpha3.StringMatch) bool {
	for k, v := range leaf {
		if textOutside(root[k], v) {
			return true
		}
	}
	return false
}

// textOutside is outside for one text: a regex against anything else, another
// exact text, or a prefix that is not under the root's (Istio, stringMatchConflict).
func textOutside(root, leaf *networkingv1alpha3.StringMatch) bool {
	if root == nil || leaf == nil {
		return false
	}
	narrow := leaf.GetExact() + leaf.GetPrefix() // at most one of them is set
	switch {
	case root.GetRegex() != "" && (leaf.GetRegex() != "" || narrow != ""),
		leaf.GetRegex() != "" && (root.GetPrefix() != "" || root.GetExact() != ""):
		return true
	case root.GetExact() != "":
		return leaf.GetPrefix() != "" || leaf.GetExact() != root.GetExact()
	case root.GetPrefix() != "":
		return narrow == "" || !strings.HasPrefix(narrow, root.GetPrefix())
	}
	return true
}
