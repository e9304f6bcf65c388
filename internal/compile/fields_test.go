package compile_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	networkingv1alpha3 "istio.io/api/networking/v1alpha3"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// What docs/manifests.md may say of a field.
const (
	carriedOut = "yes"       // it changes the plan
	reported   = "reported"  // it is a problem
	without    = "no effect" // it has no meaning on one machine, or none at all
)

// section is a message of Istio's API: a table of docs/manifests.md, and where
// its fields stand in manifests.
type section struct {
	title    string
	message  proto.Message
	manifest string            // with FIELD where the field goes
	samples  map[string]string // by field: what to write there
}

// around is what every sample stands on.
const around = `
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {selector: {istio: gw}, ports: [{name: http, port: 80}, {name: https, port: 443}, {name: more, port: 8081}]}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: shop}
spec: {selector: {app: app}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {selector: {app: other}, ports: [{name: http, port: 80}, {name: more, port: 81}]}
---
apiVersion: v1
kind: Pod
metadata: {name: app-1, namespace: shop, labels: {app: app, version: v1}}
spec: {containers: [{name: app}]}
status: {podIP: 192.0.2.1, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: leaf, namespace: shop}
spec: {http: [{route: [{destination: {host: other, port: {number: 80}}}]}]}
---
`

const service = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs, namespace: shop}
spec: `

func rule(text string) string {
	return service + `{hosts: ["*"], gateways: [gw], http: [` + text + `]}` + plainGateway()
}

func gatewayWith(spec string) string {
	return `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec: {` + spec + `}
`
}

func plainGateway() string {
	return gatewayWith(`selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]`)
}

const to = `route: [{destination: {host: app}}]`

func sections() []section {
	return []section{
		{"Gateway", &networkingv1alpha3.Gateway{}, service + `{hosts: ["*"], gateways: [gw], http: [{` + to + `}]}` + gatewayWith("FIELD"), map[string]string{
			"servers":  `servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}], selector: {istio: gw}`,
			"selector": `selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]`,
		}},
		{"Server", &networkingv1alpha3.Server{}, service + `{hosts: ["*"], gateways: [gw], http: [{` + to + `}]}` + gatewayWith("selector: {istio: gw}, servers: [{FIELD}]"), map[string]string{
			"port": `port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]`, "hosts": `hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}`,
			"bind": `bind: 127.0.0.1, hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}`, "tls": `tls: {httpsRedirect: true}, hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}`,
			"defaultEndpoint": `defaultEndpoint: "127.0.0.1:80", hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}`,
			"name":            `name: first, hosts: ["*"], port: {number: 80, name: http, protocol: HTTP}`,
		}},
		{"ServerTLSSettings", &networkingv1alpha3.ServerTLSSettings{}, service + `{hosts: ["*"], gateways: [gw], http: [{` + to + `}]}` +
			gatewayWith(`selector: {istio: gw}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {FIELD}}]`), map[string]string{
			"httpsRedirect": `httpsRedirect: true, credentialName: cert, mode: SIMPLE`, "mode": `mode: MUTUAL, credentialName: cert`,
			"caCertificates": `caCertificates: /ca.pem, mode: SIMPLE, credentialName: cert`, "caCrl": `caCrl: /crl.pem, mode: SIMPLE, credentialName: cert`,
			"credentialName": `credentialName: cert, mode: SIMPLE`, "credentialNames": `credentialNames: [cert, cert], mode: SIMPLE`,
			"caCertCredentialName": `caCertCredentialName: cert, mode: SIMPLE, credentialName: cert`,
			"subjectAltNames":      `subjectAltNames: [a], mode: SIMPLE, credentialName: cert`, "verifyCertificateSpki": `verifyCertificateSpki: [a], mode: SIMPLE, credentialName: cert`,
			"verifyCertificateHash": `verifyCertificateHash: [a], mode: SIMPLE, credentialName: cert`,
			"minProtocolVersion":    `minProtocolVersion: TLSV1_3, mode: SIMPLE, credentialName: cert`, "maxProtocolVersion": `maxProtocolVersion: TLSV1_2, mode: SIMPLE, credentialName: cert`,
			"cipherSuites": `cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256], mode: SIMPLE, credentialName: cert`, "insecureSkipVerify": `insecureSkipVerify: true, mode: SIMPLE, credentialName: cert`,
		}},
		{"VirtualService", &networkingv1alpha3.VirtualService{}, service + `{FIELD}` + plainGateway(), map[string]string{
			"hosts": `hosts: [app.example.com], gateways: [gw], http: [{` + to + `}]`, "gateways": `gateways: [gw], hosts: ["*"], http: [{` + to + `}]`,
			"http": `http: [{` + to + `}], gateways: [gw], hosts: ["*"]`, "tls": `tls: [{match: [{sniHosts: [a]}], ` + to + `}], hosts: [a]`,
			"tcp": `tcp: [{` + to + `}], hosts: [a]`, "exportTo": `exportTo: ["."], hosts: ["*"], gateways: [gw], http: [{` + to + `}]`,
		}},
		{"HTTPRoute", &networkingv1alpha3.HTTPRoute{}, rule(`{FIELD}`), map[string]string{
			"name": `name: first, ` + to, "match": `match: [{uri: {prefix: /x}}], ` + to, "route": to, "redirect": `redirect: {uri: /y}`, "directResponse": `directResponse: {status: 200}`,
			"delegate": `delegate: {name: leaf}`, "rewrite": to + `, rewrite: {uri: /y}`, "timeout": to + `, timeout: 1s`, "retries": to + `, retries: {attempts: 9}`,
			"fault": to + `, fault: {abort: {httpStatus: 500, percentage: {value: 7}}}`, "mirror": to + `, mirror: {host: other, port: {number: 80}}`,
			"mirrors": to + `, mirrors: [{destination: {host: other, port: {number: 80}}}]`, "mirrorPercent": to + `, mirror: {host: other, port: {number: 80}}, mirrorPercent: 7`,
			"mirrorPercentage": to + `, mirror: {host: other, port: {number: 80}}, mirrorPercentage: {value: 7}`,
			"corsPolicy":       to + `, corsPolicy: {allowOrigins: [{exact: a}]}`, "headers": to + `, headers: {request: {set: {a: b}}}`,
		}},
		{"HTTPMatchRequest", &networkingv1alpha3.HTTPMatchRequest{}, rule(`{match: [{FIELD}], ` + to + `}`), map[string]string{
			"name": `name: first`, "uri": `uri: {prefix: /x}`, "scheme": `scheme: {exact: https}`, "method": `method: {exact: PUT}`, "authority": `authority: {exact: a}`,
			"headers": `headers: {a: {exact: b}}`, "port": `port: 81`, "sourceLabels": `sourceLabels: {a: b}`, "gateways": `gateways: [mesh]`,
			"queryParams": `queryParams: {a: {exact: b}}`, "ignoreUriCase": `ignoreUriCase: true, uri: {exact: /x}`, "withoutHeaders": `withoutHeaders: {a: {exact: b}}`,
			"sourceNamespace": `sourceNamespace: shop`, "statPrefix": `statPrefix: s`,
		}},
		{"HTTPRedirect", &networkingv1alpha3.HTTPRedirect{}, rule(`{redirect: {FIELD}}`), map[string]string{
			"uri": `uri: /x`, "authority": `authority: a`, "port": `port: 8080`, "derivePort": `derivePort: FROM_REQUEST_PORT, scheme: https`, "scheme": `scheme: https`,
			"redirectCode": `redirectCode: 308`, "prefixRewrite": `prefixRewrite: /y`,
		}},
		{"HTTPDirectResponse", &networkingv1alpha3.HTTPDirectResponse{}, rule(`{directResponse: {FIELD}}`), map[string]string{
			"status": `status: 418`, "body": `body: {string: x}, status: 200`,
		}},
		{"HTTPRewrite", &networkingv1alpha3.HTTPRewrite{}, rule(`{` + to + `, rewrite: {FIELD}}`), map[string]string{
			"uri": `uri: /y`, "authority": `authority: a`, "uriRegexRewrite": `uriRegexRewrite: {match: a, rewrite: b}`,
		}},
		{"HTTPRetry", &networkingv1alpha3.HTTPRetry{}, rule(`{` + to + `, retries: {FIELD}}`), map[string]string{
			"attempts": `attempts: 7`, "perTryTimeout": `perTryTimeout: 1s, attempts: 3`, "retryOn": `retryOn: 5xx, attempts: 3`, "retryRemoteLocalities": `retryRemoteLocalities: true, attempts: 3`,
			"retryIgnorePreviousHosts": `retryIgnorePreviousHosts: false, attempts: 3`, "backoff": `backoff: 1s, attempts: 3`,
		}},
		{"HTTPFaultInjection.Delay", &networkingv1alpha3.HTTPFaultInjection_Delay{}, rule(`{` + to + `, fault: {delay: {FIELD}}}`), map[string]string{
			"fixedDelay": `fixedDelay: 1s, percentage: {value: 7}`, "percent": `percent: 7, fixedDelay: 1s`,
			"percentage": `percentage: {value: 7}, fixedDelay: 1s`,
		}},
		{"HTTPFaultInjection.Abort", &networkingv1alpha3.HTTPFaultInjection_Abort{}, rule(`{` + to + `, fault: {abort: {FIELD}}}`), map[string]string{
			"httpStatus": `httpStatus: 500, percentage: {value: 7}`, "grpcStatus": `grpcStatus: UNAVAILABLE, percentage: {value: 7}`, "percentage": `percentage: {value: 7}, httpStatus: 500`,
		}},
		{"CorsPolicy", &networkingv1alpha3.CorsPolicy{}, rule(`{` + to + `, corsPolicy: {FIELD}}`), map[string]string{
			"allowOrigin": `allowOrigin: [a]`, "allowOrigins": `allowOrigins: [{exact: a}]`, "allowMethods": `allowMethods: [PUT]`, "allowHeaders": `allowHeaders: [a]`,
			"exposeHeaders": `exposeHeaders: [a]`, "maxAge": `maxAge: 1s`, "allowCredentials": `allowCredentials: true`, "unmatchedPreflights": `unmatchedPreflights: IGNORE`,
		}},
		{"HTTPRouteDestination", &networkingv1alpha3.HTTPRouteDestination{}, rule(`{route: [{destination: {host: app}, weight: 1}, {FIELD}]}`), map[string]string{
			"destination": `destination: {host: app}`, "weight": `weight: 7, destination: {host: app}`, "headers": `destination: {host: app}, headers: {request: {set: {a: b}}}`,
		}},
		{"Destination", &networkingv1alpha3.Destination{}, rule(`{route: [{destination: {FIELD}}]}`), map[string]string{
			"host": `host: app`, "subset": `subset: v1, host: app`, "port": `port: {number: 81}, host: other`,
		}},
		{"HTTPMirrorPolicy", &networkingv1alpha3.HTTPMirrorPolicy{}, rule(`{` + to + `, mirrors: [{FIELD}]}`), map[string]string{
			"destination": `destination: {host: app}`, "percentage": `percentage: {value: 7}, destination: {host: app}`,
		}},
		{"Headers.HeaderOperations", &networkingv1alpha3.Headers_HeaderOperations{}, rule(`{` + to + `, headers: {request: {FIELD}}}`), map[string]string{
			"set": `set: {a: b}`, "add": `add: {a: b}`, "remove": `remove: [a]`,
		}},
	}
}

// secret is the Secret istio-system/cert, with a certificate and its key.
func secret(t *testing.T) []byte {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	s.Close()
	c := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": "cert", "namespace": "istio-system"},
		"data": map[string][]byte{
			"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
			"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// planOf loads and compiles manifests.
func planOf(t *testing.T, secret []byte, text string) (*plan.Plan, problem.List) {
	t.Helper()
	texts := []source.Text{{Name: "m.yaml", Data: []byte(around + text)}, {Name: "secret.yaml", Data: secret}}
	set, problems, err := source.Load(t.Context(), source.Options{Texts: texts})
	if err != nil || len(problems) > 0 {
		t.Fatalf("load: %v %v in\n%s", err, problems, text)
	}
	return compile.Compile(set, compile.Options{})
}

// Nothing is ignored silently: each field of the messages that Doorward reads
// has a row in docs/manifests.md, and does what the row says.
func TestEveryFieldIsDocumented(t *testing.T) {
	rows, cert := documented(t), secret(t)
	for _, s := range slices.Concat(sections(), backendSections(), tokenSections(), policySections()) {
		t.Run(s.title, func(t *testing.T) {
			fields := s.message.ProtoReflect().Descriptor().Fields()
			for i := range fields.Len() {
				field := fields.Get(i).JSONName()
				want := rows[s.title][field]
				sample, ok := s.samples[field]
				if !ok {
					if want != reported {
						t.Errorf("no sample for %s, documented as %q", field, want)
					}
					continue
				}
				if got := s.verdict(t, cert, field, sample); got != want {
					t.Errorf("%s: %s, docs/manifests.md says %q", field, got, want)
				}
			}
			for field := range rows[s.title] {
				if fields.ByJSONName(field) == nil {
					t.Errorf("docs/manifests.md has a row for %s, which %s has not", field, s.title)
				}
			}
		})
	}
}

// verdict compares the plan with the field to the plan with an empty message.
func (s *section) verdict(t *testing.T, cert []byte, field, sample string) string {
	base := ""
	// What the sample needs beside the field stands in the base as well.
	for _, part := range parts(sample) {
		if !strings.HasPrefix(part, field+":") {
			base += part + ", "
		}
	}
	before, known := planOf(t, cert, strings.Replace(s.manifest, "FIELD", base, 1))
	after, problems := planOf(t, cert, strings.Replace(s.manifest, "FIELD", sample, 1))
	for _, p := range problems {
		if p.Code == problem.NotCarriedOut && !slices.ContainsFunc(known, func(k problem.Problem) bool { return reflect.DeepEqual(k, p) }) {
			return reported
		}
	}
	if !reflect.DeepEqual(before, after) {
		return carriedOut
	}
	if !reflect.DeepEqual(known, problems) {
		return fmt.Sprintf("other problems: %v", problems)
	}
	return without
}

// parts splits flow YAML at its outermost commas.
func parts(text string) []string {
	var list []string
	depth, from := 0, 0
	for i, c := range text + "," {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				list, from = append(list, strings.TrimSpace(text[from:i])), i+1
			}
		}
	}
	return list
}

// documented reads the tables of docs/manifests.md: by heading and field, the
// first word of what the row says.
func documented(t *testing.T) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../docs/manifests.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]map[string]string{}
	title := ""
	for line := range strings.Lines(string(data)) {
		if heading, ok := strings.CutPrefix(line, "#"); ok {
			title = strings.TrimSpace(strings.TrimLeft(heading, "#"))
			rows[title] = map[string]string{}
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, field := range strings.Split(cells[1], ",") {
			if name, ok := strings.CutPrefix(strings.TrimSpace(field), "`"); ok {
				rows[title][strings.TrimSuffix(name, "`")] = strings.TrimSpace(cells[2])
			}
		}
	}
	return rows
}
