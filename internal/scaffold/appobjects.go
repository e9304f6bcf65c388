package scaffold

import "go.yaml.in/yaml/v3"

// pageOf is a file's text.
type pageOf struct{ text string }

func newPage(head string, documents ...*yaml.Node) *pageOf {
	text, err := page(head, documents...)
	if err != nil {
		panic("scaffold: " + err.Error()) // trees of this package's own making can be written
	}
	return &pageOf{text}
}

func (a *App) metadata(name string) *yaml.Node {
	return tree("name", name, "namespace", a.Namespace)
}

func (a *App) namespace() *pageOf {
	injection := why("enabled", "every Pod gets a sidecar, so an AuthorizationPolicy must let traffic in")
	if !a.Sidecar {
		injection = why("disabled", "no sidecar: no mTLS between services, and no AuthorizationPolicy is asked")
	}
	return newPage("", tree("apiVersion", "v1", "kind", "Namespace",
		"metadata", tree("name", a.Namespace, "labels", tree("istio-injection", injection))))
}

// service is the Service of an application that brings its own workload.
func (a *App) service() *pageOf {
	if a.Image == "" {
		return nil
	}
	ports := []any{tree(
		"name", why("http", "tells Istio the protocol"),
		"port", why(a.Port, "what routes name"),
		"targetPort", why("http", "the container's port of that name"),
	)}
	if a.Preset == "minio" {
		ports = append(ports, above("The S3 API, for programs.", tree("name", "http-s3", "port", 9000, "targetPort", "s3")))
	}
	return newPage("", tree("apiVersion", "v1", "kind", "Service", "metadata", a.metadata(a.Service),
		"spec", tree("selector", tree("app", a.Name), "ports", items(ports...))))
}

// virtualService routes a prefix of the platform's host.
func (a *App) virtualService() *pageOf {
	if a.Prefix == "" {
		return nil
	}
	var route any = items(tree("destination", tree("host", a.Service+"."+a.Namespace+".svc.cluster.local",
		"port", tree("number", why(a.Port, "the Service's port")))))
	if a.is().Streams {
		route = above("No timeout: an answer lasts as long as the model talks. None is what Istio does by itself, and it takes no 0s.", route)
	}
	var rules []any
	if a.Access != Programs {
		rules = append(rules, above("Without the slash a browser would resolve relative links against the platform's root.", tree(
			"match", items(tree("uri", tree("exact", a.Prefix))),
			"redirect", tree("uri", a.Prefix+"/", "redirectCode", 301))))
	}
	var set, remove, headers, rewrite any
	if a.Told == ByHeader {
		set = above("set, not add: what a client sends under this name is replaced.", tree("X-Forwarded-Prefix", a.Prefix))
	}
	if len(a.Remove) > 0 {
		remove = above("The platform's login does not fill these here, so a client could.", words(a.Remove))
	}
	if set != nil || remove != nil {
		headers = tree("request", tree("set", set, "remove", remove))
	}
	if a.Told != BySetting {
		rewrite = tree("uri", why("/", "takes the matched prefix's place"))
	}
	rules = append(rules, above("The slash at the end keeps "+a.Prefix+"-other out.", tree(
		"match", items(tree("uri", tree("prefix", a.Prefix+"/"))),
		"headers", headers,
		"rewrite", rewrite,
		"route", route)))
	return newPage(a.address()+" reaches the application as "+a.inside("/x")+".", tree(
		"apiVersion", "networking.istio.io/v1", "kind", "VirtualService", "metadata", a.metadata(a.Name+"-vs"),
		"spec", tree(
			"hosts", items(why("*", "the edge has chosen the host; here only the path counts")),
			"gateways", items(why(a.Platform.Gateway, a.gatewayIs())),
			"http", items(rules...))))
}

// address is a URL of the application, for people.
func (a *App) address() string {
	if a.Prefix != "" {
		return "https://" + a.Platform.Host + a.Prefix + "/x"
	}
	return "https://" + a.Host + "/x"
}

// inside is a path below the application's root, as the application gets it.
func (a *App) inside(path string) string {
	if a.Prefix != "" && a.Told == BySetting {
		return a.Prefix + path
	}
	return path
}

func (a *App) gatewayIs() string {
	switch a.Access {
	case ByLogin:
		return "the gateway for people, behind the platform's login"
	case Programs:
		return "the gateway for programs, without a login"
	}
	return "the gateway for people, whose two policies must leave " + a.Prefix + "/ out (doorward exempt)"
}

// authorizationPolicy lets the way in through the sidecar, and nobody else.
func (a *App) authorizationPolicy() *pageOf {
	if !a.Sidecar {
		return nil
	}
	var selector any
	if a.Image != "" {
		selector = tree("matchLabels", tree("app", a.Name))
	}
	head := "The platform denies all traffic to Pods with a sidecar; this lets in what comes through the gateway.\n" +
		"Who that is stands in the caller's mTLS certificate, so nothing else in the cluster can claim to be it."
	from := tree("principals", items(a.Platform.Principal))
	if a.Platform.Principal == "" {
		head += "\nThe platform's files do not tell the gateway's service account: name it in principals, to be narrower still."
		from = tree("namespaces", items(a.Platform.Namespace))
	}
	rule := tree("from", items(tree("source", from)))
	name := a.Name + "-from-gateway"
	if a.Host != "" {
		head = "The platform denies all traffic to Pods with a sidecar; this lets in what comes for the application's port.\n" +
			"The Ingress controller is not in the mesh and shows no certificate, so that is all that can be asked of it."
		rule = tree("to", items(tree("operation", tree("ports", items(a.policyPort())))))
		name = a.Name + "-from-edge"
	}
	return newPage(head, tree("apiVersion", "security.istio.io/v1", "kind", "AuthorizationPolicy", "metadata", a.metadata(name),
		"spec", tree("selector", selector, "action", "ALLOW", "rules", items(rule))))
}

func (a *App) base(resources []any) *pageOf {
	return newPage("", tree("apiVersion", "kustomize.config.k8s.io/v1beta1", "kind", "Kustomization",
		"namespace", a.Namespace, "resources", items(resources...)))
}

// production is what differs there: the image's version.
func (a *App) production() *pageOf {
	var images any
	if a.Image != "" {
		name, tag, digest := splitImage(a.Image)
		image := tree("name", name)
		if tag != "" && digest == "" {
			put(image, "newTag", word(tag))
		}
		if digest != "" {
			put(image, "digest", word(digest))
		}
		images = items(image)
	}
	return newPage("", tree("apiVersion", "kustomize.config.k8s.io/v1beta1", "kind", "Kustomization",
		"resources", items("../../base"), "images", images))
}
