package source

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// load reads a text as a file of its own.
func load(t testing.TB, text string) (*object.Set, problem.List) {
	t.Helper()
	set, problems, err := Load(t.Context(), Options{Texts: []Text{{Name: "a.yaml", Data: []byte(text)}}})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return set, problems
}

// brief is a problem on one line, without the remedy.
func brief(p problem.Problem) string {
	return fmt.Sprintf("%s %s [%s] %s %s: %s", p.Severity, p.Code, p.Object, p.Place(), p.Field, p.Message)
}

func compare(t *testing.T, problems problem.List, want []string) {
	t.Helper()
	var got []string
	for _, p := range problems {
		got = append(got, brief(p))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("problems:\ngot:\n%s\nwant:\n%s", g, w)
	}
}

const valid = "---\napiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: ns}\nspec: {ports: [{port: 80}]}\n"

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, text string
		used       bool // the first object is in the set
		want       []string
	}{{
		name: "nothing wrong",
		text: "# a comment\napiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: ns\nspec:\n  ports:\n  - port: 80\n    targetPort: http\n",
		used: true,
	}, {
		name: "an unknown field of a struct",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: ns\nspec:\n  ports:\n  - port: 80\n    targetport: 8080\n",
		used: true,
		want: []string{"error unknown-field [Service ns/s] a.yaml:9 spec.ports[0].targetport: there is no field targetport here; the nearest is targetPort. The API server drops it, with everything below it"},
	}, {
		name: "unknown fields of a message, all of them",
		text: `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: s
  namespace: ns
spec:
  hosts: ["*"]
  http:
  - match:
    - uri:
        perfix: /a/
      method: {exact: GET}
      somethingElse: {}
    timeOut: 5s
`,
		used: true,
		want: []string{
			"error unknown-field [VirtualService ns/s] a.yaml:11 spec.http[0].match[0].uri.perfix: there is no field perfix here; the nearest is prefix. The API server drops it, with everything below it",
			"error unknown-field [VirtualService ns/s] a.yaml:13 spec.http[0].match[0].somethingElse: there is no field somethingElse here; the API server drops it, with everything below it",
			"error unknown-field [VirtualService ns/s] a.yaml:14 spec.http[0].timeOut: there is no field timeOut here; the nearest is timeout. The API server drops it, with everything below it",
		},
	}, {
		name: "the original names of a message's fields, as protobuf's JSON has them",
		text: "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s, namespace: ns}\nspec: {export_to: [.], http: [{direct_response: {status: 503}}]}\n",
		used: true,
	}, {
		name: "a text where a number belongs",
		text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns}\nspec:\n  ports:\n  - port: \"80\"\n",
		want: []string{`error schema [Service ns/s] a.yaml:6 spec.ports[0].port: a whole number is wanted, and this is the text "80"; the API server refuses the object`},
	}, {
		name: "a boolean in an annotation",
		text: "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: s\n  namespace: ns\n  annotations:\n    nginx.ingress.kubernetes.io/ssl-redirect: no\n",
		want: []string{"error schema [Ingress ns/s] a.yaml:7 metadata.annotations[nginx.ingress.kubernetes.io/ssl-redirect]: a string is wanted, and this is the boolean no; the API server refuses the object"},
	}, {
		name: "a mapping where a list belongs",
		text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns}\nspec:\n  ports:\n    port: 80\n",
		want: []string{"error schema [Service ns/s] a.yaml:6 spec.ports: a list is wanted, and this is a mapping; the API server refuses the object"},
	}, {
		name: "an empty entry of a list",
		text: "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s, namespace: ns}\nspec:\n  http:\n  -\n",
		want: []string{"error schema [VirtualService ns/s] a.yaml:6 spec.http[0]: a value is wanted, and this is nothing; the API server refuses the object"},
	}, {
		name: "values that are none",
		text: "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: s, namespace: ns}\nspec:\n  host: a\n  trafficPolicy:\n    loadBalancer: {simple: ROUNDROBIN}\n    tls: {mode: DISABLE}\n    connectionPool: {tcp: {connectTimeout: 5}}\n",
		want: []string{
			`error schema [DestinationRule ns/s] a.yaml:7 spec.trafficPolicy.loadBalancer.simple: "ROUNDROBIN" is no value of this field; the API server refuses the object`,
			`error schema [DestinationRule ns/s] a.yaml:9 spec.trafficPolicy.connectionPool.tcp.connectTimeout: a duration such as 30s, 1m30s or 500ms is wanted, and this is the number 5; the API server refuses the object`,
		},
	}, {
		name: "a word of Kubernetes in the wrong case",
		text: "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: s, namespace: ns}\nspec:\n  rules:\n  - http:\n      paths:\n      - {path: /, pathType: prefix}\n",
		want: []string{`error schema [Ingress ns/s] a.yaml:8 spec.rules[0].http.paths[0].pathType: "prefix" is no value of this field; the API server refuses the object`},
	}, {
		name: "two of what excludes each other",
		text: "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s, namespace: ns}\nspec:\n  http:\n  - match:\n    - uri:\n        prefix: /\n        exact: /\n",
		want: []string{"error schema [VirtualService ns/s] a.yaml:9 spec.http[0].match[0].uri.exact: prefix and exact exclude each other; the API server refuses the object"},
	}, {
		name: "a key twice",
		text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns}\nspec:\n  selector:\n    app: a\n    app: b\n",
		used: true,
		want: []string{"error duplicate-key [Service ns/s] a.yaml:7 spec.selector.app: app is here for the second time (line 6 has it too); the last one counts"},
	}, {
		name: "a Secret that is not in base64",
		text: "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: ns}\ndata:\n  password: secret!\n",
		want: []string{`error schema [Secret ns/s] a.yaml:5 data.password: a value in base64 is wanted, and the text "secret!" is not; the API server refuses the object`},
	}, {
		name: "not YAML",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: ns\nspec:\n  ports: [\n  - x\n",
		want: []string{"error document-invalid [Service ns/s] a.yaml:8 : the document is left out, it is not YAML: did not find expected node content"},
	}, {
		name: "an indentation that does not fit",
		text: "# a comment\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s\n   namespace: ns\n",
		want: []string{"error document-invalid [Service default/s] a.yaml:7 : the document is left out, it is not YAML: mapping values are not allowed in this context"},
	}, {
		name: "a mapping that ends too early",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: ns\nspec:\n  selector:\n    app: a\n   type: ClusterIP\n",
		want: []string{"error document-invalid [Service ns/s] a.yaml:9 : the document is left out, it is not YAML: did not find expected key"},
	}, {
		name: "a tab",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n\tname: s\n",
		want: []string{"error document-invalid [Document a.yaml:1] a.yaml:4 : the document is left out, it is not YAML: found character that cannot start any token"},
	}, {
		name: "an alias of nothing",
		text: "apiVersion: v1\nkind: Service\nmetadata: *nothing\n",
		want: []string{"error document-invalid [Document a.yaml:1] a.yaml:1 : the document is left out, it is not YAML: unknown anchor 'nothing' referenced"},
	}, {
		name: "a template",
		text: "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n{{- if .x }}\n  namespace: ns\n{{- end }}\n",
		want: []string{"error document-invalid [Service ns/s] a.yaml:6 : the document is left out, it is not YAML: could not find expected ':'"},
	}, {
		name: "an API version that is gone",
		text: "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: s, namespace: ns}\n",
		want: []string{"error api-version [Ingress ns/s] a.yaml:1 apiVersion: there is no kind Ingress in extensions/v1beta1 (any more); it is in networking.k8s.io/v1. The API server refuses the object"},
	}, {
		name: "an API version that never was",
		text: "apiVersion: networking.istio.io/v1alpha1\nkind: Gateway\nmetadata:\n  name: s\n  namespace: ns\n",
		want: []string{`error api-version [Gateway ns/s] a.yaml:1 apiVersion: Gateway.networking.istio.io has no version "v1alpha1"; the versions are v1, v1beta1, v1alpha3. The API server refuses the object`},
	}, {
		name: "a group with a slip",
		text: "apiVersion: security.istio.i0/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: s\n  namespace: ns\n",
		want: []string{"error api-version [AuthorizationPolicy ns/s] a.yaml:1 apiVersion: there is no kind AuthorizationPolicy in security.istio.i0/v1 (any more); it is in security.istio.io/v1. The API server refuses the object"},
	}, {
		name: "a kind with a slip",
		text: "apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata:\n  name: s\n  namespace: ns\n",
		want: []string{"error api-version [VirtualServce ns/s] a.yaml:1 kind: there is no kind VirtualServce in networking.istio.io/v1; the nearest is VirtualService. The API server refuses the object"},
	}, {
		name: "no kind",
		text: "apiVersion: v1\nknd: Service\nmetadata: {name: s}\n",
		want: []string{"error document-invalid [Document a.yaml:1] a.yaml:1 : the document is left out, it is no Kubernetes object: it has no kind; there is knd"},
	}, {
		name: "no name",
		text: "apiVersion: v1\nkind: Service\nmetadata: {namespace: ns}\n",
		want: []string{"error document-invalid [Document a.yaml:1] a.yaml:1 metadata.name: Service without metadata.name; the API server refuses it"},
	}, {
		name: "a kind that is not carried out",
		text: "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata:\n  name: s\n  namespace: ns\n",
		want: []string{"warning not-carried-out [EnvoyFilter ns/s] a.yaml:1 : EnvoyFilter is not carried out: requests go on as if it were not there"},
	}, {
		name: "kinds of others with the names of ours",
		text: "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: s}\n---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: s}\nspec: {whatever: 1}\n",
	}, {
		name: "status is the cluster's business",
		text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns, managedFields: [{x: 1}]}\nstatus: {fieldOfTomorrow: 1, loadBalancer: 7}\n",
		used: true,
	}, {
		name: "null leaves a field out",
		text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns, creationTimestamp: null, labels: ~}\nspec:\n  ports:\n  selector: null\n",
		used: true,
	}} {
		t.Run(c.name, func(t *testing.T) {
			set, problems := load(t, c.text+valid)
			compare(t, problems, c.want)
			wantLen := 1
			if c.used {
				wantLen = 2
			}
			if set.Len() != wantLen {
				t.Errorf("got %d objects, want %d: a mistake costs only its own object", set.Len(), wantLen)
			}
			if _, ok := set.Services.Get("ns", "other"); !ok {
				t.Error("the next document of the file is lost")
			}
			for _, p := range problems {
				if p.Remedy == "" {
					t.Errorf("no remedy: %v", p)
				}
			}
		})
	}
}

func TestDuplicateObjects(t *testing.T) {
	const first = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n---\n"
	_, problems := load(t, first+first)
	compare(t, problems, []string{"info duplicate-object [Service default/s] a.yaml:6 : the same object is also at a.yaml:1"})

	set, problems := load(t, first+"apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: default}\nspec: {ports: [{port: 81}]}\n")
	compare(t, problems, []string{"error duplicate-object [Service default/s] a.yaml:6 : another object of this name, with different content, is at a.yaml:1; this one, the last to be applied, wins"})
	if s, _ := set.Services.Get("default", "s"); s.Object.Spec.Ports[0].Port != 81 {
		t.Error("the last one must win")
	}
}

func TestValues(t *testing.T) {
	set, problems := load(t, `
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: ns}
data:
  a: |
    aGVs
    bG8=
  b: "eA=="
stringData: {b: plain}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: ns}
data: {x: "yes", z: !!str 1, 8080: q}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: v, namespace: ns}
spec:
  http:
  - timeout: 1m30s
    fault: {abort: {percentage: {value: 0.5}, httpStatus: 0x1F4}}
    corsPolicy: {allowCredentials: on}
    mirrorPercentage: {value: 1_0.0}
    route:
    - &dest
      destination: {host: a, port: {number: 80}}
      weight: 100.0
    - <<: *dest
      weight: 5
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: {name: p, namespace: ns}
spec:
  selector: {matchLabels: {a: b}}
  portLevelMtls: {8443: {mode: PERMISSIVE}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: ns}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: d}}
    spec:
      containers:
      - name: c
        ports: [{containerPort: 8080, name: http}]
        resources: {limits: {cpu: 1, memory: 1Gi}}
        livenessProbe: {httpGet: {port: http, path: /}}
`)
	compare(t, problems, nil)
	secret, _ := set.Secrets.Get("ns", "s")
	if a, b := string(secret.Object.Data["a"]), string(secret.Object.Data["b"]); a != "hello" && b != "plain" {
		t.Errorf("Secret: got %q and %q", a, b)
	}
	config, _ := set.ConfigMaps.Get("ns", "c")
	if d := config.Object.Data; d["x"] != "yes" || d["z"] != "1" || d["8080"] != "q" {
		t.Errorf("ConfigMap: got %v", d)
	}
	vs, _ := set.VirtualServices.Get("ns", "v")
	http := vs.Object.Spec.Http[0]
	if http.Timeout.AsDuration().String() != "1m30s" || http.Fault.Abort.GetHttpStatus() != 500 || !http.CorsPolicy.AllowCredentials.Value || http.MirrorPercentage.Value != 10 {
		t.Errorf("VirtualService: got %v", http)
	}
	if r := http.Route; len(r) != 2 || r[0].Weight != 100 || r[1].Weight != 5 || r[1].Destination.Port.Number != 80 {
		t.Errorf("merged routes: got %v", r)
	}
	peer, _ := set.PeerAuthentications.Get("ns", "p")
	if peer.Object.Spec.PortLevelMtls[8443].Mode.String() != "PERMISSIVE" {
		t.Errorf("PeerAuthentication: got %v", peer.Object.Spec.PortLevelMtls)
	}
	w, _ := set.Workloads.Get("ns", "d")
	if port, ok := w.Object.Port("http"); !ok || port != 8080 || w.Object.Template.Spec.Containers[0].Resources.Limits.Memory().Value() != 1<<30 {
		t.Errorf("Deployment: got %v", w.Object.Template.Spec)
	}
}

func TestLists(t *testing.T) {
	set, problems := load(t, `{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}},
	{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "ns"},
	 "spec": {"prots": []}}
]}
---
apiVersion: v1
kind: ServiceList
items:
- metadata: {name: t, namespace: ns}
- metadata: {name: u, namespace: ns}
---
apiVersion: v1
kind: List
items: []
`)
	compare(t, problems, []string{"error unknown-field [Service ns/s] a.yaml:4 spec.prots: there is no field prots here; the nearest is ports. The API server drops it, with everything below it"})
	if set.Services.Len() != 3 || set.Namespaces.Len() != 1 {
		t.Errorf("got %d Services and %d Namespaces, want 3 and 1", set.Services.Len(), set.Namespaces.Len())
	}
	if s, _ := set.Services.Get("ns", "s"); s.Origin.Line != 3 {
		t.Errorf("origin: got %v, want line 3", s.Origin)
	}
}

func TestFiles(t *testing.T) {
	service := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: ns}\n")}
	}
	fsys := fstest.MapFS{
		"dir/a.yaml":             service("a"),
		"dir/sub/b.yml":          service("b"),
		"dir/sub/c.json":         {Data: []byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"c","namespace":"ns"}}`)},
		"dir/readme.md":          {Data: []byte("# not a manifest")},
		"dir/.git/d.yaml":        service("d"),
		"dir/.hidden.yaml":       service("e"),
		"dir/values.yaml":        {Data: []byte("replicas: 1\n")},
		"dir/kustomization.yaml": {Data: []byte("resources: [a.yaml]\n")},
		"other":                  service("f"),
		"crd.yaml":               {Data: []byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: x\nspec: [this, is: {not, YAML\n")},
	}
	opts := Options{FS: fsys, Files: []string{"dir", "./dir/a.yaml", "other", "crd.yaml", "-"}, Stdin: strings.NewReader("apiVersion: v1\nkind: Service\nmetadata: {name: g}\n")}
	set, problems, err := Load(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range set.Services.All() {
		got = append(got, s.Ref.Name+" "+s.Origin.String())
	}
	want := "g stdin:1, a dir/a.yaml:1, b dir/sub/b.yml:1, c dir/sub/c.json:1, f other:1"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	compare(t, problems, []string{
		"info document-invalid [Document dir/values.yaml:1] dir/values.yaml:1 : the document is left out, it is no Kubernetes object",
		"info kustomization-not-built [Kustomization dir] dir/kustomization.yaml : the files of this directory are read one by one, without the namespace, patches and generators of its kustomization",
	})
	if n := set.Others["CustomResourceDefinition.apiextensions.k8s.io"]; n != 1 {
		t.Errorf("got %d CRDs counted, want 1, without being parsed", n)
	}
}

func TestLoadFails(t *testing.T) {
	fsys := fstest.MapFS{
		"empty/readme": {Data: []byte("x")},
		"bad/a.yaml":   {Data: []byte("a: [")},
	}
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{}, "no manifests named; give files with -f or a kustomization with -k"},
		{Options{Files: []string{"missing"}}, "read manifests: open missing: file does not exist"},
		{Options{Files: []string{"empty"}}, "no object in -f empty"},
		{Options{Files: []string{"bad"}}, "no object in -f bad"},
		{Options{Kustomizations: []string{"empty"}}, "build the kustomization empty: no kustomization.yaml in empty"},
	} {
		c.opts.FS = fsys
		_, _, err := Load(t.Context(), c.opts)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: got %v, want %s", c.opts.Files, err, c.want)
		}
	}
}
