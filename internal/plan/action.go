package plan

import (
	"regexp"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Action is what a route does in the end. The set is closed: *Forward,
// *Redirect, *Direct.
type Action interface{ action() }

func (*Forward) action()  {}
func (*Redirect) action() {}
func (*Direct) action()   {}

// Forward hands the request to one of its destinations.
type Forward struct {
	// To are the destinations; one with weight 0 gets nothing unless it is alone.
	To      []Destination
	Rewrite *Rewrite
	// Host is written over the Host header; "" keeps it (rewrite.authority).
	Host   string
	Limits Limits
	Retry  Retry
}

// Destination is one weighted target of a Forward.
type Destination struct {
	Backend *Backend
	Weight  uint32
	Origin  Origin
	// Headers are edited for this destination only, before the route's.
	Headers *Headers
	// Host is written over the Host header for this destination ("" keeps it);
	// the route's wins.
	Host string
}

// Limits are the three separate limits of an exchange, and two of the
// connection. Zero means none.
type Limits struct {
	Connect time.Duration // until the upstream's connection stands
	Send    time.Duration // between two writes to the upstream
	Read    time.Duration // between two reads from the upstream, the first byte included
	Total   time.Duration // from the end of the request to the end of the response
	Idle    time.Duration // with no byte in either direction
}

// RetryOn is a set of reasons to try again.
type RetryOn uint16

const (
	OnConnectFailure RetryOn = 1 << iota
	OnRefusedStream
	OnReset
	OnResetBeforeRequest
	On5xx
	OnGatewayError
	OnRetriable4xx
	OnRetriableStatus
	OnEnvoyRateLimited
	OnGRPCCancelled
	OnGRPCUnavailable
	OnGRPCDeadline
	OnGRPCInternal
	OnGRPCExhausted
	OnTimeout // the edge: proxy_next_upstream timeout
)

// Retry is when and how often a request is sent again.
type Retry struct {
	// Attempts counts the tries after the first.
	Attempts int
	PerTry   time.Duration // 0: none
	Backoff  time.Duration // base interval of the exponential back-off; 0: none
	On       RetryOn
	Codes    []int // with OnRetriableStatus
	// IdempotentOnly forbids repeating a request that was sent and is not
	// idempotent (POST, LOCK, PATCH), as ingress-nginx does.
	IdempotentOnly bool
	// SameEndpoint allows the endpoint that has failed; otherwise another is
	// preferred.
	SameEndpoint bool
}

// Rewrite changes the path of a forwarded request; the query stays byte for byte.
type Rewrite struct {
	// Prefix is the matched prefix to replace by With (only these characters:
	// nothing tidies the result). "" replaces the whole path.
	Prefix string
	Whole  bool
	With   string
	// Regex, if set, replaces every hit in the path by With, where ${1} is a group.
	Regex *regexp.Regexp
	// First has NGINX's meaning of Regex: With, with the groups of the first hit,
	// becomes the whole path (rewrite ... break).
	First bool
	// ForwardedPrefix, with the same groups, is X-Forwarded-Prefix; "" sets none.
	ForwardedPrefix string
}

// apply returns the rewritten path.
func (w *Rewrite) apply(path string) string {
	switch {
	case w.Regex != nil:
		return w.Regex.ReplaceAllString(path, w.With)
	case w.Whole:
		return w.With
	}
	if len(path) < len(w.Prefix) {
		return w.With
	}
	return w.With + path[len(w.Prefix):]
}

// Redirect answers with a Location. Empty parts keep the request's.
type Redirect struct {
	Code   int
	Scheme string
	Host   string // may hold a port
	Port   string // without colon
	// KeepHost keeps the request's host byte for byte, whatever its port (Envoy's
	// redirect of a whole host to https).
	KeepHost bool
	// AddSlash is NGINX's redirect to Path, which ends in a slash: only the
	// request's scheme, host name and query are taken over.
	AddSlash bool
	// Relative leaves scheme and host out of NGINX's own redirects (relative-redirects).
	Relative bool
	// NoQuery drops the request's query.
	NoQuery bool
	// Path replaces the whole path; a query of its own drops the request's.
	Path string
	// Prefix, with PrefixRewrite, replaces only the matched prefix.
	Rewrite *Rewrite
	// URL, if set, is the whole Location. NGINX puts its own scheme and host
	// before a mere path.
	URL string
}

// Location builds the Location header for r as Envoy does (config_impl newUri).
func (d *Redirect) Location(r *match.Request) string {
	switch {
	case d.URL != "" && d.URL[0] != '/':
		return d.URL
	case d.URL != "" || d.AddSlash:
		return d.onNGINX(r)
	}
	scheme := r.Scheme
	if d.Scheme != "" {
		scheme = d.Scheme
	}
	host := d.Host
	if d.KeepHost {
		host = r.Host
	} else if host == "" {
		host = redirectHost(r, scheme, d.Port)
	}
	if d.Port != "" {
		host += ":" + d.Port
	}
	path := r.Path
	switch {
	case d.Rewrite != nil:
		path = d.Rewrite.apply(path)
	case d.Path != "":
		path = d.Path
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if r.HasQuery && !d.NoQuery && !strings.Contains(path, "?") {
		path += "?" + r.Query
	}
	return scheme + "://" + host + path
}

// redirectHost is the request's host, without its port when another port is
// set or when the scheme changes and the port was the old scheme's default.
func redirectHost(r *match.Request, scheme, port string) string {
	name, old := match.SplitPort(r.Host)
	if port != "" || scheme != r.Scheme && (r.Scheme == "http" && old == ":80" || r.Scheme == "https" && old == ":443") {
		return name
	}
	return r.Host
}

// Direct answers by itself.
type Direct struct {
	Status int
	Body   string
	Header header.Fields
	// Reason is told in the trace and the access record.
	Reason string
}
