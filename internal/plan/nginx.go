package plan

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// EdgeSettings are the edge's own settings (the controller's ConfigMap).
type EdgeSettings struct {
	// HSTS is the value of Strict-Transport-Security on TLS, "" for none.
	HSTS string
	// TrustForwarded takes X-Forwarded-Proto, -Port and -Host of the client
	// over (use-forwarded-headers).
	TrustForwarded bool
	// Trusted are the peers whose ForwardedFor names the client; none trusts
	// nobody (proxy-real-ip-cidr, with use-forwarded-headers or enable-real-ip).
	Trusted []netip.Prefix
	// ForwardedFor is the field that names the client, in lower case
	// (forwarded-for-header).
	ForwardedFor string
	// FullForwardedFor appends the peer to X-Forwarded-For instead of writing
	// the client alone (compute-full-forwarded-for; only with TrustForwarded).
	FullForwardedFor bool
	Underscores      bool // enable-underscores-in-headers
	NoRequestID      bool // generate-request-id: false
	OriginalURI      bool // proxy-add-original-uri-header
	// HeaderBuffers of HeaderBufferSize bytes take the head of a request
	// (large-client-header-buffers); 0 does not bound it here.
	HeaderBuffers, HeaderBufferSize int
}

// edge returns the settings of an edge listener; those of a listener without
// any are empty.
func (l *Listener) edge() *EdgeSettings {
	if l.Edge == nil {
		return &noSettings
	}
	return l.Edge
}

// noSettings is never written to.
var noSettings EdgeSettings

// enterNGINX is what NGINX does with a request before it picks a location: it
// refuses what it does not take and drops fields whose names it does not take.
func (l *Listener) enterNGINX(w *walk) bool {
	r := w.req
	r.Scheme = "http"
	if r.Secure {
		r.Scheme = "https"
	}
	if status, why := l.refuses(r); status != 0 {
		w.reply(Reply{Status: status, Reason: why})
		return false
	}
	underscores := l.edge().Underscores
	r.Header = slices.DeleteFunc(r.Header, func(f header.Field) bool { return !plainName(f.Name, underscores) })
	return true
}

// refuses tells the status for a request that NGINX refuses as a whole, or 0.
func (l *Listener) refuses(r *match.Request) (status int, why string) {
	switch {
	case r.Method == "TRACE" || r.Method == "CONNECT":
		return 405, "the edge takes no " + r.Method
	case r.Target == "" || r.Target[0] != '/':
		return 400, "the target is no path"
	case r.Host == "" && (r.Major > 1 || r.Minor > 0):
		return 400, "there is no Host"
	case !plainHost(r.Host):
		return 400, "the Host is no host name"
	}
	return l.edge().tooLarge(r)
}

// plainHost tells whether NGINX takes a Host (ngx_http_validate_host): no
// blanks, control characters, slashes or empty labels.
func plainHost(host string) bool {
	for i := 0; i < len(host); i++ {
		c := host[i]
		if c <= ' ' || c == 0x7f || c == '/' || c == '\\' || c == '.' && i+1 < len(host) && host[i+1] == '.' {
			return false
		}
	}
	return host == "" || host[0] != ':' && host != "."
}

// tooLarge packs the head into buffers as NGINX does: a line must fit into one,
// and there are so many of them. The request line is 414, a field 400.
func (e *EdgeSettings) tooLarge(r *match.Request) (status int, why string) {
	if e.HeaderBuffers == 0 {
		return 0, ""
	}
	const first = 1 << 10 // client_header_buffer_size
	used := len(r.Method) + len(r.Target) + len("  HTTP/1.1\r\n")
	room, buffers := first, 0
	if used > room {
		room, buffers = e.HeaderBufferSize, 1
		if used > room {
			return 414, "the request line is over large-client-header-buffers"
		}
	}
	fields := [1]header.Field{{Name: "host", Value: r.Host}}
	for _, list := range [...]header.Fields{fields[:], r.Header} {
		for i := range list {
			n := len(list[i].Name) + len(list[i].Value) + len(": \r\n")
			if used += n; used <= room {
				continue
			}
			buffers++
			if used, room = n, e.HeaderBufferSize; n > room || buffers > e.HeaderBuffers {
				return statusHeaderTooLarge, "the header is over large-client-header-buffers"
			}
		}
	}
	return 0, ""
}

// plainName tells whether NGINX takes a field of this name: letters, digits and
// hyphens only (ignore_invalid_headers, underscores_in_headers).
func plainName(name string, underscores bool) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' && underscores) {
			return false
		}
	}
	return true
}

// believed is what the edge takes for the scheme, port and host of a request:
// what the client connected with, or what it says it was (use-forwarded-headers).
func (e *EdgeSettings) believed(r *match.Request) (scheme, port, host string) {
	scheme, port, host = r.Scheme, "80", r.Host
	if r.Secure {
		port = "443"
	}
	if host == "" {
		host = "_" // HTTP/1.0 without Host: the name of the server for all others
	}
	if !e.TrustForwarded {
		return scheme, port, host
	}
	if v, ok := r.Header.Joined("x-forwarded-proto", ", "); ok {
		scheme = v
	}
	if v, ok := r.Header.Joined("x-forwarded-port", ", "); ok {
		port = v
	}
	if v, _ := r.Header.Joined("x-forwarded-host", ", "); v != "" && v[0] != ',' {
		host, _, _ = strings.Cut(v, ",")
	}
	return scheme, port, host
}

// client is the address that the edge takes for the client's: the peer's, or
// the last one in ForwardedFor that no trusted peer reported (real_ip_recursive).
func (e *EdgeSettings) client(r *match.Request) netip.Addr {
	addr := r.Peer
	list, _ := r.Header.Joined(e.ForwardedFor, ",")
	for list = strings.TrimRight(list, ", "); list != "" && e.trusts(addr); list = strings.TrimRight(list, ", ") {
		i := strings.LastIndexAny(list, ", ")
		next, err := parseAddr(list[i+1:])
		if err != nil {
			break
		}
		addr, list = next, list[:max(i, 0)]
	}
	return addr
}

// parseAddr reads an address, which may have a port, and has no zone: no range holds
// one with a zone, and there is no end of zones (NGINX, ngx_inet6_addr).
func parseAddr(s string) (netip.Addr, error) {
	if strings.Contains(s, "%") {
		return netip.Addr{}, strconv.ErrSyntax
	}
	a, err := netip.ParseAddr(s)
	if err == nil {
		return a, nil
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr(), err
}

func (e *EdgeSettings) trusts(a netip.Addr) bool { return within(e.Trusted, a) }

// address is the client's address: the peer's, unless some peer is trusted.
func (e *EdgeSettings) address(r *match.Request) netip.Addr {
	if len(e.Trusted) == 0 {
		return r.Peer
	}
	return e.client(r)
}

// sendNGINX sets the fields that ingress-nginx sends to every upstream.
func (l *Listener) sendNGINX(w *walk) {
	r, e := w.req, l.edge()
	h := &r.Header
	newID := ""
	if id, _ := h.Joined("x-request-id", ", "); id == "" && !e.NoRequestID {
		newID = w.text.hex(w.world.ID())
	}
	scheme, port, host := e.believed(r)
	client := r.Client()
	if len(e.Trusted) > 0 {
		client = e.client(r).String()
	}
	forwarded := client
	if e.TrustForwarded && e.FullForwardedFor {
		forwarded = r.Client()
		if v, ok := h.Joined("x-forwarded-for", ", "); ok && v != "" {
			forwarded = v + ", " + forwarded
		}
	}
	set := (*header.Fields).Add // looks for nothing
	if e.mayReplace(*h) {
		set = (*header.Fields).Set
		move(h, e.ForwardedFor, "x-original-forwarded-for")
		move(h, "x-forwarded-host", "x-original-forwarded-host")
		h.Del("proxy")
	}
	if newID != "" {
		set(h, "x-request-id", newID)
	}
	set(h, "x-real-ip", client)
	set(h, "x-forwarded-for", forwarded)
	set(h, "x-forwarded-host", host)
	set(h, "x-forwarded-port", port)
	set(h, "x-forwarded-proto", scheme)
	set(h, "x-forwarded-scheme", scheme)
	set(h, "x-scheme", scheme)
	if e.OriginalURI {
		set(h, "x-original-uri", w.hop.target)
	}
	r.Host = host
}

// mayReplace tells whether a field may be one of those that sendNGINX replaces or
// removes: browsers send none, and then nothing need be looked for ten times.
func (e *EdgeSettings) mayReplace(h header.Fields) bool {
	for i := range h {
		if name := h[i].Name; strings.HasPrefix(name, "x-") || name == "proxy" || name == e.ForwardedFor {
			return true
		}
	}
	return false
}

// move copies what the client said in one field to another; what it says in
// that one counts for nothing.
func move(h *header.Fields, from, to string) {
	if from == "" {
		from = "x-forwarded-for"
	}
	if v, _ := h.Joined(from, ", "); v != "" {
		h.Set(to, v)
		return
	}
	h.Del(to)
}

// leaveNGINX is what the edge does with a response: it hides what is between
// NGINX and its upstream (proxy_hide_header), and who serves (server-tokens off).
func (l *Listener) leaveNGINX(h *Hop, f *header.Fields) {
	*f = slices.DeleteFunc(*f, func(x header.Field) bool {
		return x.Name == "server" || x.Name == "x-pad" || strings.HasPrefix(x.Name, "x-accel-")
	})
	if v := l.edge().HSTS; h.Secure && v != "" {
		f.Set("strict-transport-security", v)
	}
}

// rewriteFirst is NGINX's rewrite ... break on the normal form of the path. What
// comes out is escaped where the client had escaped something, and an empty query
// is dropped. It tells whether the request goes on.
func (w *walk) rewriteFirst(rw *Rewrite) bool {
	r := w.req
	hit := rw.Regex.FindStringSubmatchIndex(r.Path)
	if hit == nil {
		return true
	}
	path := string(rw.Regex.ExpandString(nil, rw.With, r.Path, hit))
	if path == "" {
		w.reply(Reply{Status: 500, Reason: "the rewritten path is empty"})
		return false
	}
	if rw.ForwardedPrefix != "" {
		r.Header.Del("x-forwarded-prefix")
		// What the client had escaped is bare here: no line may end in it.
		v := string(rw.Regex.ExpandString(nil, rw.ForwardedPrefix, r.Path, hit))
		if v != "" && strings.IndexFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0 {
			r.Header.Set("x-forwarded-prefix", v)
		}
	}
	if w.tr != nil {
		w.note("rewrite", r.Path+" to "+path, true, "")
	}
	if raw, _, _ := match.SplitTarget(r.Target); strings.Contains(raw, "%") {
		path = match.EscapeNGINX(path)
	}
	r.HasQuery = r.Query != ""
	r.SetPath(path)
	return true
}

// onNGINX is the Location of NGINX's own redirect to one of its paths: URL, or
// Path with the request's query. The port is not told (port_in_redirect off).
func (d *Redirect) onNGINX(r *match.Request) string {
	location := d.URL
	if location == "" {
		location = d.Path
		if r.Query != "" {
			location += "?" + r.Query
		}
	}
	if d.Relative {
		return location
	}
	host := strings.TrimSuffix(match.HostName(r.Host), ".")
	if host == "" {
		host = "_"
	}
	return r.Scheme + "://" + host + location
}
