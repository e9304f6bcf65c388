package compile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/internal/plan"
)

// protocol is what a port is declared to carry, in Istio's words (protocol
// selection): http, http2, grpc, grpc-web, https, tls, tcp and so on; "" where
// nothing is known.
type protocol string

// parseProtocol reads a protocol's name whatever its case; "" for none that
// Istio knows.
func parseProtocol(s string) protocol {
	switch p := protocol(strings.ToLower(s)); p {
	case "http", "http2", "grpc", "grpc-web", "http_proxy", "https", "tls", "tcp", "udp", "mongo", "redis", "mysql":
		return p
	}
	return ""
}

// servicePortProtocol is what a Service port carries: appProtocol says so, else the
// port's name up to its first hyphen (Istio, ConvertProtocol).
func servicePortProtocol(p *corev1.ServicePort) protocol {
	word := p.Name
	if p.AppProtocol != nil {
		switch word = *p.AppProtocol; word {
		case "kubernetes.io/h2c":
			return "http2"
		case "kubernetes.io/ws":
			return "http"
		case "kubernetes.io/wss":
			return "https"
		}
	}
	if len(word) >= len("grpc-web") && strings.EqualFold(word[:len("grpc-web")], "grpc-web") {
		return "grpc-web"
	}
	word, _, _ = strings.Cut(word, "-")
	return parseProtocol(word)
}

// isHTTP2 tells whether a gateway speaks HTTP/2 to the port.
func (p protocol) isHTTP2() bool { return p == "http2" || p == "grpc" || p == "grpc-web" }

// isHTTP tells whether the port is declared to carry HTTP.
func (p protocol) isHTTP() bool { return p == "http" || p == "http_proxy" || p.isHTTP2() }

// spoken is what a gateway speaks to the port. What is not declared to be HTTP/2
// is HTTP/1.1, whatever the client speaks.
func (p protocol) spoken() plan.Protocol {
	if p.isHTTP2() {
		return plan.HTTP2
	}
	return plan.HTTP1
}
