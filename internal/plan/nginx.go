package plan

import (
	"encoding/hex"
	"strconv"

	"github.com/doorward/doorward/internal/header"
)

// EdgeSettings are the edge's own settings (the controller's ConfigMap).
type EdgeSettings struct {
	// TrustForwarded takes X-Forwarded-* of the client over (use-forwarded-headers).
	TrustForwarded bool
	// HSTS is the value of Strict-Transport-Security on TLS, "" for none.
	HSTS string
}

// enterNGINX is what ingress-nginx does before it picks a location: it drops
// fields whose names it does not take.
func (l *Listener) enterNGINX(w *walk) bool {
	r := w.req
	kept := r.Header[:0]
	for _, f := range r.Header {
		if plainName(f.Name) {
			kept = append(kept, f)
		}
	}
	clear(r.Header[len(kept):])
	r.Header = kept
	r.Scheme = "http"
	if r.Secure {
		r.Scheme = "https"
	}
	return true
}

// plainName tells whether NGINX takes a field of this name: letters, digits and
// hyphens only (ignore_invalid_headers, underscores_in_headers off).
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// sendNGINX sets the fields that ingress-nginx sends to every upstream.
func (l *Listener) sendNGINX(w *walk) {
	r := w.req
	h := &r.Header
	if id := h.Value("x-request-id"); id == "" {
		b := w.world.ID()
		h.Set("x-request-id", hex.EncodeToString(b[:]))
	}
	port := "80"
	if r.Secure {
		port = "443"
	}
	if v, ok := h.Joined("x-forwarded-for", ", "); ok && v != "" {
		h.Set("x-original-forwarded-for", v)
	}
	if v := h.Value("x-forwarded-host"); v != "" {
		h.Set("x-original-forwarded-host", v)
	}
	peer := r.Peer.String()
	h.Set("x-real-ip", peer)
	h.Set("x-forwarded-for", peer)
	h.Set("x-forwarded-host", r.Host)
	h.Set("x-forwarded-port", port)
	h.Set("x-forwarded-proto", r.Scheme)
	h.Set("x-forwarded-scheme", r.Scheme)
	h.Set("x-scheme", r.Scheme)
	h.Del("proxy")
}

// leaveNGINX is what the edge does with a response.
func (l *Listener) leaveNGINX(h *Hop, f *header.Fields) {
	f.Del("server")
	if h.Secure && l.Edge != nil && l.Edge.HSTS != "" {
		f.Set("strict-transport-security", l.Edge.HSTS)
	}
}

// renderNGINX turns a reply without a body into NGINX's page.
func renderNGINX(p Reply) Reply {
	if p.Body != "" || p.Status < 300 || p.Status == 304 {
		return p
	}
	title := statusText(p.Status)
	p.Header.Set("content-type", "text/html")
	p.Body = "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	return p
}

// statusText is the status as NGINX's pages tell it: "404 Not Found".
func statusText(status int) string {
	text, known := reasons[status]
	if !known {
		return strconv.Itoa(status)
	}
	return strconv.Itoa(status) + " " + text
}

// reasons are NGINX's names of the statuses that the edge answers with. The map
// is never written to.
var reasons = map[int]string{
	200: "OK", 204: "No Content",
	301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Authorization Required", 403: "Forbidden", 404: "Not Found", 405: "Not Allowed",
	408: "Request Time-out", 413: "Request Entity Too Large", 414: "Request-URI Too Large", 421: "Misdirected Request",
	429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
	503: "Service Temporarily Unavailable", 504: "Gateway Time-out",
}
