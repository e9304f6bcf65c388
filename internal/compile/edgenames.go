package compile

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// nameHosts gives hosts their further names: those of server-alias, and the
// twins with or without "www." that redirect to them.
func (e *edge) nameHosts() {
	taken := map[string]string{}
	for _, ing := range e.ingresses {
		for _, r := range ing.item.Object.Spec.Rules {
			// The first Ingress with aliases names them all.
			if h := e.hosts[hostName(r.Host)]; len(h.aliases) == 0 {
				h.aliases = e.aliases(h, ing, taken)
			}
		}
	}
	for _, t := range e.twins() {
		if taken[t.name] == "" {
			e.hosts[t.name] = t
		}
	}
}

// aliases are the names of an Ingress' server-alias that a host can have: exact
// ones that no rule names. Another host's alias stays the other's.
func (e *edge) aliases(h *edgeHost, ing *ingress, taken map[string]string) []string {
	var names []string
	for _, a := range ing.aliases {
		name := hostName(a)
		tell := func(why, remedy string) {
			e.c.problemAs(problem.Warning, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField("server-alias"), why, remedy)
		}
		switch {
		case strings.ContainsAny(a, "*~^$[](){}+?|&=\\/"):
			tell("the alias "+a+" is a pattern, which is not carried out", "name each host by itself, or use a rule for *.DOMAIN")
		case e.hosts[name] != nil && name != h.name:
			tell("the alias "+a+" has rules of its own, so it is no alias of "+h.name, "remove it from server-alias")
		case taken[name] != "" && taken[name] != h.name:
			tell("the alias "+a+" is already one of "+taken[name], "remove it from one of the two")
		case name != h.name && !slices.Contains(names, name):
			taken[name] = h.name
			names = append(names, name)
		}
	}
	return names
}
