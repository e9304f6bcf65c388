package compile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

type destinationRule = object.Item[*networkingv1.DestinationRule]

// lintDestinationRules reports the rules whose host is nothing, and, once, those
// that ask for the mesh's mutual TLS of Pods of which it is not known whether they
// have sidecars.
func (c *compiler) lintDestinationRules() {
	for _, item := range c.set.DestinationRules.All() {
		host := fullName(item.Object.Spec.Host, item.Ref.Namespace)
		if host == "" || c.anyHost(host) {
			c.lintDestinations(item, host)
			continue
		}
		c.problem(problem.DRHostNotFound, item.Ref, item.Origin, "spec.host", "there is no Service or ServiceEntry "+host+c.nearestHost(host),
			"name a Service as NAME.NAMESPACE."+clusterDomain+", or a host of a ServiceEntry")
	}
	if all := c.unknownMutual; len(all) > 0 {
		at := slices.MinFunc(all, func(a, b plan.Origin) int { return strings.Compare(a.String(), b.String()) })
		c.problemAs(problem.Info, problem.NotCarriedOut, at.Ref, at.Origin, at.Field+".mode",
			fmt.Sprintf("ISTIO_MUTUAL is plain text here: the Namespace of the destination is not among the files, so nothing says that its Pods have sidecars (destinations: %d)", len(all)),
			"add the Namespace with its label "+injectionLabel)
	}
}

// lintDestinations judges a rule by the Pods behind its Service, whether or not a
// route leads there: sidecars obey it too.
func (c *compiler) lintDestinations(item destinationRule, host string) {
	h, _ := c.hostService(host, item.Ref.Namespace)
	if h == nil || h.alias() != "" || item.Object.Spec.WorkloadSelector != nil {
		return
	}
	for i := range h.ports {
		p := &h.ports[i]
		s := h.rule.settings(nil, p.number, c.mesh.config)
		if s.tls != nil && s.tlsAt.Ref == item.Ref && h.service != nil && c.declared(h.namespace) {
			b := &plan.Backend{}
			c.settle(b, h.service, p.service, nil)
			c.lintMutual(s, b, h)
		}
	}
	for i, s := range item.Object.Spec.Subsets {
		c.lintSubset(h, &subsetRule{s, plan.Origin{Ref: item.Ref, Origin: item.Origin, Field: "spec.subsets[" + strconv.Itoa(i) + "]"}})
	}
}

// lintSubset reports a subset that no workload behind its Service belongs to. Of
// those that routes use noEndpoints tells more.
func (c *compiler) lintSubset(h *hostService, sub *subsetRule) {
	some, known := c.behindSubset(h, sub.Labels)
	if some || !known || h.service.gateway || slices.ContainsFunc(sortedKeys(sub.Labels), placed) {
		return
	}
	for i := range h.ports {
		if eps, _ := c.hostEndpoints(h, &h.ports[i], sub.Labels); len(eps) > 0 {
			return
		}
	}
	c.selectsNothingOf(h, sub)
}

func (c *compiler) selectsNothingOf(h *hostService, sub *subsetRule) {
	c.problem(problem.SubsetSelectsNothing, sub.at.Ref, sub.at.Origin, sub.at.Field+".labels",
		"nothing behind "+h.String()+" has the labels "+labelsText(sub.Labels)+" of subset "+sub.Name+"; its requests get 503", "use labels that the Pods have")
}

// behindSubset tells whether a workload behind a Service has labels, and whether
// any workload is known to be behind it.
func (c *compiler) behindSubset(h *hostService, labels map[string]string) (some, known bool) {
	if h.service == nil {
		return false, false
	}
	for _, w := range c.workloadsBehind(h.service) {
		known = true
		some = some || object.Match(labels, w.Object.PodLabels())
	}
	return some, known
}

// placed tells a label that Pods have from their Node.
func placed(label string) bool { return strings.HasPrefix(label, "topology.") }
