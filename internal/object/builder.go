package object

import (
	"maps"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	doorwardv1alpha1 "github.com/doorward/doorward/api/v1alpha1"
)

// Builder collects objects for a Set. The zero value is ready. An object
// added twice replaces the first, as the last applied wins on a cluster. The
// objects belong to the builder once they are added: a namespaced object
// without metadata.namespace is put into DefaultNamespace.
type Builder struct {
	namespaces      map[Ref]Item[*corev1.Namespace]
	services        map[Ref]Item[*corev1.Service]
	endpointSlices  map[Ref]Item[*discoveryv1.EndpointSlice]
	endpoints       map[Ref]Item[*corev1.Endpoints]
	pods            map[Ref]Item[*corev1.Pod]
	workloads       map[Ref]Item[*Workload]
	serviceAccounts map[Ref]Item[*corev1.ServiceAccount]
	secrets         map[Ref]Item[*corev1.Secret]
	configMaps      map[Ref]Item[*corev1.ConfigMap]
	ingressClasses  map[Ref]Item[*netv1.IngressClass]
	ingresses       map[Ref]Item[*netv1.Ingress]

	gateways         map[Ref]Item[*networkingv1.Gateway]
	virtualServices  map[Ref]Item[*networkingv1.VirtualService]
	destinationRules map[Ref]Item[*networkingv1.DestinationRule]
	serviceEntries   map[Ref]Item[*networkingv1.ServiceEntry]
	sidecars         map[Ref]Item[*networkingv1.Sidecar]

	requestAuthentications map[Ref]Item[*securityv1.RequestAuthentication]
	authorizationPolicies  map[Ref]Item[*securityv1.AuthorizationPolicy]
	peerAuthentications    map[Ref]Item[*securityv1.PeerAuthentication]

	certificates   map[Ref]Item[*Certificate]
	issuers        map[Ref]Item[*Issuer]
	clusterIssuers map[Ref]Item[*Issuer]
	webhooks       map[Ref]Item[*Webhook]

	apiKeySets     map[Ref]Item[*doorwardv1alpha1.APIKeySet]
	loginProviders map[Ref]Item[*doorwardv1alpha1.LoginProvider]

	others map[string]int
}

// Add takes an object, a pointer to one of the published API types, and
// returns its Ref. It is false when the type is none that a Set holds.
func (b *Builder) Add(obj any, origin Origin) (Ref, bool) { return b.AddAs(obj, origin, false) }

// AddAs is Add for an object that may have been in another builder, which gave it the
// namespace that was left out (noNamespace). It is not changed again.
func (b *Builder) AddAs(obj any, origin Origin, noNamespace bool) (Ref, bool) {
	at := written{origin, noNamespace}
	if kind, w := workloadOf(obj); w != nil {
		if noNamespace { // a bare Pod is its own template, as it was written
			w.Template.Namespace = ""
		}
		ref := put(&b.workloads, kind, w, at)
		if pod, ok := obj.(*corev1.Pod); ok {
			put(&b.pods, kind, pod, at)
		}
		return ref, true
	}
	if kind, w := webhookOf(obj); w != nil {
		return putGlobal(&b.webhooks, kind, w, at), true
	}
	switch o := obj.(type) {
	case *corev1.Namespace:
		return putGlobal(&b.namespaces, "Namespace", o, at), true
	case *corev1.Service:
		return put(&b.services, "Service", o, at), true
	case *discoveryv1.EndpointSlice:
		return put(&b.endpointSlices, "EndpointSlice", o, at), true
	case *corev1.Endpoints:
		return put(&b.endpoints, "Endpoints", o, at), true
	case *corev1.ServiceAccount:
		return put(&b.serviceAccounts, "ServiceAccount", o, at), true
	case *corev1.Secret:
		return put(&b.secrets, "Secret", o, at), true
	case *corev1.ConfigMap:
		return put(&b.configMaps, "ConfigMap", o, at), true
	case *netv1.IngressClass:
		return putGlobal(&b.ingressClasses, "IngressClass", o, at), true
	case *netv1.Ingress:
		return put(&b.ingresses, "Ingress", o, at), true
	case *networkingv1.Gateway:
		return put(&b.gateways, "Gateway", o, at), true
	case *networkingv1.VirtualService:
		return put(&b.virtualServices, "VirtualService", o, at), true
	case *networkingv1.DestinationRule:
		return put(&b.destinationRules, "DestinationRule", o, at), true
	case *networkingv1.ServiceEntry:
		return put(&b.serviceEntries, "ServiceEntry", o, at), true
	case *networkingv1.Sidecar:
		return put(&b.sidecars, "Sidecar", o, at), true
	case *securityv1.RequestAuthentication:
		return put(&b.requestAuthentications, "RequestAuthentication", o, at), true
	case *securityv1.AuthorizationPolicy:
		return put(&b.authorizationPolicies, "AuthorizationPolicy", o, at), true
	case *securityv1.PeerAuthentication:
		return put(&b.peerAuthentications, "PeerAuthentication", o, at), true
	case *Certificate:
		return put(&b.certificates, "Certificate", o, at), true
	case *Issuer:
		if o.Kind == "ClusterIssuer" {
			return putGlobal(&b.clusterIssuers, "ClusterIssuer", o, at), true
		}
		return put(&b.issuers, "Issuer", o, at), true
	case *doorwardv1alpha1.APIKeySet:
		return put(&b.apiKeySets, "APIKeySet", o, at), true
	case *doorwardv1alpha1.LoginProvider:
		return put(&b.loginProviders, "LoginProvider", o, at), true
	}
	return Ref{}, false
}

// Unread notes the fields of a security object, added before, that cannot be read.
func (b *Builder) Unread(ref Ref, fields []string) {
	unread(b.authorizationPolicies, ref, fields)
	unread(b.requestAuthentications, ref, fields)
	unread(b.peerAuthentications, ref, fields)
	unread(b.apiKeySets, ref, fields)
}

func unread[T metav1.Object](in map[Ref]Item[T], ref Ref, fields []string) {
	if item, ok := in[ref]; ok {
		item.Unread = fields
		in[ref] = item
	}
}

// Count notes an object of a kind that a Set does not hold.
func (b *Builder) Count(kind string) {
	if b.others == nil {
		b.others = make(map[string]int)
	}
	b.others[kind]++
}

// Build makes the Set of everything added so far. The builder may go on
// being used; the Set does not change with it.
func (b *Builder) Build() *Set {
	return &Set{
		Namespaces:             newCollection(b.namespaces),
		Services:               newCollection(b.services),
		EndpointSlices:         newCollection(b.endpointSlices),
		Endpoints:              newCollection(b.endpoints),
		Pods:                   newCollection(b.pods),
		Workloads:              newCollection(b.workloads),
		ServiceAccounts:        newCollection(b.serviceAccounts),
		Secrets:                newCollection(b.secrets),
		ConfigMaps:             newCollection(b.configMaps),
		IngressClasses:         newCollection(b.ingressClasses),
		Ingresses:              newCollection(b.ingresses),
		Gateways:               newCollection(b.gateways),
		VirtualServices:        newCollection(b.virtualServices),
		DestinationRules:       newCollection(b.destinationRules),
		ServiceEntries:         newCollection(b.serviceEntries),
		Sidecars:               newCollection(b.sidecars),
		RequestAuthentications: newCollection(b.requestAuthentications),
		AuthorizationPolicies:  newCollection(b.authorizationPolicies),
		PeerAuthentications:    newCollection(b.peerAuthentications),
		Certificates:           newCollection(b.certificates),
		Issuers:                newCollection(b.issuers),
		ClusterIssuers:         newCollection(b.clusterIssuers),
		Webhooks:               newCollection(b.webhooks),
		APIKeySets:             newCollection(b.apiKeySets),
		LoginProviders:         newCollection(b.loginProviders),
		Others:                 maps.Clone(b.others),
	}
}

// written is what an object does not say of itself.
type written struct {
	Origin
	noNamespace bool
}

// put files a namespaced object.
func put[T metav1.Object](into *map[Ref]Item[T], kind string, obj T, at written) Ref {
	missing := at.noNamespace
	if obj.GetNamespace() == "" {
		missing = true
		obj.SetNamespace(DefaultNamespace)
	}
	ref := Ref{kind, obj.GetNamespace(), obj.GetName()}
	file(into, Item[T]{Ref: ref, Origin: at.Origin, NoNamespace: missing, Object: obj})
	return ref
}

// putGlobal files a cluster-scoped object.
func putGlobal[T metav1.Object](into *map[Ref]Item[T], kind string, obj T, at written) Ref {
	if obj.GetNamespace() != "" {
		obj.SetNamespace("")
	}
	ref := Ref{Kind: kind, Name: obj.GetName()}
	file(into, Item[T]{Ref: ref, Origin: at.Origin, Object: obj})
	return ref
}

func file[T metav1.Object](into *map[Ref]Item[T], item Item[T]) {
	if *into == nil {
		*into = make(map[Ref]Item[T])
	}
	(*into)[item.Ref] = item
}
