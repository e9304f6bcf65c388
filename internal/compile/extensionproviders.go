package compile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	meshv1alpha1 "istio.io/api/mesh/v1alpha1"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
)

// extensionProvider is an entry of MeshConfig extensionProviders that can be asked
// for authorization, or the place of one that is missing.
type extensionProvider struct {
	*plan.Provider
	named  bool   // there is an entry of this name
	broken string // why it cannot be asked; "" for a sound one
}

// defaultCheckTimeout is how long Istio waits for a verdict when nobody says otherwise.
const defaultCheckTimeout = 600 * time.Second

// extensionProvider returns the provider called name, read once and only when a
// policy names it: mistakes in what nobody uses hurt nobody.
func (c *compiler) extensionProvider(name string) *extensionProvider {
	if x, ok := c.providers[name]; ok {
		return x
	}
	x := &extensionProvider{broken: "there is no provider " + name}
	for i, entry := range c.mesh.config.ExtensionProviders {
		if !authorizes(entry) || entry.Name != name || name == "" {
			continue
		}
		if x.named {
			x.broken = "two providers are called " + name
			c.onMesh(problem.Schema, "extensionProviders["+strconv.Itoa(i)+"].name", x.broken+"; the policies that name it deny", "rename one")
			break
		}
		x.named = true
		x.Provider, x.broken = c.readProvider(entry, "extensionProviders["+strconv.Itoa(i)+"]")
	}
	c.providers[name] = x
	return x
}

// providerNames are the providers that a policy can name, for messages.
func (c *compiler) providerNames() []string {
	var names []string
	for _, entry := range c.mesh.config.ExtensionProviders {
		if authorizes(entry) {
			names = append(names, entry.Name)
		}
	}
	for _, item := range c.set.LoginProviders.In(c.mesh.rootNamespace) {
		names = append(names, item.Ref.Name)
	}
	return names
}

// authorizes tells whether the entry is an authorizer. The others (tracing, logs,
// metrics) are for other objects than policies.
func authorizes(entry *meshv1alpha1.MeshConfig_ExtensionProvider) bool {
	return entry.GetEnvoyExtAuthzHttp() != nil || entry.GetEnvoyExtAuthzGrpc() != nil
}

// onMesh reports a problem of MeshConfig.
func (c *compiler) onMesh(code, field, message, remedy string) {
	c.problem(code, c.mesh.origin.Ref, c.mesh.origin.Origin, "data.mesh."+field, message, remedy)
}

// readProvider reads one authorizer, and tells why it cannot be asked.
func (c *compiler) readProvider(entry *meshv1alpha1.MeshConfig_ExtensionProvider, field string) (*plan.Provider, string) {
	p := &plan.Provider{Name: entry.Name, Origin: c.mesh.origin}
	p.Origin.Field = "data.mesh." + field
	r := providerReader{c: c, p: p}
	if g := entry.GetEnvoyExtAuthzGrpc(); g != nil {
		r.field = field + ".envoyExtAuthzGrpc"
		p.GRPC, p.FailOpen, p.Reroute = true, g.FailOpen, g.ClearRouteCache
		r.common(g.Service, g.Port, g.StatusOnError, g.Timeout, g.IncludeRequestBodyInCheck)
		p.Host = strings.ReplaceAll(p.Backend.Key, "|", "_.")
		if r.broken == "" && p.Backend.Missing == "" && p.Backend.Protocol == plan.HTTP1 {
			c.onMesh(problem.BackendProtocolMismatch, r.field+".port", "gRPC goes over HTTP/2, and port "+strconv.Itoa(int(g.Port))+" of "+g.Service+
				" speaks HTTP/1.1: every check fails", "name the Service's port grpc, or begin its name with grpc-")
		}
		return p, r.broken
	}
	h := entry.GetEnvoyExtAuthzHttp()
	r.field = field + ".envoyExtAuthzHttp"
	p.FailOpen, p.Reroute, p.PathPrefix = h.FailOpen, h.ClearRouteCache, h.PathPrefix
	r.common(h.Service, h.Port, h.StatusOnError, h.Timeout, h.IncludeRequestBodyInCheck)
	if h.PathPrefix != "" && h.PathPrefix[0] != '/' {
		r.bad("pathPrefix", strconv.Quote(h.PathPrefix)+" does not begin with a slash", "write "+strconv.Quote("/"+h.PathPrefix))
	}
	p.SendHeaders = r.names("includeRequestHeadersInCheck", h.IncludeRequestHeadersInCheck)
	if p.SendHeaders == nil { // its older name counts only alone
		//lint:ignore SA1019 manifests still have it
		p.SendHeaders = r.names("includeHeadersInCheck", h.IncludeHeadersInCheck)
	}
	p.UpstreamOnAllow = r.names("headersToUpstreamOnAllow", h.HeadersToUpstreamOnAllow)
	p.DownstreamOnAllow = r.names("headersToDownstreamOnAllow", h.HeadersToDownstreamOnAllow)
	p.DownstreamOnDeny = r.names("headersToDownstreamOnDeny", h.HeadersToDownstreamOnDeny)
	for _, name := range sortedKeys(h.IncludeAdditionalHeadersInCheck) {
		p.AddHeaders = append(p.AddHeaders, header.Field{Name: strings.ToLower(name), Value: h.IncludeAdditionalHeadersInCheck[name]})
	}
	return p, r.broken
}

// providerReader reads the fields of one authorizer.
type providerReader struct {
	c      *compiler
	p      *plan.Provider
	field  string
	broken string
}

// bad reports a value that Istio refuses the whole provider for.
func (r *providerReader) bad(field, message, remedy string) {
	r.c.onMesh(problem.Schema, r.field+"."+field, message+"; the policies that name provider "+r.p.Name+" deny", remedy)
	r.broken = "provider " + r.p.Name + ": " + field + ": " + message
}

// common reads what HTTP and gRPC have in common.
func (r *providerReader) common(service string, port uint32, status string, timeout *durationpb.Duration, body *meshv1alpha1.MeshConfig_ExtensionProvider_EnvoyExternalAuthorizationRequestBody) {
	p := r.p
	p.StatusOnError, p.Timeout = statusForbidden, defaultCheckTimeout
	if timeout != nil {
		p.Timeout = timeout.AsDuration()
		if p.Timeout < time.Millisecond {
			r.bad("timeout", "a check needs time, and "+p.Timeout.String()+" is none", "write a duration such as 5s, or leave it out (600s)")
		}
	}
	if status != "" {
		code, err := strconv.Atoi(status)
		if err != nil || code < 200 || code > 599 {
			r.bad("statusOnError", strconv.Quote(status)+" is no status of HTTP", `write a number such as "503"`)
		} else {
			p.StatusOnError = code
		}
	}
	if body != nil {
		p.Body, p.PartialBody, p.PackAsBytes = int(min(body.MaxRequestBytes, 1<<30)), body.AllowPartialMessage, body.PackAsBytes
		if p.Body == 0 {
			r.bad("includeRequestBodyInCheck.maxRequestBytes", "a body needs a bound above 0", "write how many bytes a check may carry")
		}
	}
	r.backend(service, port)
}

// statusForbidden is told when there is no verdict and nobody says otherwise.
const statusForbidden = 403

// backend finds the Service: [NAMESPACE/]HOST, the host in full.
func (r *providerReader) backend(service string, port uint32) {
	c, p := r.c, r.p
	namespace, host, both := strings.Cut(service, "/")
	if !both {
		namespace, host = "", service
	}
	missing := func(message, remedy string) {
		p.Backend = &plan.Backend{Key: clusterName(host, port, ""), Missing: message}
		c.onMesh(problem.AuthzProviderServiceNotFound, r.field+".service", message+"; the policies that name provider "+p.Name+" deny", remedy)
		r.broken = "provider " + p.Name + ": " + message
	}
	h, _ := c.hostService(host, c.mesh.rootNamespace)
	if h == nil || namespace != "" && h.namespace != namespace {
		short, _ := c.hostService(fullName(host, or(namespace, c.mesh.rootNamespace)), c.mesh.rootNamespace)
		remedy := "name it as NAME.NAMESPACE." + clusterDomain
		if short != nil {
			remedy = "write " + short.host
		}
		missing("there is no Service or ServiceEntry "+service+c.nearestHost(host), remedy)
		return
	}
	if port == 0 || port > 65535 {
		r.bad("port", strconv.Itoa(int(port))+" is no port", "use a port of the Service: "+h.portsText())
		p.Backend = &plan.Backend{Key: clusterName(host, port, ""), Missing: "there is no port " + strconv.Itoa(int(port))}
		return
	}
	f := c.resolve(destinationKey{host: host, port: port, viewer: c.mesh.rootNamespace})
	p.Backend = f.backend
	if f.mistake.Code != "" { // Istio finds out only when it asks: no cluster has the port
		c.onMesh(problem.AuthzProviderServiceNotFound, r.field+"."+f.field, f.mistake.Message+"; every check fails", f.mistake.Remedy)
	}
}

// names reads a list of header names: exact, or with a star at one end; letter case
// does not count.
func (r *providerReader) names(field string, list []string) []match.Text {
	var all []match.Text
	for i, name := range list {
		lower := strings.ToLower(name)
		switch {
		case name == "*":
			r.bad(field+"["+strconv.Itoa(i)+"]", `"*" alone names every header, which Istio refuses`, "name the headers, or their common beginning or end")
		case strings.HasPrefix(lower, "*"):
			all = append(all, match.Text{Op: match.Suffix, Value: lower[1:]})
		case strings.HasSuffix(lower, "*"):
			all = append(all, match.Text{Op: match.Prefix, Value: strings.TrimSuffix(lower, "*")})
		default:
			all = append(all, match.Text{Op: match.Exact, Value: lower})
		}
	}
	return slices.Clip(all)
}
