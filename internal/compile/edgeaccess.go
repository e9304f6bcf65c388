package compile

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// sourceRanges are what the annotations of an Ingress ask for about clients' addresses.
type sourceRanges struct {
	allow, deny []netip.Prefix
	// allowlist says that allowlist-source-range is there: then its older name,
	// whitelist-source-range, counts for nothing.
	allowlist bool
}

// access are the guards of a location that judge who asks, and how often. What has
// no endpoint answers before them (ingress-nginx, balancer.rewrite).
func (e *edge) access(h *edgeHost, ing *ingress, path string, s *settings, to *plan.Backend, origin plan.Origin) []plan.Guard {
	guards := s.limits.guards(ing, e.config.limitStatus, e.config.connStatus, origin)
	var who []plan.Guard
	if len(s.allow)+len(s.deny) > 0 {
		who = append(who, &plan.Addresses{Allow: s.allow, Deny: s.deny, Origin: origin})
	}
	asked := ing != nil && !e.config.listed(e.config.noAuth, path)
	if asked && ing.users != nil {
		who = append(who, ing.users)
	}
	if asked && ing.authorizer != nil {
		who = append(who, e.authAt(h, ing))
	}
	if s.authURL.any && len(who) > 1 {
		who = []plan.Guard{&plan.AnyOf{Guards: who}}
	}
	guards = append(guards, who...)
	if to != nil && len(guards) > 0 {
		guards = append([]plan.Guard{&plan.Reachable{Backend: to}}, guards...)
	}
	return guards
}

var (
	answerHeader      = regexp.MustCompile(`^[-_a-zA-Z0-9]+$`)
	answerHeaderValue = regexp.MustCompile("^[-a-zA-Z0-9_ :;.,\\\\/\"'?!(){}\\[\\]@<>=+*#$&`|~^%]+$")
)

// readCustomHeaders reads the ConfigMap of custom-headers: each name must be one
// of the controller's global-allowed-response-headers, or the paths are closed.
func (e *edge) readCustomHeaders(ing *ingress) {
	if ing.customHeaders == "" {
		return
	}
	namespace, name, ok := strings.Cut(ing.customHeaders, "/")
	item, found := e.c.set.ConfigMaps.Get(namespace, name)
	why := ""
	if !ok || !found {
		why = "there is no ConfigMap " + ing.customHeaders
	} else {
		for _, key := range sortedKeys(item.Object.Data) {
			value := item.Object.Data[key]
			switch {
			case !answerHeader.MatchString(key) || !answerHeaderValue.MatchString(value):
				why = "ConfigMap " + ing.customHeaders + " has no good name or value in " + key
			case !slices.Contains(e.config.allowedHeaders, key):
				why = "the header " + key + " is not one of the controller's global-allowed-response-headers"
			}
			ing.answer = append(ing.answer, header.Field{Name: strings.ToLower(key), Value: value})
		}
	}
	if why != "" {
		if ing.closed == "" {
			ing.closed = why
		}
		e.c.problemAs(problem.Error, problem.IngressAnnotationValue, ing.item.Ref, ing.item.Origin, annotationField("custom-headers"),
			why+"; all paths of the Ingress answer 503, as ingress-nginx has it", "name a ConfigMap of headers that the controller allows")
	}
}
