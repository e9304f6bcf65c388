// Package match holds what can be known of a request, and the conditions on it.
//
// A Request is the working copy of one client request. Every hop of the walk
// reads it and edits it in place, as the real layer would rewrite what it
// sends on; the last hop's form is what the upstream receives. A Rule is data:
// it prints, compares and is evaluated by one function, whichever kind of
// object (Ingress, VirtualService) it was read from.
package match

import (
	"net/netip"
	"strings"

	"github.com/doorward/doorward/internal/header"
)

// Request is a request as one hop sees it.
type Request struct {
	// Peer is the address of the TCP peer of this hop: the client at the first
	// hop, the previous layer at the next ones. PeerText is how it is written;
	// who serves many requests of one peer sets it once, "" has it made.
	Peer     netip.Addr
	PeerText string
	// Remote is the client's address as this hop believes it: Peer, or what
	// X-Forwarded-For says where proxies before it are trusted.
	Remote netip.Addr
	// Local and LocalPort are where this hop listens, to its policies: the address of
	// its Pod, which is mostly not known, and the port.
	Local     netip.Addr
	LocalPort int
	// Source is who the TLS peer has proved to be, TRUSTDOMAIN/ns/NS/sa/SA; "" nobody.
	Source string
	// Token is the verified token that this hop has accepted; nil none.
	Token *Token
	// Secure tells whether the connection of this hop is TLS, SNI the server
	// name that its handshake asked for, in lower case.
	Secure bool
	SNI    string
	// Major is the major version of HTTP that the client speaks, Minor the minor.
	Major, Minor int

	Method string
	// Scheme is what this hop believes the scheme to be: "http" or "https".
	Scheme string
	// Host is the Host header or :authority as received, port included.
	Host string
	// Target is the request target in origin form, path and query, byte for
	// byte as this hop received it.
	Target string
	// Header holds the other fields, names in lower case, without host and
	// without the framing fields of the connection.
	Header header.Fields
	// Upgrade is the protocol that the request asks to change to, "" for none.
	Upgrade string
	// ContentLength is the announced length of the body in bytes, 0 for none,
	// -1 for a body of unknown length.
	ContentLength int64

	// Path and Query are the hop's normal form of Target, set by Normalise:
	// what routing, exemption and policy of this hop read. Query has no "?".
	Path, Query string
	// HasQuery tells an empty query ("/x?") from none.
	HasQuery bool
}

// Client returns PeerText, and makes it first where nobody has.
func (r *Request) Client() string {
	if r.PeerText == "" {
		r.PeerText = r.Peer.String()
	}
	return r.PeerText
}

// Name returns the host name for choosing a virtual host: Host without port, in
// lower case. It allocates only if letters must change.
func (r *Request) Name() string { return HostName(r.Host) }

// HostName strips the port from a Host header and lowers its letters. An IPv6
// literal keeps its brackets, and a name its trailing dot, which makes it
// another name to Envoy.
func HostName(host string) string {
	host, _ = SplitPort(host)
	for i := 0; i < len(host); i++ {
		if c := host[i]; 'A' <= c && c <= 'Z' {
			return strings.ToLower(host)
		}
	}
	return host
}

// SplitPort cuts the port off a Host header: "a:80" is "a" and ":80". An IPv6
// literal keeps its brackets.
func SplitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host, ""
	}
	return host[:i], host[i:]
}

// SplitTarget cuts a target in origin form at its first "?".
func SplitTarget(target string) (path, query string, has bool) {
	return strings.Cut(target, "?")
}

// SetPath replaces the path of the target and keeps the query byte for byte.
func (r *Request) SetPath(path string) {
	r.Path = path
	if r.HasQuery {
		r.Target = path + "?" + r.Query
		return
	}
	r.Target = path
}

// Part returns what a header condition called name looks at:
// repeated lines joined by "," (Envoy, header_utility getAllOfHeaderAsString);
// the pseudo headers :method, :authority, :path and :scheme name the parts of
// the request line.
func (r *Request) Part(name string) (string, bool) {
	if name != "" && name[0] == ':' {
		switch name {
		case ":method":
			return r.Method, true
		case ":authority":
			return r.Host, true
		case ":path":
			return r.Target, true
		case ":scheme":
			return r.Scheme, true
		}
		return "", false
	}
	if name == "host" {
		return r.Host, true
	}
	return r.Header.Joined(name, ",")
}

// QueryValue returns the first value of the query parameter called name, not
// percent-decoded (Envoy, http utility QueryParamsMulti), and whether it is there.
func (r *Request) QueryValue(name string) (string, bool) {
	q := r.Query
	for q != "" {
		var pair string
		pair, q, _ = strings.Cut(q, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k == name {
			return v, true
		}
	}
	return "", false
}
