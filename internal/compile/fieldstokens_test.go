package compile_test

import securityv1beta1 "istio.io/api/security/v1beta1"

func authentication(spec string) string {
	return service + `{hosts: ["*"], gateways: [gw], http: [{` + to + `}]}` + plainGateway() + `
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: istio-system}
spec: {` + spec + `}
`
}

func tokenRule(text string) string {
	return authentication(`jwtRules: [{` + text + `}]`)
}

// tokenSections are the messages about tokens.
func tokenSections() []section {
	return []section{
		{"RequestAuthentication", &securityv1beta1.RequestAuthentication{}, authentication("FIELD"), map[string]string{
			"selector": `selector: {matchLabels: {istio: other}}, jwtRules: [{issuer: "https://a.example"}]`, "targetRef": `targetRef: {kind: Service, name: other}, jwtRules: [{issuer: "https://a.example"}]`,
			"targetRefs": `targetRefs: [{kind: Service, name: other}], jwtRules: [{issuer: "https://a.example"}]`, "jwtRules": `jwtRules: [{issuer: "https://a.example"}]`,
		}},
		{"JWTRule", &securityv1beta1.JWTRule{}, tokenRule(`FIELD`), withIssuer(map[string]string{
			"audiences": `audiences: [a]`, "jwksUri": `jwksUri: "https://a.example/keys"`, "fromHeaders": `fromHeaders: [{name: x-a}]`,
			"jwks":       `jwks: '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'`,
			"fromParams": `fromParams: [a]`, "fromCookies": `fromCookies: [a]`, "forwardOriginalToken": `forwardOriginalToken: true`,
			"outputPayloadToHeader": `outputPayloadToHeader: x-a`, "outputClaimToHeaders": `outputClaimToHeaders: [{header: x-a, claim: a}]`,
			"timeout": `timeout: 3s`, "spaceDelimitedClaims": `spaceDelimitedClaims: [a]`,
		})},
		{"JWTHeader", &securityv1beta1.JWTHeader{}, tokenRule(`issuer: "https://a.example", fromHeaders: [{name: x-a}, {FIELD}]`), map[string]string{
			"name": `name: x-b`, "prefix": `prefix: "JWT ", name: x-b`,
		}},
		{"ClaimToHeader", &securityv1beta1.ClaimToHeader{}, tokenRule(`issuer: "https://a.example", outputClaimToHeaders: [{FIELD}]`), map[string]string{
			"header": `header: x-b, claim: a`, "claim": `claim: a.b, header: x-b`,
		}},
	}
}

// withIssuer adds an issuer to all samples, and one for the issuer itself.
func withIssuer(samples map[string]string) map[string]string {
	for field := range samples {
		samples[field] += `, issuer: "https://a.example"`
	}
	samples["issuer"] = `issuer: "https://a.example", jwksUri: "https://a.example/keys"`
	return samples
}
