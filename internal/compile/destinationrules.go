package compile

import (
	"slices"
	"strconv"
	"strings"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// mergedRule is the DestinationRules of one host and namespace as one: the subsets
// of all, the first traffic policy (Istio, mergeDestinationRule).
type mergedRule struct {
	exportTo []string // sorted
	policy   *networkingv1alpha3.TrafficPolicy
	at       plan.Origin // of policy
	subsets  []subsetRule
}

// subsetRule is a subset and where it is written.
type subsetRule struct {
	*networkingv1alpha3.Subset
	at plan.Origin
}

// subset finds a subset by its name; nil if there is none. A rule may be nil.
func (r *mergedRule) subset(name string) *subsetRule {
	if r == nil {
		return nil
	}
	for i := range r.subsets {
		if r.subsets[i].Name == name {
			return &r.subsets[i]
		}
	}
	return nil
}

// subsetNames lists the subsets, for messages.
func (r *mergedRule) subsetNames() []string {
	var names []string
	if r != nil {
		for _, s := range r.subsets {
			names = append(names, s.Name)
		}
	}
	return names
}

// ruleIndex finds rules by host: exact, or a wildcard by what follows its star.
type ruleIndex struct{ exact, wildcard map[string][]*mergedRule }

// ruleIndexes are what Istio keeps of DestinationRules: by namespace, those that
// its own proxies see, and those that others can see; and those that the root
// namespace keeps to itself (setDestinationRules).
type ruleIndexes struct {
	local, exported map[string]*ruleIndex
	rootPrivate     ruleIndex
}

// readDestinationRules files the DestinationRules, the oldest first.
func (c *compiler) readDestinationRules() {
	c.drs = ruleIndexes{local: map[string]*ruleIndex{}, exported: map[string]*ruleIndex{}}
	all := slices.Clone(c.set.DestinationRules.All())
	slices.SortStableFunc(all, func(a, b object.Item[*networkingv1.DestinationRule]) int { return older(a.Object, b.Object) })
	for _, item := range all {
		c.lintRule(item)
		if item.Object.Spec.WorkloadSelector != nil {
			continue
		}
		ns, to := item.Ref.Namespace, slices.Clone(item.Object.Spec.ExportTo)
		slices.Sort(to)
		to = slices.Compact(to)
		if len(to) == 0 || slices.Contains(to, "*") || slices.Contains(to, ".") || slices.Contains(to, ns) {
			indexOf(c.drs.local, ns).add(item, to)
		}
		private := len(to) == 0 && slices.Contains(c.mesh.exportDestinationRules, ".") || len(to) == 1 && (to[0] == "." || to[0] == ns)
		switch {
		case !private:
			indexOf(c.drs.exported, ns).add(item, to)
		case ns == c.mesh.rootNamespace:
			c.drs.rootPrivate.add(item, to)
		}
	}
}

func indexOf(m map[string]*ruleIndex, namespace string) *ruleIndex {
	if m[namespace] == nil {
		m[namespace] = &ruleIndex{}
	}
	return m[namespace]
}

// add files a rule, joined with those of the same host that are exported alike.
func (x *ruleIndex) add(item object.Item[*networkingv1.DestinationRule], exportTo []string) {
	if x.exact == nil {
		x.exact, x.wildcard = map[string][]*mergedRule{}, map[string][]*mergedRule{}
	}
	host, into := fullName(item.Object.Spec.Host, item.Ref.Namespace), x.exact
	if rest, ok := strings.CutPrefix(host, "*"); ok {
		host, into = rest, x.wildcard
	}
	separate := true
	for _, r := range into[host] {
		superset := len(r.exportTo) > 0 && !slices.ContainsFunc(r.exportTo, func(ns string) bool { return !slices.Contains(exportTo, ns) })
		if separate = !superset && !slices.Equal(r.exportTo, exportTo); !separate {
			r.join(item)
		}
	}
	if separate {
		r := &mergedRule{exportTo: exportTo}
		r.join(item)
		into[host] = append(into[host], r)
	}
}

func (r *mergedRule) join(item object.Item[*networkingv1.DestinationRule]) {
	spec := &item.Object.Spec
	at := plan.Origin{Ref: item.Ref, Origin: item.Origin}
	if r.policy == nil && spec.TrafficPolicy != nil {
		r.policy, r.at = spec.TrafficPolicy, at
		r.at.Field = "spec.trafficPolicy"
	}
	if r.at.Ref.IsZero() {
		r.at = at
	}
	for i, s := range spec.Subsets {
		if s != nil && r.subset(s.Name) == nil {
			at.Field = "spec.subsets[" + strconv.Itoa(i) + "]"
			r.subsets = append(r.subsets, subsetRule{s, at})
		}
	}
}

// find returns the rules of the host's own name, or else of the longest wildcard
// that covers it.
func (x *ruleIndex) find(host string) []*mergedRule {
	if x == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(host, "*"); ok {
		host = rest
	} else if rs := x.exact[host]; rs != nil {
		return rs
	}
	if len(x.wildcard) == 0 {
		return nil
	}
	for i := 0; i <= len(host); i++ {
		if rs := x.wildcard[host[i:]]; rs != nil {
			return rs
		}
	}
	return nil
}

// findRule finds the rule that a gateway in namespace viewer obeys for a target:
// one of its own namespace, else one of the target's, else one of the root
// namespace (Istio, PushContext.destinationRule). A rule in the namespace of the
// VirtualService does not count for that.
func (c *compiler) findRule(h *hostService, viewer string) *mergedRule {
	own := &c.drs.rootPrivate
	if viewer != c.mesh.rootNamespace {
		own = c.drs.local[viewer]
	}
	if rs := own.find(h.host); len(rs) > 0 {
		return rs[len(rs)-1]
	}
	for _, ns := range [...]string{h.namespace, c.mesh.rootNamespace} {
		var seen *mergedRule
		for _, r := range c.drs.exported[ns].find(h.host) {
			if len(r.exportTo) == 0 || slices.Contains(r.exportTo, "*") || slices.Contains(r.exportTo, viewer) {
				seen = r // of several the last one counts
			}
		}
		if seen != nil {
			return seen
		}
	}
	return nil
}

// subsetElsewhere tells of a DestinationRule that defines a subset of a host where
// the gateway does not look for it; "" if there is none.
func (c *compiler) subsetElsewhere(h *hostService, subset, viewer string) string {
	for _, item := range c.set.DestinationRules.All() {
		spec := &item.Object.Spec
		if fullName(spec.Host, item.Ref.Namespace) != h.host || !slices.ContainsFunc(spec.Subsets, func(s *networkingv1alpha3.Subset) bool { return s.GetName() == subset }) {
			continue
		}
		why := "which a gateway in namespace " + viewer + " does not see: it looks in " + strings.Join(slices.Compact([]string{h.namespace, c.mesh.rootNamespace}), " and ")
		switch {
		case spec.WorkloadSelector != nil:
			why = "whose workloadSelector is not carried out"
		case item.Ref.Namespace == h.namespace || item.Ref.Namespace == c.mesh.rootNamespace:
			why = "which its exportTo or another rule for the host hides"
		}
		return "; " + item.Ref.String() + " defines it, " + why
	}
	return ""
}

// anyHost tells whether some Service or ServiceEntry has the host, or one that
// the wildcard covers.
func (c *compiler) anyHost(host string) bool {
	suffix, wild := strings.CutPrefix(host, "*")
	if !wild {
		return c.serviceOf(host) != nil || len(c.entries[host]) > 0
	}
	for _, s := range c.services {
		if strings.HasSuffix(s.host, suffix) {
			return true
		}
	}
	for h := range c.entries {
		if strings.HasSuffix(strings.TrimPrefix(h, "*"), suffix) {
			return true
		}
	}
	return false
}

// nearestHost offers what was probably meant by a host that there is not.
func (c *compiler) nearestHost(host string) string {
	svc, rest, _ := strings.Cut(host, ".")
	ns, _, _ := strings.Cut(rest, ".")
	if c.service(ns, svc) != nil {
		return "; a name with a dot is taken as it is: did you mean " + strconv.Quote(svc+"."+ns+"."+clusterDomain) + "?"
	}
	if !c.look(len(c.services) + len(c.entries)) {
		return ""
	}
	var have, same []string
	for n, s := range c.services {
		switch {
		case n.name == svc:
			same = append(same, s.host)
		case n.namespace == ns:
			have = append(have, s.host)
		}
	}
	for h := range c.entries {
		have = append(have, h)
	}
	if len(same) > 0 {
		return "; there is " + some(same, "")
	}
	slices.Sort(have)
	if near := nearest(host, have); near != "" {
		return near
	}
	if names := c.serviceNames(ns); len(names) > 0 {
		return "; namespace " + ns + " has " + some(names, "") + nearest(svc, names)
	}
	return ""
}
