package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// suppressAnnotation lists, joined by commas, the codes that are not to be
// reported of an object: slugs, Istio's codes, or * for all.
const suppressAnnotation = "galley.istio.io/analyze-suppress"

// Suppression leaves out the findings of a code on an object.
type Suppression struct {
	Code   string // a slug or Istio's code
	Object string // as findings name it; * stands for any letters but a slash
}

// ParseSuppression reads SLUG=OBJECT, as in "gateway-not-found=VirtualService shop/*".
func ParseSuppression(s string) (Suppression, error) {
	code, name, ok := strings.Cut(s, "=")
	if !ok || code == "" || name == "" {
		return Suppression{}, fmt.Errorf("%q is not CODE=OBJECT", s)
	}
	if _, err := path.Match(name, ""); err != nil {
		return Suppression{}, fmt.Errorf("%q is no pattern of an object's name: %w", name, err)
	}
	known := slices.ContainsFunc(problem.Codes(), func(c problem.Code) bool { return code == c.Slug || code == c.Istio })
	if !known && code != "*" {
		return Suppression{}, fmt.Errorf("there is no code %s", code)
	}
	return Suppression{code, name}, nil
}

// Suppress leaves out what the suppressions name, and what annotations of the
// set's objects do. The set may be nil.
func Suppress(l problem.List, set *object.Set, by []Suppression) problem.List {
	noted := annotated(set)
	return slices.DeleteFunc(slices.Clone(l), func(p problem.Problem) bool {
		for _, code := range noted[p.Object] {
			if is(p, code) {
				return true
			}
		}
		return slices.ContainsFunc(by, func(s Suppression) bool {
			fits, err := path.Match(s.Object, p.Object)
			return is(p, s.Code) && (err == nil && fits || s.Object == "*")
		})
	})
}

func is(p problem.Problem, code string) bool {
	return code == "*" || code == p.Code || code == p.Istio && code != ""
}

// annotated are the codes that objects, by name, do not want to hear.
func annotated(set *object.Set) map[string][]string {
	noted := map[string][]string{}
	if set != nil {
		everything(set, func(x object.Item[metav1.Object]) {
			for code := range strings.SplitSeq(x.Object.GetAnnotations()[suppressAnnotation], ",") {
				if code = strings.TrimSpace(code); code != "" {
					noted[x.Ref.String()] = append(noted[x.Ref.String()], code)
				}
			}
		})
	}
	return noted
}

// everything calls yield for each object of a set.
func everything(set *object.Set, yield func(object.Item[metav1.Object])) {
	each(set.Namespaces, yield)
	each(set.Services, yield)
	each(set.EndpointSlices, yield)
	each(set.Endpoints, yield)
	each(set.Workloads, yield) // bare Pods are among them
	each(set.ServiceAccounts, yield)
	each(set.Secrets, yield)
	each(set.ConfigMaps, yield)
	each(set.IngressClasses, yield)
	each(set.Ingresses, yield)
	each(set.Gateways, yield)
	each(set.VirtualServices, yield)
	each(set.DestinationRules, yield)
	each(set.ServiceEntries, yield)
	each(set.Sidecars, yield)
	each(set.RequestAuthentications, yield)
	each(set.AuthorizationPolicies, yield)
	each(set.PeerAuthentications, yield)
	each(set.Certificates, yield)
	each(set.Issuers, yield)
	each(set.ClusterIssuers, yield)
	each(set.Webhooks, yield)
	each(set.APIKeySets, yield)
	each(set.LoginProviders, yield)
}

func each[T metav1.Object](c object.Collection[T], yield func(object.Item[metav1.Object])) {
	for _, item := range c.All() {
		yield(object.Item[metav1.Object]{Ref: item.Ref, Origin: item.Origin, NoNamespace: item.NoNamespace, Object: item.Object})
	}
}
