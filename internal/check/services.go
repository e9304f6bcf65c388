package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// services calls yield for each Service that is no gateway's.
func (p *Pass) services(yield func(object.Item[*corev1.Service])) {
	for _, s := range p.Set.Services.All() {
		if !p.IsGateway(s.Ref) {
			yield(s)
		}
	}
}

// serviceSelectsNothing: requests go to a Service that no workload is behind.
func serviceSelectsNothing(p *Pass) {
	backed := map[object.Ref]bool{} // by addresses
	for _, e := range p.Set.EndpointSlices.All() {
		backed[object.Ref{Kind: "Service", Namespace: e.Ref.Namespace, Name: e.Object.Labels[discoveryv1.LabelServiceName]}] = true
	}
	for _, e := range p.Set.Endpoints.All() {
		backed[object.Ref{Kind: "Service", Namespace: e.Ref.Namespace, Name: e.Ref.Name}] = true
	}
	for _, b := range p.Plan.Backends() {
		s, ok := p.Set.Services.Get(b.Service.Namespace, b.Service.Name)
		if !ok || p.IsGateway(s.Ref) || backed[s.Ref] || len(b.Endpoints) > 0 || object.IsExternalName(s.Object) || len(s.Object.Spec.Selector) == 0 {
			continue
		}
		have := p.Set.Workloads.In(s.Ref.Namespace)
		if len(have) == 0 || len(p.Behind(s)) > 0 {
			continue
		}
		var names []string
		for _, w := range have[:min(3, len(have))] {
			names = append(names, w.Ref.Kind+" "+w.Ref.Name+" with "+labels(w.Object.PodLabels()))
		}
		p.report(fieldOf(s, "spec.selector"), "no Pods have the labels "+labels(s.Object.Spec.Selector)+", so requests to it get 503; there is "+strings.Join(names, ", "),
			"use the labels of the Pods that are meant")
	}
}

// labels is "a: b, c: d".
func labels(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+": "+m[k])
	}
	return strings.Join(parts, ", ")
}

// targetPortNotFound: a Service leads to a port that its workloads do not name.
func targetPortNotFound(p *Pass) {
	p.services(func(s object.Item[*corev1.Service]) {
		behind := p.Behind(s)
		if len(behind) == 0 {
			return
		}
		names, numbers := map[string]bool{}, map[int32]bool{}
		for _, w := range behind {
			for c := range w.Object.Ports() {
				names[c.Name], numbers[c.ContainerPort] = true, true
			}
		}
		for i, port := range s.Object.Spec.Ports {
			target := object.TargetPort(port)
			field := fieldOf(s, "spec.ports["+strconv.Itoa(i)+"].targetPort")
			switch {
			case target.Type == intstr.String && !names[target.StrVal]:
				delete(names, "")
				have := slices.Sorted(maps.Keys(names))
				near := ""
				if n, ok := problem.Nearest(target.StrVal, have); ok {
					near = "; did you mean " + n + "?"
				}
				p.report(field, "no container port of "+behind[0].Ref.String()+" is named "+target.StrVal+"; there is "+listed(have, "no named port")+near,
					"name the container port: - {name: "+target.StrVal+", containerPort: NUMBER}")
			case target.Type == intstr.Int && len(numbers) > 0 && !numbers[target.IntVal]:
				p.reportAs(problem.Info, field, fmt.Sprintf("port %d is no container port of %s; it may be open all the same", target.IntVal, behind[0].Ref),
					fmt.Sprintf("list it: - {containerPort: %d}", target.IntVal))
			}
		}
	})
}

func listed(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// portNameConvention: Istio has to guess what a port speaks.
func portNameConvention(p *Pass) {
	p.services(func(s object.Item[*corev1.Service]) {
		if object.IsExternalName(s.Object) || slices.Contains(systemNamespaces(), s.Ref.Namespace) {
			return
		}
		for i, port := range s.Object.Spec.Ports {
			if object.PortProtocol(port) != corev1.ProtocolTCP || spoken(port) != "" {
				continue
			}
			severity, message := problem.Info, "neither the name nor appProtocol of port "+strconv.Itoa(int(port.Port))+" says what it speaks, so Istio guesses from its first bytes"
			if serverFirst(port.Port) && p.meshed(s) {
				severity, message = problem.Warning, message+"; here the server speaks first, so connections wait for the guess"
			}
			p.reportAs(severity, fieldOf(s, "spec.ports["+strconv.Itoa(i)+"].name"), message, "name it as what it speaks, such as http-NAME, or set appProtocol")
		}
	})
}

// systemNamespaces are those whose Services nobody can rename, as Istio's analysis
// has them.
func systemNamespaces() []string {
	return []string{"kube-system", "kube-public", "kube-node-lease", "local-path-storage", "istio-system"}
}

// serverFirst tells the ports of protocols in which the server speaks first: FTP,
// SSH, POP3, IMAP, submission. Istio knows those of SMTP and MySQL by their numbers.
func serverFirst(port int32) bool { return slices.Contains([]int32{21, 22, 110, 143, 587}, port) }

// meshed tells whether some Pods behind a Service have a sidecar, as far as the
// labels of Namespace and Pods tell.
func (p *Pass) meshed(s object.Item[*corev1.Service]) bool {
	ns, _ := p.Set.Namespaces.Get("", s.Ref.Namespace)
	injected := ns.Object != nil && ns.Object.Labels["istio-injection"] == "enabled"
	return slices.ContainsFunc(p.Behind(s), func(w object.Item[*object.Workload]) bool {
		own, ok := w.Object.PodLabels()["sidecar.istio.io/inject"]
		return ok && own == "true" || !ok && injected
	})
}

// spoken is the protocol that a Service port tells by appProtocol or by its name,
// as Istio reads them: http, http2, https, grpc, tcp and so on; "" none.
func spoken(port corev1.ServicePort) string {
	if app := port.AppProtocol; app != nil {
		switch name := strings.ToLower(*app); name {
		case "kubernetes.io/h2c":
			return "http2"
		case "kubernetes.io/ws":
			return "http"
		case "kubernetes.io/wss":
			return "https"
		default:
			return known(name)
		}
	}
	name := strings.ToLower(port.Name)
	if name == "grpc-web" || strings.HasPrefix(name, "grpc-web-") {
		return "grpc-web"
	}
	name, _, _ = strings.Cut(name, "-")
	return known(name)
}

func known(protocol string) string {
	switch protocol {
	case "http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "udp", "mongo", "redis", "mysql":
		return protocol
	}
	return ""
}

// externalNamePortName: requests to an alias are HTTP only if its port says so.
func externalNamePortName(p *Pass) {
	p.services(func(s object.Item[*corev1.Service]) {
		if !object.IsExternalName(s.Object) {
			return
		}
		for i, port := range s.Object.Spec.Ports {
			if name := spoken(port); name == "" || name == "tcp" {
				p.report(fieldOf(s, "spec.ports["+strconv.Itoa(i)+"].name"), "a sidecar takes port "+strconv.Itoa(int(port.Port))+" of an ExternalName Service for plain TCP, to all addresses",
					"name it http or https")
			}
		}
	})
}

// multiServiceConflict: two Services of one workload tell different things of it.
func multiServiceConflict(p *Pass) {
	type seen struct {
		service object.Ref
		port    corev1.ServicePort
	}
	ports := map[object.Ref][]seen{}
	workloads := map[object.Ref]object.Item[*object.Workload]{}
	p.services(func(s object.Item[*corev1.Service]) {
		if object.IsHeadless(s.Object) {
			return // its ports are those of the Pods
		}
		for _, w := range p.Behind(s) {
			workloads[w.Ref] = w
			for _, port := range s.Object.Spec.Ports {
				for _, other := range ports[w.Ref] {
					if other.service == s.Ref {
						continue
					}
					both := other.service.String() + " and " + s.Ref.String()
					switch {
					case other.port.Port == port.Port && object.PortProtocol(other.port) != object.PortProtocol(port):
						p.report(fieldOf(w, ""), fmt.Sprintf("%s have port %d with different protocols", both, port.Port), "give both Services the same protocol")
					case object.TargetPort(other.port) == object.TargetPort(port) && other.port.Port != port.Port && object.PortProtocol(other.port) == object.PortProtocol(port):
						p.reportIstio("IST0137", problem.Warning, fieldOf(w, ""), fmt.Sprintf("%s lead to its port %s from different ports, %d and %d", both, targetText(port), other.port.Port, port.Port),
							"give both Services the same port")
					}
				}
				ports[w.Ref] = append(ports[w.Ref], seen{s.Ref, port})
			}
		}
	})
}

func targetText(p corev1.ServicePort) string {
	t := object.TargetPort(p)
	return t.String()
}

// uid1337: a sidecar lets the traffic of its own user pass.
func uid1337(p *Pass) {
	const user = 1337
	for _, w := range p.Set.Workloads.All() {
		spec := &w.Object.Template.Spec
		root := "spec.template.spec"
		switch w.Ref.Kind {
		case "Pod":
			root = "spec"
		case "CronJob":
			root = "spec.jobTemplate.spec.template.spec"
		}
		for i, c := range spec.Containers {
			if c.Name == "istio-proxy" {
				continue
			}
			own := c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil
			field := root + ".containers[" + strconv.Itoa(i) + "].securityContext.runAsUser"
			switch {
			case own && *c.SecurityContext.RunAsUser != user:
				continue
			case !own && (spec.SecurityContext == nil || spec.SecurityContext.RunAsUser == nil || *spec.SecurityContext.RunAsUser != user):
				continue
			case !own:
				field = root + ".securityContext.runAsUser"
			}
			p.report(fieldOf(w, field), "container "+c.Name+" runs as user 1337, which is the sidecar's own: its traffic goes past the sidecar", "use another user, such as 1000")
		}
	}
}
