package compile_test

import securityv1beta1 "istio.io/api/security/v1beta1"

func policyWith(spec string) string {
	return service + `{hosts: ["*"], gateways: [gw], http: [{` + to + `}]}` + plainGateway() + `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: policy, namespace: istio-system}
spec: {` + spec + `}
`
}

// policySections are the messages of policies.
func policySections() []section {
	return []section{
		{"AuthorizationPolicy", &securityv1beta1.AuthorizationPolicy{}, policyWith("FIELD"), map[string]string{
			"selector": `selector: {matchLabels: {app: app}}, rules: [{}]`, "targetRef": `targetRef: {kind: Service, name: app}, rules: [{}]`,
			"targetRefs": `targetRefs: [{kind: Service, name: app}], rules: [{}]`, "rules": `rules: [{}]`, "action": `action: DENY, rules: [{}]`,
			"provider": `provider: {name: login}, action: CUSTOM, rules: [{}]`,
		}},
		{"Rule", &securityv1beta1.Rule{}, policyWith(`rules: [{FIELD}]`), map[string]string{
			"from": `from: [{source: {ipBlocks: [192.0.2.1]}}]`, "to": `to: [{operation: {methods: [GET]}}]`, "when": `when: [{key: source.ip, values: [192.0.2.1]}]`,
		}},
		{"Source", &securityv1beta1.Source{}, policyWith(`rules: [{from: [{source: {FIELD}}]}]`), eachWith(`ipBlocks: [192.0.2.0/24]`, `remoteIpBlocks: [192.0.2.0/24]`, "ipBlocks", map[string]string{
			"principals": `[a]`, "notPrincipals": `[a]`, "requestPrincipals": `[a]`, "notRequestPrincipals": `[a]`, "namespaces": `[a]`, "notNamespaces": `[a]`,
			"serviceAccounts": `[a]`, "notServiceAccounts": `[a]`, "ipBlocks": `[192.0.2.1]`, "notIpBlocks": `[192.0.2.1]`, "remoteIpBlocks": `[192.0.2.1]`,
			"notRemoteIpBlocks": `[192.0.2.1]`, "trustDomains": `[a]`, "notTrustDomains": `[a]`,
		})},
		{"Operation", &securityv1beta1.Operation{}, policyWith(`rules: [{to: [{operation: {FIELD}}]}]`), eachWith(`methods: [GET]`, `paths: [/]`, "methods", map[string]string{
			"hosts": `[a]`, "notHosts": `[a]`, "ports": `["80"]`, "notPorts": `["80"]`, "methods": `[PUT]`, "notMethods": `[PUT]`, "paths": `[/a]`, "notPaths": `[/a]`,
		})},
		{"Condition", &securityv1beta1.Condition{}, policyWith(`rules: [{when: [{FIELD}]}]`), map[string]string{
			"key": `key: source.ip, values: [192.0.2.1]`, "values": `values: [192.0.2.1], key: source.ip`, "notValues": `notValues: [192.0.2.1], key: source.ip`,
		}},
	}
}

// eachWith makes samples of lists beside another list: beside, but another for the
// field that beside is of.
func eachWith(beside, other, field string, lists map[string]string) map[string]string {
	samples := map[string]string{}
	for name, list := range lists {
		samples[name] = name + ": " + list + ", " + beside
		if name == field {
			samples[name] = name + ": " + list + ", " + other
		}
	}
	return samples
}
