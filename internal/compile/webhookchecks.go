package compile

import (
	"slices"
	"strconv"
	"strings"

	"istio.io/api/annotation"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// lintWebhooks reports what the API server calls and cannot reach: it is in no mesh,
// and the sidecar before the webhook takes mutual TLS only.
func (c *compiler) lintWebhooks() {
	for _, item := range c.set.Webhooks.All() {
		for _, call := range item.Object.Calls {
			c.lintWebhook(item, call)
		}
	}
}

func (c *compiler) lintWebhook(item object.Item[*object.Webhook], call object.WebhookCall) {
	s := c.service(call.Namespace, call.Name)
	if s == nil || s.gateway || object.IsExternalName(s.item.Object) {
		return
	}
	for i := range s.item.Object.Spec.Ports {
		p := &s.item.Object.Spec.Ports[i]
		if p.Port != call.Port || c.pastSidecar(s, c.targetOf(s, p)) {
			continue
		}
		b := &plan.Backend{}
		c.settle(b, s, p, nil)
		for _, d := range facing(b) {
			if d != nil && d.Peers == plan.Strict {
				c.problem(problem.WebhookBehindStrict, item.Ref, item.Origin, call.Field,
					"the Pods of "+s.item.Ref.String()+" take mutual TLS only ("+d.By.Ref.String()+"), and the API server is not in the mesh: it cannot call port "+strconv.Itoa(int(p.Port)),
					"label the Pods sidecar.istio.io/inject: \"false\", or annotate them "+annotation.SidecarTrafficExcludeInboundPorts.Name+": \""+strconv.Itoa(c.targetOf(s, p))+"\"")
				return
			}
		}
	}
}

// pastSidecar tells whether the Pods of a Service let a port of theirs pass their
// sidecars by.
func (c *compiler) pastSidecar(s *service, port int) bool {
	text := strconv.Itoa(port)
	listed := func(list string) bool {
		return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool { one = strings.TrimSpace(one); return one == text || one == "*" })
	}
	return slices.ContainsFunc(c.workloadsBehind(s), func(w object.Item[*object.Workload]) bool {
		notes := w.Object.PodAnnotations()
		include, some := notes[annotation.SidecarTrafficIncludeInboundPorts.Name]
		return listed(notes[annotation.SidecarTrafficExcludeInboundPorts.Name]) || some && !listed(include)
	})
}
