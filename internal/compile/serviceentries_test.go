package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

func TestServiceEntries(t *testing.T) {
	const http = "ports: [{number: 80, name: http, protocol: HTTP}]"
	for _, c := range []struct {
		name, destination string
		entries           []string
		addresses         string
		dns               bool
		protocol          plan.Protocol
		problem           string // "" for none
	}{
		{"STATIC", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.2}, {address: 192.0.2.1}, {address: \"2001:db8::1\"}]"},
			"192.0.2.1:80 192.0.2.2:80 [2001:db8::1]:80", false, plan.HTTP1, ""},
		{"target port", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}, {address: 192.0.2.2, ports: {http: 9090}}, {address: 192.0.2.3, ports: {other: 1}}]"},
			"192.0.2.1:8080 192.0.2.2:9090 192.0.2.3:8080", false, plan.HTTP1, ""},
		{"DNS", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS"}, "api.example.com:80", true, plan.HTTP1, ""},
		{"DNS with a target port", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]\n  resolution: DNS"}, "api.example.com:443", true, plan.HTTP1, ""},
		{"DNS with endpoints", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS\n  endpoints: [{address: eu.example.com}, {address: 192.0.2.1}]"},
			"192.0.2.1:80 eu.example.com:80", true, plan.HTTP1, ""},
		{"DNS_ROUND_ROBIN", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS_ROUND_ROBIN"}, "api.example.com:80", true, plan.HTTP1, ""},
		{"several hosts", "{host: b.example.com}", []string{"hosts: [a.example.com, b.example.com]\n  " + http + "\n  resolution: DNS"}, "b.example.com:80", true, plan.HTTP1, ""},
		{"a wildcard by its own name", "{host: \"*.example.com\"}", []string{"hosts: [\"*.example.com\"]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}]"}, "192.0.2.1:80", false, plan.HTTP1, ""},
		{"a name that a wildcard covers", "{host: a.example.com}", []string{"hosts: [\"*.example.com\"]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}]"}, "", false, plan.HTTP1,
			"info host-not-found spec.http[0].route[0].destination.host"},
		{"subset", "{host: api.example.com, subset: v2}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1, labels: {version: v1}}, {address: 192.0.2.2, labels: {version: v2}}]"},
			"192.0.2.2:80", false, plan.HTTP1, ""},
		{"subset that selects nothing", "{host: api.example.com, subset: v2}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}]"}, "", false, plan.HTTP1,
			"error subset-selects-nothing spec.subsets[0].labels"},
		{"HTTP2", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP2}]\n  resolution: DNS"}, "api.example.com:80", true, plan.HTTP2, ""},
		{"GRPC", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: grpc}]\n  resolution: DNS"}, "api.example.com:80", true, plan.HTTP2, ""},
		{"the name of a port says nothing", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: grpc, protocol: HTTP}]\n  resolution: DNS"}, "api.example.com:80", true, plan.HTTP1, ""},
		{"HTTPS", "{host: api.example.com, port: {number: 443}}", []string{"hosts: [api.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}]\n  resolution: DNS"},
			"api.example.com:443", true, plan.HTTP1, ""},
		{"TLS", "{host: api.example.com, port: {number: 443}}", []string{"hosts: [api.example.com]\n  ports: [{number: 443, name: tls, protocol: TLS}]\n  resolution: DNS"}, "api.example.com:443", true, plan.HTTP1, ""},
		{"an unknown port", "{host: api.example.com, port: {number: 8}}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS"}, "", false, plan.HTTP1, "error port-not-found spec.http[0].route[0].destination.port"},
		{"two of one host join", "{host: api.example.com, port: {number: 81}}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS", "hosts: [api.example.com]\n  ports: [{number: 81, name: http2, protocol: HTTP2}]\n  resolution: DNS"},
			"api.example.com:81", true, plan.HTTP2, ""},
		{"two that resolve otherwise do not", "{host: api.example.com, port: {number: 80}}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS", "hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: 192.0.2.1}]"},
			"api.example.com:80", true, plan.HTTP1, ""},
		{"hidden", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS\n  exportTo: [\".\"]"}, "", false, plan.HTTP1, "error not-exported spec.http[0].route[0].destination.host"},
		{"exported", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS\n  exportTo: [istio-system]"}, "api.example.com:80", true, plan.HTTP1, ""},
		{"a Service's name is the Service's", "{host: set}", []string{"hosts: [set.shop.svc.cluster.local]\n  " + http + "\n  resolution: DNS"}, "10.0.0.1:8080 10.0.0.2:8080", false, plan.HTTP1, ""},
		{"what an ExternalName stands for", "{host: outside}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS"}, "api.example.com:80", true, plan.HTTP1, ""},

		{"NONE", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: NONE"}, "", false, plan.HTTP1, "warning not-carried-out spec.resolution"},
		{"DYNAMIC_DNS", "{host: \"*.example.com\"}", []string{"hosts: [\"*.example.com\"]\n  " + http + "\n  resolution: DYNAMIC_DNS"}, "", false, plan.HTTP1, "warning not-carried-out spec.resolution"},
		{"workloadSelector", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: DNS\n  workloadSelector: {labels: {a: b}}"}, "", true, plan.HTTP1, "warning not-carried-out spec.workloadSelector"},
		{"STATIC with a name", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: eu.example.com}, {address: 192.0.2.1}]"}, "192.0.2.1:80", false, plan.HTTP1, "error schema spec.endpoints[0].address"},
		{"a socket", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{address: \"unix:///a\"}]"}, "", false, plan.HTTP1, "warning not-carried-out spec.endpoints[0].address"},
		{"no address", "{host: api.example.com}", []string{"hosts: [api.example.com]\n  " + http + "\n  resolution: STATIC\n  endpoints: [{labels: {a: b}}]"}, "", false, plan.HTTP1, "warning not-carried-out spec.endpoints[0].address"},
		{"a wildcard to be resolved", "{host: \"*.example.com\"}", []string{"hosts: [\"*.example.com\"]\n  " + http + "\n  resolution: DNS"}, "", true, plan.HTTP1, "error schema spec.hosts[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts := []string{ruleYAML("shop/api", "host: api.example.com\n  subsets: [{name: v2, labels: {version: v2}}]")}
			for i, e := range c.entries {
				texts = append(texts, entryYAML("shop/e"+string(rune('0'+i)), e))
			}
			b, problems := backendOf(t, c.destination, texts...)
			if got := addresses(b); got != c.addresses || b.DNS != c.dns || b.Protocol != c.protocol {
				t.Errorf("got %q, names %v, %v; want %q, %v, %v", got, b.DNS, b.Protocol, c.addresses, c.dns, c.protocol)
			}
			var got []string
			for _, p := range problems {
				if p.Code == "dr-host-not-found" {
					continue // not every case has the host of the rule
				}
				got = append(got, string(p.Severity)+" "+p.Code+" "+p.Field)
			}
			var want []string
			if c.problem != "" {
				want = append(want, c.problem)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v\n%v", got, want, problems)
			}
		})
	}
}

// Names of the certificate come from the ServiceEntry, unless the rule has its own;
// weights come with the endpoints.
func TestServiceEntryDetails(t *testing.T) {
	const entry = "hosts: [api.example.com]\n  ports: [{number: 443, name: https, protocol: HTTPS}]\n  resolution: STATIC\n  subjectAltNames: [spiffe://cluster.local/ns/a/sa/b]\n  endpoints: [{address: 192.0.2.1, weight: 3}, {address: 192.0.2.2}]"
	for _, c := range []struct{ tls, names string }{
		{"{mode: SIMPLE}", "spiffe://cluster.local/ns/a/sa/b"},
		{"{mode: SIMPLE, subjectAltNames: [c.example.com]}", "c.example.com"},
	} {
		b, problems := backendOf(t, "{host: api.example.com}", entryYAML("shop/e", entry), ruleYAML("shop/r", "host: api.example.com\n  trafficPolicy: {tls: "+c.tls+"}"))
		if b.TLS == nil || strings.Join(b.TLS.Names, " ") != c.names || b.TLS.Name != "api.example.com" || len(problems) > 0 {
			t.Errorf("%s: got %+v, %v", c.tls, b.TLS, problems)
		}
		if len(b.Endpoints) != 2 || b.Endpoints[0].Weight != 3 || b.Endpoints[1].Weight != 0 || b.Endpoints[0].Origin.Field != "spec.endpoints[0]" {
			t.Errorf("got %+v", b.Endpoints)
		}
	}
	b, problems := backendOf(t, "{host: \"*.example.com\"}", entryYAML("shop/e", strings.Replace(entry, "api.example.com", "\"*.example.com\"", 1)), ruleYAML("shop/r", "host: \"*.example.com\"\n  trafficPolicy: {tls: {mode: SIMPLE}}"))
	if b.Missing == "" || !problems.HasErrors() {
		t.Errorf("a wildcard is asked for and verified: got %+v, %v", b, problems)
	}
}
