package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// longestName leaves room for "-service" in a DNS label of 63 letters.
const longestName = 55

// CheckName tells what is wrong with the name of an application. Services are named after
// it, so it is a label of RFC 1035, which begins with a letter.
func CheckName(name string) error {
	if len(validation.IsDNS1035Label(name)) > 0 {
		return fmt.Errorf(`%q is no name: small letters, digits and "-", a letter first and no "-" last, as in my-app`, name)
	}
	if len(name) > longestName {
		return fmt.Errorf("the name %q has %d letters; %d are room for", name, len(name), longestName)
	}
	return nil
}

// CheckNamespace is CheckName for a namespace, and refuses those that are not an
// application's.
func CheckNamespace(name string) error {
	if len(validation.IsDNS1123Label(name)) > 0 {
		return fmt.Errorf(`%q is no namespace: up to 63 small letters, digits and "-", as in my-app`, name)
	}
	if strings.HasPrefix(name, "kube-") || slices.Contains([]string{"default", "istio-system", "kubeflow"}, name) {
		return fmt.Errorf("the namespace %s belongs to the platform; an application gets one of its own", name)
	}
	return nil
}

// CheckService tells what is wrong with the name of a Service.
func CheckService(name string) error {
	if len(validation.IsDNS1035Label(name)) > 0 {
		return fmt.Errorf(`%q is no name of a Service: small letters, digits and "-", a letter first, as in myapp-service`, name)
	}
	return nil
}

// checkObject tells what is wrong with the name of any other object.
func checkObject(what, name string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return fmt.Errorf(`%q is no name of a %s: small letters, digits, "-" and ".", as in letsencrypt-prod`, name, what)
	}
	return nil
}

// CheckHost tells what is wrong with a host.
func CheckHost(host string) error {
	if len(validation.IsDNS1123Subdomain(host)) > 0 || !strings.Contains(host, ".") {
		return fmt.Errorf("%q is no host; it is a DNS name with a dot, in small letters, as in myapp.example.com", host)
	}
	return nil
}

var segments = regexp.MustCompile(`^(/[A-Za-z0-9][A-Za-z0-9._~-]*)+$`)

// CheckPrefix tells what is wrong with a path prefix.
func CheckPrefix(prefix string) error {
	if len(prefix) > 200 || !segments.MatchString(prefix) {
		return fmt.Errorf(`%q is no prefix: it begins with "/", does not end with one, and has letters, digits, ".", "_", "~" and "-" between, as in /myapp`, prefix)
	}
	return nil
}

// CheckPort tells what is wrong with a port.
func CheckPort(port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("%d is no port; ports go from 1 to 65535", port)
	}
	return nil
}

var imageForm = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

// CheckImage tells what is wrong with the name of an image.
func CheckImage(image string) error {
	name, tag, digest := splitImage(image)
	switch {
	case len(image) > 500 || !imageForm.MatchString(image) || name == "":
		return fmt.Errorf("%q is no image, as in ghcr.io/acme/myapp:1.4.2", image)
	case tag == "" && digest == "":
		return fmt.Errorf("the image %s has neither tag nor digest, so it may change unseen; as in %s:1.4.2", image, image)
	}
	return nil
}

var modelForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)

// CheckModel tells what is wrong with the name of a model, as Hugging Face has them.
func CheckModel(model string) error {
	if !modelForm.MatchString(model) {
		return fmt.Errorf("%q is no name of a model, as in Qwen/Qwen3-0.6B", model)
	}
	return nil
}

// splitImage takes an image apart: ghcr.io/acme/myapp, 1.4.2, sha256:....
func splitImage(image string) (name, tag, digest string) {
	name, digest, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	return name, tag, digest
}
