package scaffold

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// ingress gives an application a host of its own.
func (a *App) ingress() *pageOf {
	if a.Host == "" {
		return nil
	}
	return newPage("https://"+a.Host+", past the gateways: the platform asks for no login here.",
		a.ingressOf(a.Name+"-ingress", a.Host, a.Name+"-tls-cert", a.Port, true))
}

// ingressOf is an Ingress for one host. With people, its limits are those of a user
// interface: sockets that are silent for long, uploads.
func (a *App) ingressOf(name, host, secret string, port int, people bool) *yaml.Node {
	const prefix = "nginx.ingress.kubernetes.io/"
	body := why("100m", "a bigger body is refused with 413; without this line the limit is 1m")
	buffer := why("32k", "large response headers, as cookies with a token")
	if !people {
		body = why("0", "no limit: files are as large as they are")
	}
	annotations := tree(
		prefix+"ssl-redirect", "true",
		prefix+"backend-protocol", "HTTP",
		"cert-manager.io/cluster-issuer", why(a.Platform.Issuer, "cert-manager fills the Secret below"),
		prefix+"proxy-body-size", body,
		prefix+"proxy-read-timeout", why("3600", "seconds that a WebSocket or a slow answer may be silent; without this line 60"),
		prefix+"proxy-send-timeout", "3600",
		prefix+"proxy-buffer-size", buffer,
	)
	return tree("apiVersion", "networking.k8s.io/v1", "kind", "Ingress",
		"metadata", tree("name", name, "namespace", a.Namespace, "annotations", annotations),
		"spec", tree(
			"ingressClassName", a.Platform.IngressClass,
			"rules", items(tree("host", host, "http", tree("paths", items(tree(
				"path", "/", "pathType", "Prefix",
				"backend", tree("service", tree("name", a.Service, "port", tree("number", port)))))))),
			"tls", items(tree("hosts", items(host), "secretName", secret))))
}

// policyPort is the port that a policy of the workload knows it by: the container's.
func (a *App) policyPort() string {
	if a.TargetPort != 0 {
		return strconv.Itoa(a.TargetPort)
	}
	return strconv.Itoa(a.Port)
}
