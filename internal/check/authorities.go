package check

import (
	"strconv"

	networkingv1alpha3 "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// noAuthority: TLS towards a destination that does not say whose certificates are
// believed. Of the settings of a port Istio tells with a code of their own.
func noAuthority(p *Pass) {
	for _, item := range p.Set.DestinationRules.All() {
		lint := func(policy *networkingv1alpha3.TrafficPolicy, field string) {
			p.authority(item, policy.GetTls(), field+".tls", "IST0128")
			for i, own := range policy.GetPortLevelSettings() {
				p.authority(item, own.GetTls(), field+".portLevelSettings["+strconv.Itoa(i)+"].tls", "IST0129")
			}
		}
		lint(item.Object.Spec.TrafficPolicy, "spec.trafficPolicy")
		for i, s := range item.Object.Spec.Subsets {
			lint(s.GetTrafficPolicy(), "spec.subsets["+strconv.Itoa(i)+"].trafficPolicy")
		}
	}
}

func (p *Pass) authority(item object.Item[*networkingv1.DestinationRule], t *networkingv1alpha3.ClientTLSSettings, field, istio string) {
	own := t.GetMode() == networkingv1alpha3.ClientTLSSettings_SIMPLE || t.GetMode() == networkingv1alpha3.ClientTLSSettings_MUTUAL
	if !own || t.CaCertificates != "" || t.GetInsecureSkipVerify().GetValue() || t.CredentialName != "" && item.Object.Spec.WorkloadSelector != nil {
		return
	}
	severity, message := problem.Warning, "no authority is named: the system's are believed, and Istio before 1.20 verifies no certificate at all"
	if t.CredentialName != "" {
		severity, message = problem.Info, "credentialName is for gateways; sidecars believe the authorities of the system"
	}
	p.reportIstio(istio, severity, fieldOf(item, field), message, "caCertificates: FILE; or \"system\", if the system's authorities are meant")
}
