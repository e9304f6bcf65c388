package check

import (
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// authzSourceNotFound: a policy is about a namespace or a service account that
// does not exist.
func authzSourceNotFound(p *Pass) {
	have := p.namespaces()
	seen := map[*plan.PolicyRule]bool{}
	p.workloads(func(_ *plan.Listener, g guarding) {
		for _, r := range append(g.rules(), g.logins...) {
			if seen[r] || r.Never {
				continue
			}
			seen[r] = true
			for n, all := range r.From {
				for i := range all {
					p.sources(inside(r.Origin, ".from["+strconv.Itoa(n)+"].source"), &all[i], have)
				}
			}
		}
	})
}

// namespaces are those that the set declares or puts something into.
func (p *Pass) namespaces() map[string]bool {
	have := map[string]bool{object.DefaultNamespace: true, "kube-system": true, "kube-public": true, "kube-node-lease": true}
	everything(p.Set, func(x object.Item[metav1.Object]) {
		if x.Ref.Kind == "Namespace" {
			have[x.Ref.Name] = true
		} else if x.Ref.Namespace != "" {
			have[x.Ref.Namespace] = true
		}
	})
	return have
}

func (p *Pass) sources(field plan.Origin, c *match.PolicyCondition, have map[string]bool) {
	for i, v := range c.Values {
		index := "[" + strconv.Itoa(i) + "]"
		switch {
		case strings.Contains(v.Written, "*"):
		case c.Fact == match.FactNamespace:
			p.namespaceOf(inside(field, ".namespaces"+index), v.Written, v.Written, have)
		case c.Fact == match.FactPrincipal:
			parts := strings.Split(v.Written, "/")
			if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
				continue
			}
			at := inside(field, ".principals"+index)
			if p.namespaceOf(at, v.Written, parts[2], have) {
				p.accountOf(at, v.Written, parts[2], parts[4])
			}
		}
	}
}

func (p *Pass) namespaceOf(at plan.Origin, written, namespace string, have map[string]bool) bool {
	if have[namespace] {
		return true
	}
	var names []string
	for name := range have {
		names = append(names, name)
	}
	p.reportAs(p.among(p.Set.Namespaces.Len()), at, written+": there is no namespace "+namespace+nearest(namespace, names)+"; nobody comes from there",
		"correct the name of the namespace")
	return false
}

// accountOf reports a service account that is not there, in a namespace whose
// accounts or workloads are.
func (p *Pass) accountOf(at plan.Origin, written, namespace, account string) {
	names := []string{"default"}
	for _, item := range p.Set.ServiceAccounts.In(namespace) {
		names = append(names, item.Ref.Name)
	}
	for _, w := range p.Set.Workloads.In(namespace) {
		names = append(names, w.Object.ServiceAccount())
	}
	for _, name := range names {
		if name == account {
			return
		}
	}
	severity := p.among(p.Set.ServiceAccounts.Len())
	if len(names) == 1 {
		severity = problem.Info // the files have nothing of that namespace to tell by
	}
	p.reportAs(severity, at, written+": there is no service account "+account+" in namespace "+namespace+nearest(account, names)+"; nobody has that identity",
		"correct the name of the service account")
}

func nearest(name string, have []string) string {
	slices.Sort(have) // they may come from a map
	if near, ok := problem.Nearest(name, have); ok {
		return "; did you mean " + near + "?"
	}
	return ""
}

// mtlsIdentityNeverPresent: compile tells of gateways; here are workloads whose
// sidecars take plain text only.
func mtlsIdentityNeverPresent(p *Pass) {
	p.workloads(func(l *plan.Listener, g guarding) {
		why, remedy := "", "let the PeerAuthentication take mutual TLS, or use ipBlocks"
		switch {
		case l.Door == nil:
		case l.Door.Peers == plan.PlainOnly:
			why = l.Title() + ", which takes plain text only (" + l.Door.By.Ref.String() + ")"
		case l.Door.Peers != plan.Strict && p.fromEdgeOnly(l):
			why, remedy = l.Title()+", to which only the edge leads, in plain text", "lead the requests through the gateway, or use ipBlocks"
		}
		if why == "" {
			return
		}
		for _, r := range g.rules() {
			for _, all := range append(r.From[:len(r.From):len(r.From)], r.When) {
				for i := range all {
					if c := &all[i]; c.Fact <= match.FactTrustDomain && len(c.Values) > 0 && !r.Never {
						p.report(r.Origin, c.String()+" never holds at "+why+": its callers have no identity", remedy)
					}
				}
			}
		}
	})
}

// fromEdgeOnly tells whether the edge leads to a sidecar, and no gateway does.
func (p *Pass) fromEdgeOnly(door *plan.Listener) bool {
	all := p.arrivals()[door]
	return len(all) > 0 && !slices.ContainsFunc(all, func(a arrival) bool { return a.listener.Dialect != plan.NGINX })
}
