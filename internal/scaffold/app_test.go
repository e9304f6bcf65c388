package scaffold

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// FuzzApp: whatever the answers, they are refused, or every file is one object of the
// meant kind, name and namespace, and has the answers as its values and nowhere else.
func FuzzApp(f *testing.F) {
	f.Add("myapp", "myapp", "/myapp", "", "header", "login", true, "ghcr.io/acme/myapp:1.4.2", 8080, "myapp-service", 80, "cluster.example.com", "public", "", "")
	f.Add("no", "on", "/1e3", "", "setting", "own", false, "", 0, "y", 1, "null.0", "~", "argocd", "")
	f.Add("files", "files", "", "files.example.com", "", "public", true, "a@sha256:"+strings.Repeat("0", 64), 1, "x", 443, "", "public", "minio", "")
	f.Add("a\nkind: Secret", "a", "/a: b", "", "nothing", "programs", true, "a:1\n---", 1, "#", 1, "{}", "*x", "vllm", "a b")
	f.Add("chat", "chat", "/serving/chat", "", "nothing", "programs", true, "vllm/vllm-openai:v1", 8000, "chat-service", 80, "a.b", "public", "vllm", "true")
	f.Fuzz(func(t *testing.T, name, namespace, prefix, host, told, access string, sidecar bool, image string, target int, service string, port int, site, class, preset, model string) {
		a := &App{Name: name, Namespace: namespace, Prefix: prefix, Host: host, Told: Told(told), Access: Access(access), Sidecar: sidecar,
			Image: image, TargetPort: target, Service: service, Port: port,
			Preset: preset, Model: model, Platform: NewPlatform(DefaultGateway)}
		a.Platform.Host, a.Platform.IngressClass = site, class
		files, err := a.Files()
		if err != nil {
			return
		}
		var kinds []string
		for _, file := range files {
			var o struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
				Images   []struct{ Name, NewTag, Digest string }
			}
			for i, document := range strings.Split(file.Text, "\n---\n") {
				if i > 0 && file.Name != "base/settings.yaml" {
					t.Fatalf("%s is more than one document:\n%s", file.Name, file.Text)
				}
				if err := yaml.UnmarshalStrict([]byte(document), &map[string]any{}); err != nil {
					t.Fatalf("%s: %v\n%s", file.Name, err, file.Text)
				}
			}
			if err := yaml.Unmarshal([]byte(file.Text), &o); err != nil {
				t.Fatalf("%s: %v\n%s", file.Name, err, file.Text)
			}
			kinds = append(kinds, o.Kind)
			switch o.Kind {
			case "Kustomization":
				for _, i := range o.Images {
					if got := i.Name + "@" + i.Digest; i.Digest != "" && !strings.HasSuffix(image, i.Digest) || i.Digest == "" && image != i.Name+":"+i.NewTag {
						t.Errorf("image %s became %s %s", image, got, i.NewTag)
					}
				}
			case "Namespace":
				if o.Metadata.Name != namespace {
					t.Errorf("namespace %s became %s", namespace, o.Metadata.Name)
				}
			default:
				if o.Metadata.Namespace != namespace || !strings.HasPrefix(o.Metadata.Name, name) && o.Metadata.Name != service && file.Name != "base/settings.yaml" {
					t.Errorf("%s is %s %s/%s", file.Name, o.Kind, o.Metadata.Namespace, o.Metadata.Name)
				}
			}
		}
		want := []string{"Kustomization", "Kustomization", "Namespace"}
		for kind, there := range map[string]bool{"Deployment": image != "", "Service": image != "", "VirtualService": prefix != "", "Ingress": host != "", "AuthorizationPolicy": sidecar} {
			if there {
				want = append(want, kind)
			}
		}
		slices.Sort(kinds)
		slices.Sort(want)
		if preset == "" && !slices.Equal(kinds, want) {
			t.Errorf("got %v, want %v", kinds, want)
		}
		for _, file := range a.Tests() {
			var tests struct {
				Tests []struct{ Name, Request string }
			}
			if err := yaml.Unmarshal([]byte(file.Text), &tests); err != nil {
				t.Fatalf("%s: %v\n%s", file.Name, err, file.Text)
			}
			for _, c := range tests.Tests {
				if _, url, ok := strings.Cut(c.Request, " "); !ok || strings.ContainsAny(url, " \n") {
					t.Errorf("%s: request %q", file.Name, c.Request)
				}
			}
		}
	})
}

// Texts that some reader of YAML takes for something else stay texts.
func TestWord(t *testing.T) {
	words := map[string]string{}
	for _, w := range []string{"no", "on", "y", "N", "null", "~", "", "1", "1.4", "1e3", "0x1f", "0o7", "1_000", "12:30:45", "2026-01-01", ".inf", "<<", "=",
		"a: b", "a #b", "#a", "- a", "*a", "&a", "!a", "{a", "[a", "'a", `"a`, "%a", "@a", "`a", "|", ">", "?", " a ", "a\nb", "\t", "\u2028", "true", "100m"} {
		words[w] = w
	}
	var pairs []any
	for _, k := range slices.Sorted(maps.Keys(words)) {
		pairs = append(pairs, k, k)
	}
	text, err := page("", tree(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := yaml.Unmarshal([]byte(text), &got); err != nil || !maps.Equal(got, words) {
		t.Errorf("got %v, %v of\n%s", got, err, text)
	}
}
