package compile

import (
	"slices"
	"strings"
)

// serverHosts is the hosts of one Gateway server, made to find the host names
// that it shares with a VirtualService.
type serverHosts struct {
	raw   []string            // as merged: ns/host, host
	names map[string][]string // host → namespaces whose VirtualServices it takes; "*" for all
}

// newServerHosts reads spec.servers[].hosts: "ns/h" is for VirtualServices of ns,
// "./h" for those of the Gateway's own namespace, "*/h" and "h" for all.
func newServerHosts(hosts []string, namespace string) *serverHosts {
	x := &serverHosts{names: map[string][]string{}}
	for _, h := range hosts {
		ns, name, ok := strings.Cut(h, "/")
		switch {
		case !ok:
			ns, name = "*", h
		case ns == ".":
			ns = namespace
		}
		name = strings.ToLower(name)
		if ns == "*" {
			x.raw = append(x.raw, name)
		} else {
			x.raw = append(x.raw, ns+"/"+name)
		}
		x.names[name] = append(x.names[name], ns)
	}
	return x
}

// serverNames are the hosts as TLS server names.
func (x *serverHosts) serverNames() []string {
	var names []string
	for n := range x.names {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// has tells whether the very name is listed for VirtualServices of a namespace.
func (x *serverHosts) has(name, namespace string) bool {
	for _, ns := range x.names[name] {
		if ns == "*" || ns == namespace {
			return true
		}
	}
	return false
}

// shared calls yield for each host name that the server serves for the host of a
// VirtualService: the narrower of each pair that overlap (Istio, host.Names
// Intersection). host is in lower case.
func (x *serverHosts) shared(host, namespace string, yield func(string)) {
	if x.covers(host, namespace) {
		yield(host)
	}
	if !strings.HasPrefix(host, "*") {
		return
	}
	for name := range x.names {
		if name != host && subset(name, host) && x.has(name, namespace) {
			yield(name)
		}
	}
}

// covers tells whether host is part of a listed name.
func (x *serverHosts) covers(host, namespace string) bool {
	if x.has(host, namespace) || x.has("*", namespace) {
		return true
	}
	for i := 0; i < len(host); i++ {
		if host[i] == '.' && host[:i] != "*" && x.has("*"+host[i:], namespace) {
			return true
		}
	}
	return false
}

// subset tells whether all names of a are names of b: each is exact, "*.suffix"
// or "*".
func subset(a, b string) bool {
	if !strings.HasPrefix(b, "*") {
		return a == b
	}
	if strings.HasPrefix(a, "*") && len(a) < len(b) {
		return false
	}
	return strings.HasSuffix(strings.TrimPrefix(a, "*"), b[1:])
}

// fullName is the full name of a host that is written short: without a dot it is
// a Service of the namespace (Istio, ResolveShortnameToFQDN).
func fullName(host, namespace string) string {
	if host == "" || host == "*" || strings.ContainsAny(host, ".:") {
		return host
	}
	return host + "." + namespace + "." + clusterDomain
}
