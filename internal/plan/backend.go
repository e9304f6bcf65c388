package plan

import (
	"crypto/tls"
	"crypto/x509"
	"strconv"
	"time"

	"github.com/doorward/doorward/internal/object"
)

// Backend is where a request can go: the endpoints of a Service port or subset,
// or the listener of the next hop.
type Backend struct {
	// Key is stable over plans: connections, health and counters hang on it.
	// It is written as Istio names clusters: outbound|80|v1|svc.ns.svc.cluster.local,
	// and for the edge as ingress-nginx names upstreams: ns-svc-80.
	Key     string
	Origin  Origin     // the Service or ServiceEntry
	Service object.Ref // of the Service; zero for a ServiceEntry
	Port    int        // the Service's port
	Subset  string
	// Next is the listener that takes the request over in-process: the Service
	// is a gateway's.
	Next *Listener
	// Sidecar is the listener of the workload's own proxy, before the endpoints;
	// nil where they have none.
	Sidecar *Listener
	// Mutual is how the mesh's mutual TLS is spoken to them.
	Mutual Mutual
	// Split are the endpoints in parts, where not all are behind one door.
	Split []*Backend
	// Missing tells why there is no such backend ("no Service ghost in
	// namespace shop"). Requests get the layer's answer for an unknown one.
	Missing string

	Protocol Protocol
	TLS      *UpstreamTLS
	// Endpoints are the ready ones. Addresses are "IP:PORT", or "NAME:PORT" to
	// be resolved when DNS is set.
	Endpoints []Endpoint
	DNS       bool

	Balance Balance
	Hash    *Hash // for BalanceHash
	Pool    Pool
	Outlier *Outlier
}

// Name is what people call the backend: NAMESPACE/SERVICE:PORT[/SUBSET], or the same of
// a ServiceEntry.
func (b *Backend) Name() string {
	ref := b.Service
	if ref.Name == "" {
		ref = b.Origin.Ref
	}
	if ref.Name == "" { // there is no such backend
		return b.Key
	}
	s := ref.Namespace + "/" + ref.Name + ":" + strconv.Itoa(b.Port)
	if b.Subset != "" {
		s += "/" + b.Subset
	}
	return s
}

// Endpoint is one address of a backend.
type Endpoint struct {
	Address string
	// Weight is relative to the others; 0 counts as 1.
	Weight uint32
	Origin Origin // the EndpointSlice, Pod or flag that brought it
}

// Protocol is what the upstream speaks.
type Protocol uint8

const (
	// HTTP1 is HTTP/1.1, the default.
	HTTP1 Protocol = iota
	// HTTP2 is HTTP/2, in plain text by prior knowledge or over TLS by ALPN.
	HTTP2
	// SameAsClient is HTTP/2 for HTTP/2 requests, else HTTP/1.1 (DestinationRule
	// useClientProtocol).
	SameAsClient
)

func (p Protocol) String() string { return [...]string{"HTTP/1.1", "HTTP/2", "as the client"}[p] }

// UpstreamTLS is how connections to a backend are encrypted.
type UpstreamTLS struct {
	// Name is what SNI asks for; "" sends none. The certificate must be for it
	// unless there are Names.
	Name string
	// Names are what the certificate must be for instead, any of them: DNS names,
	// addresses or URIs (subjectAltNames). With neither any name will do, which
	// only Roots of one's own allow.
	Names []string
	// Roots verifies the certificate; nil with Verify means the system's roots.
	Roots       *x509.CertPool
	Verify      bool
	Certificate *tls.Certificate // the client certificate, or nil
	// Digest tells settings apart: connections are shared only under equal ones.
	Digest string
}

// Balance is how an endpoint is chosen.
type Balance uint8

const (
	LeastRequest Balance = iota // Istio's default: the less busy of two random ones
	RoundRobin
	Random
	BalanceHash
)

func (b Balance) String() string {
	return [...]string{"least request", "round robin", "random", "consistent hash"}[b]
}

// Pool bounds the connections to a backend (DestinationRule connectionPool).
// Zero means no bound.
type Pool struct {
	MaxConnections   int           // tcp.maxConnections
	ConnectTimeout   time.Duration // tcp.connectTimeout; 0 is the layer's default
	MaxPending       int           // http.http1MaxPendingRequests
	MaxRequests      int           // http.http2MaxRequests: in flight
	PerConnection    int           // http.maxRequestsPerConnection
	IdleTimeout      time.Duration // http.idleTimeout; 0 is the layer's default
	MaxRetries       int           // http.maxRetries: in flight
	KeepAlive        *KeepAlive    // tcp.tcpKeepalive
	MaxConnectionAge time.Duration // tcp.maxConnectionDuration
}

// KeepAlive is TCP keep-alive towards a backend.
type KeepAlive struct {
	Time, Interval time.Duration
	Probes         int
}

// Outlier is when an endpoint is taken out for a while (DestinationRule
// outlierDetection).
type Outlier struct {
	Consecutive5xx     int // 0 is off
	ConsecutiveGateway int // 502, 503, 504 and connection failures
	SplitLocal         bool
	ConsecutiveLocal   int // consecutiveLocalOriginFailures
	Interval           time.Duration
	BaseEjection       time.Duration
	MaxEjectionPercent int
	MinHealthPercent   int
}
