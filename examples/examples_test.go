package examples

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// production is every object of the platform, as "kind namespace/name".
var production = []string{
	"AuthorizationPolicy inference/allow-gateways",
	"AuthorizationPolicy mlflow/allow-all-in-namespace",
	"AuthorizationPolicy myapp/allow-all-in-namespace",
	"Deployment inference/iris",
	"Deployment minio/minio",
	"Deployment mlflow/mlflow",
	"Deployment myapp/myapp",
	"Gateway istio-system/cluster-local-gateway",
	"Gateway kubeflow/kubeflow-gateway",
	"Ingress istio-system/cluster-ingress",
	"Ingress minio/minio-ingress",
	"IngressClass public",
	"Namespace inference",
	"Namespace istio-system",
	"Namespace kubeflow",
	"Namespace minio",
	"Namespace mlflow",
	"Namespace myapp",
	"PersistentVolumeClaim minio/minio-data",
	"Service inference/iris-service",
	"Service istio-system/cluster-local-gateway",
	"Service istio-system/istio-ingressgateway",
	"Service minio/minio-service",
	"Service mlflow/mlflow-service",
	"Service myapp/myapp-service",
	"VirtualService inference/iris-vs",
	"VirtualService mlflow/mlflow-vs",
	"VirtualService myapp/myapp-prefixed-vs",
	"VirtualService myapp/myapp-vs",
}

// local is the same on one machine: with a start page, and the mesh's settings.
func local() []string {
	return slices.Sorted(slices.Values(append([]string{
		"ConfigMap istio-system/istio", "Namespace home", "Service home/home-service", "VirtualService home/home-vs",
	}, production...)))
}

// login is that, behind a login.
func login() []string {
	return slices.Sorted(slices.Values(append([]string{
		"AuthorizationPolicy istio-system/istio-ingressgateway-oauth2-proxy", "AuthorizationPolicy istio-system/istio-ingressgateway-require-jwt",
		"LoginProvider istio-system/oauth2-proxy", "Namespace auth", "RequestAuthentication istio-system/dex-jwt",
		"Secret istio-system/oauth2-proxy", "Service auth/dex", "VirtualService auth/dex",
	}, local()...)))
}

func TestPlatformHoldsEveryObject(t *testing.T) {
	for dir, want := range map[string][]string{"paas": production, "localhost": local(), "login": login()} {
		t.Run(dir, func(t *testing.T) {
			got := names(build(t, filesys.MakeFsOnDisk(), dir))
			if !slices.Equal(got, want) {
				t.Errorf("kustomization %s builds\n%s\nwant\n%s", dir, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestEveryKustomizationBuilds(t *testing.T) {
	built := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || path.Base(file) != "kustomization.yaml" {
			return err
		}
		built++
		t.Run(path.Dir(file), func(t *testing.T) {
			if build(t, filesys.MakeFsOnDisk(), path.Dir(file)).Size() == 0 {
				t.Error("the kustomization builds, but to nothing")
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 13; built != want {
		t.Errorf("found %d kustomizations, want %d: base and production of 5 applications, paas, localhost, login", built, want)
	}
}

// A file that its kustomization forgets would be read by -f and not by -k.
func TestEveryFileIsUsed(t *testing.T) {
	for _, base := range glob(t, "paas/*/base") {
		k, err := os.ReadFile(path.Join(base, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range glob(t, base+"/*.yaml") {
			name := path.Base(file)
			if name != "kustomization.yaml" && !strings.Contains(string(k), "  - "+name+"\n") {
				t.Errorf("%s is not among the resources of %s/kustomization.yaml", name, base)
			}
		}
	}
}

func TestEmbeddedIsWhatIsOnDisk(t *testing.T) {
	mem := filesys.MakeFsInMemory()
	err := fs.WalkDir(PaaS, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := PaaS.ReadFile(file)
		if err != nil {
			return err
		}
		return mem.WriteFile(file, data)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"paas", "localhost", "login"} {
		got, want := text(t, build(t, mem, dir)), text(t, build(t, filesys.MakeFsOnDisk(), dir))
		if got != want {
			t.Errorf("embedded %s builds other objects than the files on disk:\n%s\nwant\n%s", dir, got, want)
		}
	}
}

// Only names of the machine itself may remain when the platform runs on one.
func TestLocalhostHasNoOtherHost(t *testing.T) {
	got := text(t, build(t, filesys.MakeFsOnDisk(), "localhost"))
	if strings.Contains(got, "example.com") {
		t.Error("the localhost kustomization still names a host under example.com")
	}
	for _, host := range []string{"cluster.localhost", "minio.localhost"} {
		if n := strings.Count(got, host); n != 2 {
			t.Errorf("%s stands %d times in the localhost kustomization, want 2: rule and certificate", host, n)
		}
	}
}

func build(t *testing.T, files filesys.FileSystem, dir string) resmap.ResMap {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	return objects
}

func names(objects resmap.ResMap) []string {
	var list []string
	for _, o := range objects.Resources() {
		name := o.GetName()
		if ns := o.GetNamespace(); ns != "" {
			name = ns + "/" + name
		}
		list = append(list, fmt.Sprintf("%s %s", o.GetKind(), name))
	}
	slices.Sort(list)
	return list
}

func text(t *testing.T, objects resmap.ResMap) string {
	t.Helper()
	data, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := fs.Glob(os.DirFS("."), pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatalf("no file matches examples/%s", pattern)
	}
	return list
}
