package object

import (
	"strconv"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Webhook is whatever the API server calls through a Service: the webhooks of a
// ValidatingWebhookConfiguration or MutatingWebhookConfiguration, or an APIService.
type Webhook struct {
	metav1.ObjectMeta

	Calls []WebhookCall
}

// WebhookCall is one Service that the API server calls, over TLS. Field is where it
// stands in the object.
type WebhookCall struct {
	Namespace, Name string
	Port            int32
	Field           string
}

// APIService is what is read of an apiregistration.k8s.io/v1 APIService: the Service
// that answers for a part of the API. The module of the published type is the API
// server's own.
type APIService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec struct {
		Service *struct {
			Namespace string `json:"namespace,omitempty"`
			Name      string `json:"name,omitempty"`
			Port      *int32 `json:"port,omitempty"`
		} `json:"service,omitempty"`
	} `json:"spec,omitempty"`
}

// defaultWebhookPort is the port that is called where none is named.
const defaultWebhookPort = 443

// webhookOf is the Webhook that an object is, and its kind; nil for other objects.
func webhookOf(obj any) (string, *Webhook) {
	switch o := obj.(type) {
	case *admissionv1.ValidatingWebhookConfiguration:
		w := &Webhook{ObjectMeta: o.ObjectMeta}
		for i := range o.Webhooks {
			w.admission(i, &o.Webhooks[i].ClientConfig)
		}
		return "ValidatingWebhookConfiguration", w
	case *admissionv1.MutatingWebhookConfiguration:
		w := &Webhook{ObjectMeta: o.ObjectMeta}
		for i := range o.Webhooks {
			w.admission(i, &o.Webhooks[i].ClientConfig)
		}
		return "MutatingWebhookConfiguration", w
	case *APIService:
		w := &Webhook{ObjectMeta: o.ObjectMeta}
		if s := o.Spec.Service; s != nil {
			w.call(s.Namespace, s.Name, s.Port, "spec.service")
		}
		return "APIService", w
	}
	return "", nil
}

func (w *Webhook) admission(i int, c *admissionv1.WebhookClientConfig) {
	if s := c.Service; s != nil {
		w.call(s.Namespace, s.Name, s.Port, "webhooks["+strconv.Itoa(i)+"].clientConfig.service")
	}
}

func (w *Webhook) call(namespace, name string, port *int32, field string) {
	c := WebhookCall{Namespace: namespace, Name: name, Port: defaultWebhookPort, Field: field}
	if port != nil {
		c.Port = *port
	}
	w.Calls = append(w.Calls, c)
}
