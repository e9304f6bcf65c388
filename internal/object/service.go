package object

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TargetPort is the port of the Pod that a Service port leads to: targetPort,
// or the port itself when targetPort is left out (Kubernetes' default).
func TargetPort(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == 0 ||
		p.TargetPort.Type == intstr.String && p.TargetPort.StrVal == "" {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}

// PortProtocol is a Service port's transport protocol, TCP when left out.
func PortProtocol(p corev1.ServicePort) corev1.Protocol {
	if p.Protocol == "" {
		return corev1.ProtocolTCP
	}
	return p.Protocol
}

// IsHeadless says whether a Service has no address of its own (clusterIP: None).
func IsHeadless(s *corev1.Service) bool { return s.Spec.ClusterIP == corev1.ClusterIPNone }

// IsExternalName says whether a Service is an alias of a name outside.
func IsExternalName(s *corev1.Service) bool { return s.Spec.Type == corev1.ServiceTypeExternalName }
