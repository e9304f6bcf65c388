package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// routeFixes are for a request that no host or no route takes.
func (x *asking) routeFixes(h *plan.Hop) []Fix {
	if h.Host == nil || h.Host.Name == "*" && len(h.Host.Routes) == 0 || h.Listener.Dialect == plan.NGINX && h.Host.Name == "*" {
		return x.hostFixes(h)
	}
	var nearest *plan.Route
	best := -1
	for _, r := range h.Host.Routes {
		if why := r.Rule.Why(x.req); why != "" && r.Origin.Ref.Kind != "" {
			if n := x.routeNear(r, why); n > best {
				nearest, best = r, n
			}
		}
	}
	if nearest == nil {
		return x.hostFixes(h)
	}
	o := nearest.Origin
	why := nearest.Rule.Why(x.req)
	path := nearest.Rule.Path
	switch {
	case best == Close:
		return []Fix{{What: "the nearest rule fits but for this: " + why, Place: x.at(o, o.Field)}}
	case path.Value == x.req.Path+"/":
		f := Fix{What: "ask for " + path.Value + " with the slash, or send there who asks without", Place: x.at(o, o.Field)}
		if o.Ref.Kind == "VirtualService" {
			f.Place = x.at(o, "spec.http")
			f.YAML = "- match: [{uri: {exact: " + yamlText(x.req.Path) + "}}]\n  redirect: {uri: " + yamlText(path.Value) + "}"
		}
		return []Fix{f}
	}
	then := "add"
	if path, ok := meant(path.Value, x.req.Path); ok && nearest.Rule.Path.Op != match.Regex {
		then = "did you mean " + path + "? Or add"
	}
	f := Fix{What: "no rule takes " + x.req.Path + "; the nearest takes " + nearest.Rule.String() + "; " + then, Place: x.at(o, o.Field)}
	switch {
	case o.Ref.Kind == "VirtualService":
		field, _, _ := strings.Cut(o.Field, ".match")
		f.Place = x.at(o, field+".match")
		f.YAML = "- uri: {prefix: " + yamlText(x.req.Path) + "}"
	case o.Ref.Kind == "Ingress":
		field, _, _ := strings.Cut(o.Field, ".paths")
		f.Place = x.at(o, field+".paths")
		f.YAML = "- path: " + yamlText(x.req.Path) + "\n  pathType: Prefix\n  backend: {service: {name: SERVICE, port: {number: PORT}}}"
	}
	return []Fix{f}
}

// hostFixes are for a host that nothing is for.
func (x *asking) hostFixes(h *plan.Hop) []Fix {
	var names []string
	routes := map[string]*plan.Route{}
	for _, c := range h.Listener.Chains {
		for _, host := range c.Hosts {
			names = append(names, host.Name)
			for _, r := range host.Routes {
				if r.Origin.Ref.Kind != "" {
					routes[host.Name] = r
					break
				}
			}
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "*" })
	wanted := match.HostName(x.req.Host)
	if h.Listener.Key == plan.Edge && len(names) == 0 {
		return []Fix{{What: "no Ingress leads into the edge for any host: name its file too" + x.gateways()}}
	}
	what := "nothing is for the host " + wanted + "; there is " + atMost(names, 5)
	near, ok := problem.Nearest(wanted, names)
	if !ok {
		return []Fix{{What: what}}
	}
	f := Fix{What: what + "; did you mean " + near + "? Or add the host"}
	if r := routes[near]; r != nil {
		field := "spec.hosts"
		f.YAML = "- " + wanted
		if r.Origin.Ref.Kind == "Ingress" {
			field, f.YAML = "spec.rules", "- host: "+wanted+"\n  http: {paths: [...]}"
		}
		f.Place = x.at(r.Origin, field)
	}
	return []Fix{f}
}

// gateways offers to ask at the gateways themselves, or is "".
func (x *asking) gateways() string {
	var keys []string
	for _, l := range x.ground.Plan.Listeners() {
		if l.Key != plan.Edge && l.Dialect == plan.Envoy {
			keys = append(keys, "--via "+l.Key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return ", or ask at a gateway: " + atMost(keys, 5)
}

func atMost(names []string, most int) string {
	switch {
	case len(names) == 0:
		return "no host at all"
	case len(names) > most:
		return strings.Join(names[:most], ", ") + " and " + strconv.Itoa(len(names)-most) + " more"
	}
	return strings.Join(names, ", ")
}

// backendFixes are for a destination that cannot be reached.
func (x *asking) backendFixes(h *plan.Hop) []Fix {
	b := h.To.Backend
	o := h.To.Origin
	if o.Ref.Kind == "" {
		o = h.Route.Origin
	}
	switch {
	case b.Missing != "":
		if all := x.problemFixes(o); len(all) > 0 {
			return all
		}
		return []Fix{{What: b.Missing, Place: x.at(o, o.Field)}}
	case b.Next == nil && len(b.Endpoints) == 0:
		return x.endpointFixes(b)
	}
	return append(x.problemFixes(o), x.lockedFixes(h, b)...)
}

// lockedFixes are for a workload whose sidecar takes no such connection.
func (x *asking) lockedFixes(h *plan.Hop, b *plan.Backend) (all []Fix) {
	for _, p := range x.ground.Problems { // of how the gateway is to speak to it
		if h.Listener.Dialect == plan.Envoy && p.Code == problem.DRTLSConflict && strings.HasPrefix(p.Object, "DestinationRule "+b.Service.Namespace+"/") {
			found := problem.List{p}
			x.ground.Source.Point(found)
			all = append(all, Fix{What: p.Remedy, Place: &Place{Object: p.Object, Field: p.Field, File: p.File, Line: found[0].Line}})
		}
	}
	if b.Sidecar == nil || b.Sidecar.Door.Peers != plan.Strict {
		return all
	}
	if h.Listener.Dialect == plan.Service {
		all = append(all, Fix{What: "come from a Pod with a sidecar; to ask as one: --as system:serviceaccount:NAMESPACE:NAME"})
	}
	if by := b.Sidecar.Door.By; by.Ref.Kind != "" {
		all = append(all, Fix{What: "take plain text as well", Place: x.at(by, "spec.mtls.mode"), YAML: "mtls: {mode: PERMISSIVE}"})
	}
	return all
}

// endpointFixes are for a Service without a ready endpoint.
func (x *asking) endpointFixes(b *plan.Backend) []Fix {
	at := &Place{Object: b.Origin.Ref.String(), File: b.Origin.Origin.File, Line: b.Origin.Origin.Line}
	if x.ground.Set == nil || b.Service.Name == "" {
		return []Fix{{What: "no endpoint of " + b.Origin.Ref.String() + " is ready: look at its Pods", Place: at}}
	}
	s, ok := x.ground.Set.Services.Get(b.Service.Namespace, b.Service.Name)
	if !ok {
		return nil
	}
	selector := s.Object.Spec.Selector
	if len(selector) == 0 {
		return []Fix{{What: "the Service selects no Pods, and nothing lists its endpoints; give it a selector or an EndpointSlice, or attach a local process with --endpoint", Place: x.at(b.Origin, "spec")}}
	}
	var behind, others []object.Item[*object.Workload]
	for _, w := range x.ground.Set.Workloads.In(b.Service.Namespace) {
		if w.Object.Selects(selector) {
			behind = append(behind, w)
		} else {
			others = append(others, w)
		}
	}
	if len(behind) == 0 {
		return x.selectorFix(b, others)
	}
	w := behind[0]
	switch {
	case w.Object.Replicas != nil && *w.Object.Replicas == 0:
		return []Fix{{What: w.Ref.String() + " is scaled to none", Place: x.at(plan.Origin{Ref: w.Ref, Origin: w.Origin}, "spec.replicas"), YAML: "replicas: 1"}}
	case b.Subset != "":
		return []Fix{{What: "no Pods of " + w.Ref.String() + " have the labels of subset " + b.Subset + "; they have " + labels(w.Object.PodLabels()), Place: x.at(plan.Origin{Ref: w.Ref, Origin: w.Origin}, "spec.template.metadata.labels")}}
	}
	var ports []string
	for p := range w.Object.Ports() {
		ports = append(ports, strings.TrimSpace(strconv.Itoa(int(p.ContainerPort))+" "+p.Name))
	}
	for i, p := range s.Object.Spec.Ports {
		if int(p.Port) == b.Port {
			return []Fix{{What: "no container port of " + w.Ref.String() + " is named " + p.TargetPort.String() + "; there is " + atMost(ports, 5),
				Place: x.at(b.Origin, "spec.ports["+strconv.Itoa(i)+"].targetPort")}}
		}
	}
	return []Fix{{What: "no Pod of " + w.Ref.String() + " is ready", Place: at}}
}

// selectorFix is for a Service whose selector no workload fits.
func (x *asking) selectorFix(b *plan.Backend, others []object.Item[*object.Workload]) []Fix {
	at := x.at(b.Origin, "spec.selector")
	if len(others) == 0 {
		return []Fix{{What: "namespace " + b.Service.Namespace + " has no workload", Place: at}}
	}
	best := others[0]
	for _, w := range others { // by name
		if w.Ref.Name == b.Service.Name {
			best = w
		}
	}
	return []Fix{{What: "no Pods have the Service's labels; those of " + best.Ref.String() + " have", Place: at, YAML: "selector: {" + labels(best.Object.PodLabels()) + "}"}}
}

// labels is "a: b, c: d".
func labels(m map[string]string) string {
	var parts []string
	for k, v := range m {
		parts = append(parts, k+": "+yamlText(v))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// yamlText writes a text as YAML has it, in quotes where it must be.
func yamlText(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./", r))
	}) < 0
	if _, err := strconv.ParseFloat(s, 64); plain && err != nil && s != "true" && s != "false" && s != "yes" && s != "no" && s != "on" && s != "off" && s != "null" && s[0] != '-' {
		return s
	}
	return strconv.Quote(s)
}
