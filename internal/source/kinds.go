package source

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	securityv1 "istio.io/client-go/pkg/apis/security/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"

	doorwardv1alpha1 "github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// kind is a kind that Doorward reads.
type kind struct {
	group    string
	name     string
	versions []string // that the API server accepts today, best first
	global   bool     // not in a namespace
	make     func() any
}

// part tells a kind of which only some fields are read: the others are not judged.
func (k kind) part() bool {
	return k.group == "cert-manager.io" || k.group == "apiregistration.k8s.io"
}

// kinds lists the kinds that Doorward reads.
func kinds() []kind {
	v1 := []string{"v1"}
	networking := []string{"v1", "v1beta1", "v1alpha3"}
	security := []string{"v1", "v1beta1"}
	const (
		istioNetworking = "networking.istio.io"
		istioSecurity   = "security.istio.io"
		certManager     = "cert-manager.io"
		doorward        = "doorward.dev"
	)
	return []kind{
		{"", "Namespace", v1, true, func() any { return new(corev1.Namespace) }},
		{"", "Service", v1, false, func() any { return new(corev1.Service) }},
		{"", "Endpoints", v1, false, func() any { return new(corev1.Endpoints) }},
		{"", "Pod", v1, false, func() any { return new(corev1.Pod) }},
		{"", "ServiceAccount", v1, false, func() any { return new(corev1.ServiceAccount) }},
		{"", "Secret", v1, false, func() any { return new(corev1.Secret) }},
		{"", "ConfigMap", v1, false, func() any { return new(corev1.ConfigMap) }},
		{"discovery.k8s.io", "EndpointSlice", v1, false, func() any { return new(discoveryv1.EndpointSlice) }},
		{"apps", "Deployment", v1, false, func() any { return new(appsv1.Deployment) }},
		{"apps", "StatefulSet", v1, false, func() any { return new(appsv1.StatefulSet) }},
		{"apps", "DaemonSet", v1, false, func() any { return new(appsv1.DaemonSet) }},
		{"apps", "ReplicaSet", v1, false, func() any { return new(appsv1.ReplicaSet) }},
		{"batch", "Job", v1, false, func() any { return new(batchv1.Job) }},
		{"batch", "CronJob", v1, false, func() any { return new(batchv1.CronJob) }},
		{"networking.k8s.io", "Ingress", v1, false, func() any { return new(netv1.Ingress) }},
		{"networking.k8s.io", "IngressClass", v1, true, func() any { return new(netv1.IngressClass) }},
		{istioNetworking, "Gateway", networking, false, func() any { return new(networkingv1.Gateway) }},
		{istioNetworking, "VirtualService", networking, false, func() any { return new(networkingv1.VirtualService) }},
		{istioNetworking, "DestinationRule", networking, false, func() any { return new(networkingv1.DestinationRule) }},
		{istioNetworking, "ServiceEntry", networking, false, func() any { return new(networkingv1.ServiceEntry) }},
		{istioNetworking, "Sidecar", networking, false, func() any { return new(networkingv1.Sidecar) }},
		{istioSecurity, "RequestAuthentication", security, false, func() any { return new(securityv1.RequestAuthentication) }},
		{istioSecurity, "AuthorizationPolicy", security, false, func() any { return new(securityv1.AuthorizationPolicy) }},
		{istioSecurity, "PeerAuthentication", security, false, func() any { return new(securityv1.PeerAuthentication) }},
		{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", v1, true, func() any { return new(admissionv1.ValidatingWebhookConfiguration) }},
		{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", v1, true, func() any { return new(admissionv1.MutatingWebhookConfiguration) }},
		{"apiregistration.k8s.io", "APIService", v1, true, func() any { return new(object.APIService) }},
		{certManager, "Certificate", v1, false, func() any { return new(object.Certificate) }},
		{certManager, "Issuer", v1, false, func() any { return new(object.Issuer) }},
		{certManager, "ClusterIssuer", v1, true, func() any { return new(object.Issuer) }},
		{doorward, "APIKeySet", []string{"v1alpha1"}, false, func() any { return new(doorwardv1alpha1.APIKeySet) }},
		{doorward, "LoginProvider", []string{"v1alpha1"}, false, func() any { return new(doorwardv1alpha1.LoginProvider) }},
	}
}

// otherKinds are kinds that Doorward knows of and does not read, of groups of which
// it reads others. Those that change traffic are reported as not carried out.
func otherKinds() map[string]bool {
	return map[string]bool{
		"EnvoyFilter.networking.istio.io":   true,
		"WasmPlugin.extensions.istio.io":    true,
		"ProxyConfig.networking.istio.io":   false,
		"WorkloadEntry.networking.istio.io": false,
		"WorkloadGroup.networking.istio.io": false,
		"Telemetry.telemetry.istio.io":      false,

		"CertificateRequest.cert-manager.io":                            false,
		"ValidatingAdmissionPolicy.admissionregistration.k8s.io":        false,
		"ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": false,
		"MutatingAdmissionPolicy.admissionregistration.k8s.io":          false,
		"MutatingAdmissionPolicyBinding.admissionregistration.k8s.io":   false,
	}
}

// catalogue answers what an apiVersion and kind are.
type catalogue struct {
	read   []kind
	others map[string]bool
	byName map[string]int // kind, "." and group → index in read
}

func newCatalogue() *catalogue {
	c := &catalogue{read: kinds(), others: otherKinds(), byName: make(map[string]int)}
	for i, k := range c.read {
		c.byName[qualified(k.name, k.group)] = i
	}
	return c
}

// qualified is the name of a kind with its group, as kubectl writes it.
func qualified(name, group string) string {
	if group == "" {
		return name
	}
	return name + "." + group
}

func splitVersion(apiVersion string) (group, version string) {
	if i := strings.LastIndexByte(apiVersion, '/'); i >= 0 {
		return apiVersion[:i], apiVersion[i+1:]
	}
	return "", apiVersion
}

func joinVersion(group, version string) string {
	if group == "" {
		return version
	}
	return group + "/" + version
}

// find looks up a kind that Doorward reads, in a version that exists.
func (c *catalogue) find(apiVersion, name string) (kind, bool) {
	group, version := splitVersion(apiVersion)
	i, ok := c.byName[qualified(name, group)]
	if !ok || !slices.Contains(c.read[i].versions, version) {
		return kind{}, false
	}
	return c.read[i], true
}

// stranger judges a kind that find does not know. It returns false when the
// kind is none of our business; otherwise what is wrong with it.
func (c *catalogue) stranger(apiVersion, name string) (problem.Problem, bool) {
	group, version := splitVersion(apiVersion)
	full := qualified(name, group)
	if changes, ok := c.others[full]; ok {
		p := problem.New(problem.NotCarriedOut)
		p.Message = fmt.Sprintf("%s is not carried out: requests go on as if it were not there", name)
		p.Remedy = "say what it does with a VirtualService, DestinationRule or AuthorizationPolicy instead"
		return p, changes
	}
	p := problem.New(problem.APIVersion)
	if i, ok := c.byName[full]; ok {
		k := c.read[i]
		p.Message = fmt.Sprintf("%s has no version %q; the versions are %s. The API server refuses the object", full, version, strings.Join(k.versions, ", "))
		p.Remedy = "apiVersion: " + joinVersion(group, k.versions[0])
		return p, true
	}
	for _, k := range c.read {
		if k.name == name && c.confused(group, k.group) {
			right := joinVersion(k.group, k.versions[0])
			p.Message = fmt.Sprintf("there is no kind %s in %s (any more); it is in %s. The API server refuses the object", name, apiVersion, right)
			p.Remedy = "apiVersion: " + right
			return p, true
		}
	}
	if near, ok := problem.Nearest(name, c.kindsOf(group)); ok {
		p.Field = "kind"
		p.Message = fmt.Sprintf("there is no kind %s in %s; the nearest is %s. The API server refuses the object", name, apiVersion, near)
		p.Remedy = "kind: " + near
		return p, true
	}
	return problem.Problem{}, false
}

// confused says whether somebody who wrote one group may have meant the
// other: it is one of ours, one that existed once, or a slip of the pen.
// Other groups have kinds with the same names by right (Knative's Service,
// the Gateway API's Gateway).
func (c *catalogue) confused(wrote, meant string) bool {
	switch wrote {
	case "", "apps", "batch", "extensions", "networking.k8s.io", "discovery.k8s.io",
		"networking.istio.io", "security.istio.io", "authentication.istio.io", "rbac.istio.io", "config.istio.io":
		return true
	}
	_, near := problem.Nearest(wrote, []string{meant})
	return near && meant != "" && !strings.HasSuffix(wrote, ".x-k8s.io")
}

// kindsOf lists the kinds of a group that are known here.
func (c *catalogue) kindsOf(group string) []string {
	var names []string
	for _, k := range c.read {
		if k.group == group {
			names = append(names, k.name)
		}
	}
	for full := range c.others {
		if name, ok := strings.CutSuffix(full, "."+group); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
