package object

import (
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"

	doorwardv1alpha1 "github.com/doorward/doorward/api/v1alpha1"
)

// Set is an immutable snapshot of objects by kind.
type Set struct {
	Namespaces      Collection[*corev1.Namespace]
	Services        Collection[*corev1.Service]
	EndpointSlices  Collection[*discoveryv1.EndpointSlice]
	Endpoints       Collection[*corev1.Endpoints]
	Pods            Collection[*corev1.Pod]
	Workloads       Collection[*Workload]
	ServiceAccounts Collection[*corev1.ServiceAccount]
	Secrets         Collection[*corev1.Secret]
	ConfigMaps      Collection[*corev1.ConfigMap]
	IngressClasses  Collection[*netv1.IngressClass]
	Ingresses       Collection[*netv1.Ingress]

	Gateways         Collection[*networkingv1.Gateway]
	VirtualServices  Collection[*networkingv1.VirtualService]
	DestinationRules Collection[*networkingv1.DestinationRule]
	ServiceEntries   Collection[*networkingv1.ServiceEntry]
	Sidecars         Collection[*networkingv1.Sidecar]

	RequestAuthentications Collection[*securityv1.RequestAuthentication]
	AuthorizationPolicies  Collection[*securityv1.AuthorizationPolicy]
	PeerAuthentications    Collection[*securityv1.PeerAuthentication]

	Certificates   Collection[*Certificate]
	Issuers        Collection[*Issuer]
	ClusterIssuers Collection[*Issuer]
	Webhooks       Collection[*Webhook]

	APIKeySets     Collection[*doorwardv1alpha1.APIKeySet]
	LoginProviders Collection[*doorwardv1alpha1.LoginProvider]

	// Others counts the objects of kinds that Doorward does not read, by
	// kind, with the API group for kinds outside the core ("Role.rbac.authorization.k8s.io").
	Others map[string]int
}

// Len is the number of objects read. A bare Pod, which is also a workload,
// counts once; Others do not count.
func (s *Set) Len() int {
	bare := 0
	for _, w := range s.Workloads.All() {
		if w.Ref.Kind == "Pod" {
			bare++
		}
	}
	return s.Namespaces.Len() + s.Services.Len() + s.EndpointSlices.Len() + s.Endpoints.Len() +
		s.Pods.Len() + s.Workloads.Len() - bare + s.ServiceAccounts.Len() + s.Secrets.Len() +
		s.ConfigMaps.Len() + s.IngressClasses.Len() + s.Ingresses.Len() +
		s.Gateways.Len() + s.VirtualServices.Len() + s.DestinationRules.Len() +
		s.ServiceEntries.Len() + s.Sidecars.Len() + s.RequestAuthentications.Len() +
		s.AuthorizationPolicies.Len() + s.PeerAuthentications.Len() +
		s.Certificates.Len() + s.Issuers.Len() + s.ClusterIssuers.Len() + s.Webhooks.Len() +
		s.APIKeySets.Len() + s.LoginProviders.Len()
}
