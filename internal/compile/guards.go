package compile

import (
	"net/netip"
	"slices"

	typev1beta1 "istio.io/api/type/v1beta1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// secured is a workload as security objects see it: they select it by namespace
// and pod labels, or name it, or its Service, in targetRefs.
type secured struct {
	namespace string
	labels    map[string]string
	services  []string // in front of it, of its namespace; of a sidecar the one that was asked for
	// gateway says that it is a gateway's workload, whose identity is nobody's at
	// a plain listener.
	gateway bool
	account string     // its service account
	address netip.Addr // of its Pod, where that is one and known
}

// guards are what judges the requests to a workload before they are routed, in
// the order of Istio's proxy: CUSTOM policies, tokens, then AUDIT, DENY and
// ALLOW policies (listener_builder.go). API keys come before tokens.
func (c *compiler) guards(w *secured) []plan.Guard {
	tokens := c.tokens(w)
	return slices.Concat(c.externals(w), c.apiKeys(w, tokens), tokens, c.policies(w))
}

// identity is who the workload is to others (SPIFFE, without the scheme).
func (c *compiler) identity(w *secured) string {
	account := w.account
	if account == "" {
		account = "default"
	}
	return c.mesh.trustDomain + "/ns/" + w.namespace + "/sa/" + account
}

// selects tells whether an object of namespace ns with this scope is for w: by
// targetRefs, else by selector; without either it is for every workload of its
// namespace, and of all namespaces when that is the root namespace (Istio,
// PolicyMatcher).
func (c *compiler) selects(ns string, selector *typev1beta1.WorkloadSelector, refs []*typev1beta1.PolicyTargetReference, w *secured) bool {
	if ns != w.namespace && ns != c.mesh.rootNamespace {
		return false
	}
	if len(refs) == 0 {
		return object.Match(selector.GetMatchLabels(), w.labels)
	}
	return ns == w.namespace && slices.ContainsFunc(refs, func(ref *typev1beta1.PolicyTargetReference) bool {
		return ref.Kind == "Service" && (ref.Group == "" || ref.Group == "core") && slices.Contains(w.services, ref.Name)
	})
}
