package object

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Certificate is what is read of a cert-manager.io/v1 Certificate: which Secret it
// makes, and by which issuer. The published type would bring the Gateway API with it.
type Certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec struct {
		SecretName string    `json:"secretName,omitempty"`
		IssuerRef  IssuerRef `json:"issuerRef,omitempty"`
	} `json:"spec,omitempty"`
}

// IssuerRef names an issuer. Kind is Issuer, of the Certificate's own namespace,
// unless it says ClusterIssuer; another Group than cert-manager.io, which is the
// default, is an issuer that others carry out.
type IssuerRef struct {
	Name  string `json:"name,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Group string `json:"group,omitempty"`
}

// Issuer is the name of a cert-manager.io/v1 Issuer or ClusterIssuer: what it does
// is between cert-manager and its authority.
type Issuer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}
