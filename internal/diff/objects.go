package diff

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/internal/object"
)

// written is an object as JSON, and where it was written.
type written struct {
	text   string
	origin object.Origin
}

// find finds an object of a set. It is false where there is none, or its kind is not read.
func find(s *object.Set, ref object.Ref) (written, bool) {
	switch {
	case s == nil:
		return written{}, false
	case ref.Kind == "VirtualService":
		return in(s.VirtualServices, ref)
	case ref.Kind == "Ingress":
		return in(s.Ingresses, ref)
	case ref.Kind == "AuthorizationPolicy":
		return in(s.AuthorizationPolicies, ref)
	case ref.Kind == "RequestAuthentication":
		return in(s.RequestAuthentications, ref)
	case ref.Kind == "PeerAuthentication":
		return in(s.PeerAuthentications, ref)
	case ref.Kind == "Gateway":
		return in(s.Gateways, ref)
	case ref.Kind == "DestinationRule":
		return in(s.DestinationRules, ref)
	case ref.Kind == "ServiceEntry":
		return in(s.ServiceEntries, ref)
	case ref.Kind == "Service":
		return in(s.Services, ref)
	case ref.Kind == "EndpointSlice":
		return in(s.EndpointSlices, ref)
	case ref.Kind == "Endpoints":
		return in(s.Endpoints, ref)
	case ref.Kind == "Namespace":
		return in(s.Namespaces, ref)
	case ref.Kind == "ConfigMap":
		return in(s.ConfigMaps, ref)
	case ref.Kind == "APIKeySet":
		return in(s.APIKeySets, ref)
	case ref.Kind == "LoginProvider":
		return in(s.LoginProviders, ref)
	}
	return in(s.Workloads, ref)
}

func in[T metav1.Object](c object.Collection[T], ref object.Ref) (written, bool) {
	for _, item := range c.In(ref.Namespace) {
		if item.Ref == ref {
			text, err := json.Marshal(item.Object)
			return written{string(text), item.Origin}, err == nil
		}
	}
	return written{}, false
}
