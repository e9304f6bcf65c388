package compile

import (
	"strconv"

	netv1 "k8s.io/api/networking/v1"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// standIn is the backend of default-backend, the first port of a Service, for a
// location whose own has no endpoints; nil where it cannot serve either.
func (e *edge) standIn(l *location) *plan.Backend {
	ing := l.ingress
	s := e.c.service(ing.item.Ref.Namespace, ing.defaultBackend)
	if s == nil || len(s.item.Object.Spec.Ports) == 0 {
		return nil
	}
	port := netv1.ServiceBackendPort{Number: s.item.Object.Spec.Ports[0].Port}
	b := e.backend(&location{path: l.path, ingress: ing, field: l.field, backendField: annotationField("default-backend"),
		backend: &netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: ing.defaultBackend, Port: port}}}, plainHTTP)
	if !serves(b) {
		return nil
	}
	return b
}

// told are the fields by which the stand-in learns what it stands in for
// (template, custom-default-backend).
func (l *location) told() *plan.HeaderRoute {
	accept, _ := plan.ParseValue("%REQ(accept)%")
	svc := l.backend.Service
	port := svc.Port.Name
	if svc.Port.Number != 0 {
		port = strconv.Itoa(int(svc.Port.Number))
	}
	var edits plan.HeaderEdits
	set := func(name string, v plan.Value) {
		edits.Remove = append(edits.Remove, name)
		edits.Set = append(edits.Set, plan.HeaderValue{Name: name, Value: v})
	}
	set("x-code", plan.Literal("503"))
	set("x-format", accept)
	set("x-namespace", plan.Literal(l.ingress.item.Ref.Namespace))
	set("x-ingress-name", plan.Literal(l.ingress.item.Ref.Name))
	set("x-service-name", plan.Literal(svc.Name))
	set("x-service-port", plan.Literal(port))
	return &plan.HeaderRoute{Headers: plan.Headers{Request: edits}}
}

// noStandIn reports a default-backend that is no Service: it counts as none.
func (e *edge) noStandIn(ing *ingress) {
	ref := ing.item.Ref
	if ing.defaultBackend == "" || e.c.service(ref.Namespace, ing.defaultBackend) != nil {
		return
	}
	names := e.c.serviceNames(ref.Namespace)
	e.c.problemAs(problem.Warning, problem.IngressServiceNotFound, ref, ing.item.Origin, annotationField("default-backend"),
		"there is no Service "+ing.defaultBackend+" in namespace "+ref.Namespace+nearest(ing.defaultBackend, names)+"; nothing stands in for missing endpoints",
		"name a Service of the Ingress' own namespace")
}
