package compile_test

import networkingv1alpha3 "istio.io/api/networking/v1alpha3"

// routed is a VirtualService that sends to a host, and to its subset v1.
func routed(host string) string {
	return service + `{hosts: ["*"], gateways: [gw], http: [{route: [{destination: {host: ` + host + `}, weight: 1}, {destination: {host: ` + host + `, subset: v1}, weight: 1}]}]}` +
		plainGateway() + "---"
}

func destinationRule(spec string) string {
	return routed("app") + `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: dr, namespace: shop}
spec: {` + spec + `}
`
}

func policy(text string) string {
	return destinationRule(`host: app, trafficPolicy: {` + text + `}`)
}

func serviceEntry(spec string) string {
	return routed("api.example.org") + `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: dr, namespace: shop}
spec: {host: api.example.org, trafficPolicy: {tls: {mode: SIMPLE}}, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: se, namespace: shop}
spec: {` + spec + `}
`
}

// backendSections are the messages about backends.
func backendSections() []section {
	return []section{
		{"DestinationRule", &networkingv1alpha3.DestinationRule{}, destinationRule("FIELD"), map[string]string{
			"host": `host: app, trafficPolicy: {loadBalancer: {simple: RANDOM}}`, "trafficPolicy": `trafficPolicy: {loadBalancer: {simple: RANDOM}}, host: app`,
			"subsets":          `subsets: [{name: v1, labels: {version: v1}}], host: app`,
			"exportTo":         `exportTo: ["."], host: app, trafficPolicy: {loadBalancer: {simple: RANDOM}}`,
			"workloadSelector": `workloadSelector: {matchLabels: {a: b}}, host: app`,
		}},
		{"TrafficPolicy", &networkingv1alpha3.TrafficPolicy{}, policy("FIELD"), map[string]string{
			"loadBalancer": `loadBalancer: {simple: RANDOM}`, "connectionPool": `connectionPool: {http: {maxRetries: 7}}`,
			"outlierDetection": `outlierDetection: {consecutive5xxErrors: 7}`, "tls": `tls: {mode: SIMPLE}`,
			"portLevelSettings": `portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]`,
			"tunnel":            `tunnel: {targetHost: a, targetPort: 80}`, "proxyProtocol": `proxyProtocol: {version: V2}`, "retryBudget": `retryBudget: {minRetryConcurrency: 7}`,
		}},
		{"Subset", &networkingv1alpha3.Subset{}, destinationRule("host: app, subsets: [{FIELD}]"), map[string]string{
			"labels": `labels: {version: v2}, name: v1`, "trafficPolicy": `trafficPolicy: {loadBalancer: {simple: RANDOM}}, name: v1`,
			"name": `name: v1, labels: {version: v1}`,
		}},
		{"LoadBalancerSettings", &networkingv1alpha3.LoadBalancerSettings{}, policy("loadBalancer: {FIELD}"), map[string]string{
			"simple": `simple: RANDOM`, "consistentHash": `consistentHash: {useSourceIp: true}`, "localityLbSetting": `localityLbSetting: {enabled: true}`,
			"zoneAwareLbSetting": `zoneAwareLbSetting: {enabled: true}`, "warmupDurationSecs": `warmupDurationSecs: 1s`, "warmup": `warmup: {duration: 1s}`,
		}},
		{"ConsistentHashLB", &networkingv1alpha3.LoadBalancerSettings_ConsistentHashLB{}, policy("loadBalancer: {consistentHash: {FIELD}}"), map[string]string{
			"httpHeaderName": `httpHeaderName: a`, "httpCookie": `httpCookie: {name: a, ttl: 0s}`, "useSourceIp": `useSourceIp: true`,
			"httpQueryParameterName": `httpQueryParameterName: a`, "ringHash": `ringHash: {minimumRingSize: 7}, useSourceIp: true`,
			"maglev": `maglev: {tableSize: 7}, useSourceIp: true`, "minimumRingSize": `minimumRingSize: 7, useSourceIp: true`,
		}},
		{"ConnectionPoolSettings.TCPSettings", &networkingv1alpha3.ConnectionPoolSettings_TCPSettings{}, policy("connectionPool: {tcp: {FIELD}}"), map[string]string{
			"maxConnections": `maxConnections: 7`, "connectTimeout": `connectTimeout: 1s`, "tcpKeepalive": `tcpKeepalive: {time: 1s}`,
			"maxConnectionDuration": `maxConnectionDuration: 1s`, "idleTimeout": `idleTimeout: 1s`,
		}},
		{"ConnectionPoolSettings.HTTPSettings", &networkingv1alpha3.ConnectionPoolSettings_HTTPSettings{}, policy("connectionPool: {http: {FIELD}}"), map[string]string{
			"http1MaxPendingRequests": `http1MaxPendingRequests: 7`, "http2MaxRequests": `http2MaxRequests: 7`, "maxRequestsPerConnection": `maxRequestsPerConnection: 7`,
			"maxRetries": `maxRetries: 7`, "idleTimeout": `idleTimeout: 1s`, "h2UpgradePolicy": `h2UpgradePolicy: UPGRADE`, "useClientProtocol": `useClientProtocol: true`,
			"maxConcurrentStreams": `maxConcurrentStreams: 7`, "http2KeepAlive": `http2KeepAlive: {interval: 1s}`,
		}},
		{"OutlierDetection", &networkingv1alpha3.OutlierDetection{}, policy("outlierDetection: {FIELD}"), map[string]string{
			"consecutiveErrors": `consecutiveErrors: 7`, "splitExternalLocalOriginErrors": `splitExternalLocalOriginErrors: true`,
			"consecutiveLocalOriginFailures": `consecutiveLocalOriginFailures: 7, splitExternalLocalOriginErrors: true`, "consecutiveGatewayErrors": `consecutiveGatewayErrors: 7`,
			"consecutive5xxErrors": `consecutive5xxErrors: 7`, "interval": `interval: 7s`, "baseEjectionTime": `baseEjectionTime: 7s`, "maxEjectionPercent": `maxEjectionPercent: 7`,
			"minHealthPercent": `minHealthPercent: 7`, "outlierDetectionHttpErrorCodes": `outlierDetectionHttpErrorCodes: [429]`,
		}},
		{"ClientTLSSettings", &networkingv1alpha3.ClientTLSSettings{}, policy("tls: {FIELD}"), map[string]string{
			"mode": `mode: SIMPLE`, "caCertificates": `caCertificates: /ca.pem, mode: SIMPLE`, "credentialName": `credentialName: ca, mode: SIMPLE`,
			"subjectAltNames": `subjectAltNames: [a], mode: SIMPLE`, "sni": `sni: a, mode: SIMPLE`, "insecureSkipVerify": `insecureSkipVerify: true, mode: SIMPLE`,
			"caCrl": `caCrl: /crl.pem, mode: SIMPLE`,
		}},
		{"ServiceEntry", &networkingv1alpha3.ServiceEntry{}, serviceEntry("FIELD"), map[string]string{
			"hosts": `hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS`,
			"ports": `ports: [{number: 80, name: http, protocol: HTTP}], hosts: [api.example.org], resolution: DNS`, "resolution": `resolution: DNS, hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}]`,
			"addresses":        `addresses: [192.0.2.9], hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS`,
			"location":         `location: MESH_INTERNAL, hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS`,
			"endpoints":        `endpoints: [{address: 192.0.2.9}], hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC`,
			"exportTo":         `exportTo: ["."], hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS`,
			"workloadSelector": `workloadSelector: {labels: {a: b}}, hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC`,
			"subjectAltNames":  `subjectAltNames: [a], hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS`,
		}},
		{"WorkloadEntry", &networkingv1alpha3.WorkloadEntry{}, serviceEntry("hosts: [api.example.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{FIELD}]"), map[string]string{
			"address": `address: 192.0.2.9`, "ports": `ports: {http: 8080}, address: 192.0.2.9`, "labels": `labels: {version: v1}, address: 192.0.2.9`,
			"network": `network: n1, address: 192.0.2.9`, "locality": `locality: a/b, address: 192.0.2.9`, "weight": `weight: 7, address: 192.0.2.9`,
			"serviceAccount": `serviceAccount: first, address: 192.0.2.9`,
		}},
		{"ServicePort", &networkingv1alpha3.ServicePort{}, serviceEntry("hosts: [api.example.org], resolution: STATIC, endpoints: [{address: 192.0.2.9, ports: {other: 8080}}], ports: [{FIELD}]"), map[string]string{
			"number": `number: 80, name: http, protocol: HTTP`, "protocol": `protocol: HTTP2, number: 80, name: http`, "name": `name: other, number: 80, protocol: HTTP`,
			"targetPort": `targetPort: 81, number: 80, name: http, protocol: HTTP`,
		}},
	}
}
