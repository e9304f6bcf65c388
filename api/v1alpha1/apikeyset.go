package v1alpha1

import (
	typev1beta1 "istio.io/api/type/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIKeySet lets programs in by keys. Whoever sends the key NAME is the request
// principal apikey/NAME to AuthorizationPolicies. A set alone refuses nobody who
// sends no key.
type APIKeySet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec APIKeySetSpec `json:"spec"`
}

// APIKeySetSpec says which keys there are, and what becomes of them.
type APIKeySetSpec struct {
	// Selector chooses the workloads that take the keys, by the labels of their Pods.
	// Without it, and without TargetRefs, all workloads of the namespace do, and those
	// of all namespaces if this is the mesh's root namespace.
	Selector *typev1beta1.WorkloadSelector `json:"selector,omitempty"`
	// TargetRefs chooses the workloads behind Services of the namespace instead.
	TargetRefs []*typev1beta1.PolicyTargetReference `json:"targetRefs,omitempty"`
	// SecretName is the Secret of the namespace that holds the keys' hashes: an entry
	// NAME has the hashes of the key NAME, as "sha256:" and 64 hexadecimal digits, one
	// a line.
	SecretName string `json:"secretName"`
	// Header is where the keys are looked for, beside "Authorization: Bearer"; default
	// x-api-key. Whatever it holds counts as a key.
	Header string `json:"header,omitempty"`
	// Forward leaves the key in the request for the application.
	Forward bool `json:"forward,omitempty"`
	// OutputHeaders tell the application whose key it was. No request keeps such a
	// header as its client sent it.
	OutputHeaders []APIKeyOutput `json:"outputHeaders,omitempty"`
	// Keys are the keys; one without an entry in the Secret never works, nor does an
	// entry that is none of them.
	Keys []APIKey `json:"keys,omitempty"`
}

// APIKeyOutput is a header that is filled from a claim of the key.
type APIKeyOutput struct {
	Header string `json:"header"`
	// Claim is sub (the key's name), owner, groups, scope (the names of its scopes) or
	// set (NAMESPACE/NAME). Lists are joined by commas.
	Claim string `json:"claim"`
}

// APIKey is one key. Policies see its name, owner, groups, and the names of its
// scopes as the claims sub, owner, groups and scope.
type APIKey struct {
	// Name is what policies and records know the key by: letters, digits, ".", "_" and "-".
	Name  string `json:"name"`
	Owner string `json:"owner,omitempty"`
	// Groups of the owner, for applications that give rights by groups.
	Groups []string `json:"groups,omitempty"`
	// Expires is when the key ends to work; without it, it does not.
	Expires *metav1.Time `json:"expires,omitempty"`
	// Disabled stops the key at once.
	Disabled bool `json:"disabled,omitempty"`
	// Scopes are alternatives: one of them must cover the request. Without any the key
	// is good wherever policies let it.
	Scopes []APIKeyScope `json:"scopes,omitempty"`
}

// APIKeyScope is a part of all requests. What is left out is anything.
type APIKeyScope struct {
	Name string `json:"name,omitempty"`
	// Hosts are exact names or "*.suffix", without port.
	Hosts []string `json:"hosts,omitempty"`
	// Paths are prefixes by elements: /v1 covers /v1 and /v1/x, and not /v10.
	Paths   []string `json:"paths,omitempty"`
	Methods []string `json:"methods,omitempty"`
}
