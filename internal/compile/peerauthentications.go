package compile

import (
	"slices"
	"strconv"

	securityv1beta1 "istio.io/api/security/v1beta1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

type peerAuthentication = object.Item[*securityv1.PeerAuthentication]

// peerAuthentications are the PeerAuthentications by what they are for, the
// oldest first. Selectors in the root namespace count for nothing (Istio,
// ComposePeerAuthentication).
type peerAuthentications struct {
	mesh       []peerAuthentication
	namespaces map[string][]peerAuthentication
	workloads  map[string][]peerAuthentication // with a selector, by namespace
}

// readPeerAuthentications sorts the PeerAuthentications.
func (c *compiler) readPeerAuthentications() {
	x := &c.peerAuth
	x.namespaces, x.workloads = map[string][]peerAuthentication{}, map[string][]peerAuthentication{}
	all := slices.Clone(c.set.PeerAuthentications.All())
	slices.SortStableFunc(all, func(a, b peerAuthentication) int { return older(a.Object, b.Object) })
	for _, item := range all {
		ns := item.Ref.Namespace
		selects := len(item.Object.Spec.GetSelector().GetMatchLabels()) > 0
		switch {
		case selects && ns != c.mesh.rootNamespace:
			x.workloads[ns] = append(x.workloads[ns], item)
		case selects:
		case ns == c.mesh.rootNamespace:
			x.mesh = append(x.mesh, item)
		default:
			x.namespaces[ns] = append(x.namespaces[ns], item)
		}
	}
}

// peers is what the sidecar of a workload takes at a port: what its own
// PeerAuthentication says, else the namespace's, else the mesh's; UNSET inherits,
// and the default is PERMISSIVE.
func (c *compiler) peers(w *secured, port int) *plan.Door {
	d := &plan.Door{}
	say := func(item peerAuthentication, mtls *securityv1beta1.PeerAuthentication_MutualTLS, field string) {
		by := plan.Origin{Ref: item.Ref, Origin: item.Origin, Field: field}
		switch mtls.GetMode() {
		case securityv1beta1.PeerAuthentication_MutualTLS_STRICT:
			*d = plan.Door{Peers: plan.Strict, By: by}
		case securityv1beta1.PeerAuthentication_MutualTLS_DISABLE:
			*d = plan.Door{Peers: plan.PlainOnly, By: by}
		case securityv1beta1.PeerAuthentication_MutualTLS_PERMISSIVE:
			*d = plan.Door{Peers: plan.Permissive, By: by}
		}
	}
	if all := c.peerAuth.mesh; len(all) > 0 {
		say(all[0], all[0].Object.Spec.Mtls, "spec.mtls")
	}
	if all := c.peerAuth.namespaces[w.namespace]; len(all) > 0 {
		say(all[0], all[0].Object.Spec.Mtls, "spec.mtls")
	}
	for _, item := range c.peerAuth.workloads[w.namespace] {
		if !object.Match(item.Object.Spec.Selector.MatchLabels, w.labels) {
			continue
		}
		say(item, item.Object.Spec.Mtls, "spec.mtls")
		say(item, item.Object.Spec.PortLevelMtls[uint32(port)], "spec.portLevelMtls["+strconv.Itoa(port)+"]")
		break
	}
	return d
}
