package plan

import (
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// Guard may refuse a request before it is routed on. The set is closed.
type Guard interface {
	// check answers in out and returns true to end the walk at this hop.
	check(w *walk) (stop bool)
	// String tells the rule, for people.
	String() string
}

// BodyLimit refuses an announced body that is too large with 413, and lets the
// proxy cut longer ones that were not announced (proxy-body-size).
type BodyLimit struct {
	Bytes  int64
	Origin Origin
}

func (g *BodyLimit) check(w *walk) bool {
	w.out.MaxBody = g.Bytes
	if w.req.ContentLength <= g.Bytes {
		return false
	}
	w.reply(Reply{Status: 413, Reason: "body of " + strconv.FormatInt(w.req.ContentLength, 10) + " bytes is over proxy-body-size " + strconv.FormatInt(g.Bytes, 10)})
	return true
}

func (g *BodyLimit) String() string {
	return "proxy-body-size " + strconv.FormatInt(g.Bytes, 10) + " bytes"
}

// HTTPSRedirect sends plain requests to https (ssl-redirect where the host has
// a certificate, force-ssl-redirect everywhere).
type HTTPSRedirect struct {
	Code int // 308
	// KeepSlash keeps the last "/" of the target (preserve-trailing-slash).
	KeepSlash bool
	// Port is told in the Location; 0 is not (use-port-in-redirects).
	Port   int
	Origin Origin
	Why    string // "host has a certificate" or "force-ssl-redirect"
}

func (g *HTTPSRedirect) check(w *walk) bool {
	scheme, _, host := w.hop.Listener.edge().believed(w.req)
	if scheme != "http" {
		return false
	}
	target := w.req.Target
	if !g.KeepSlash {
		target = strings.TrimSuffix(target, "/")
	}
	host, _ = match.SplitPort(host)
	if g.Port != 0 {
		host += ":" + strconv.Itoa(g.Port)
	}
	w.redirect(g.Code, "https://"+host+target, "plain HTTP is sent to https: "+g.Why)
	return true
}

func (g *HTTPSRedirect) String() string { return "https redirect: " + g.Why }

// NameRedirect sends every request to another name of its host, with the port of
// NGINX's listener and without a last slash (from-to-www-redirect; ingress-nginx,
// ngx_srv_redirect.lua).
type NameRedirect struct {
	Code   int // 308
	Host   string
	Origin Origin
}

func (g *NameRedirect) check(w *walk) bool {
	scheme, port, _ := w.hop.Listener.edge().believed(w.req)
	w.redirect(g.Code, scheme+"://"+g.Host+":"+port+strings.TrimSuffix(w.req.Target, "/"), "the host's other name is "+g.Host)
	return true
}

func (g *NameRedirect) String() string { return "redirect to " + g.Host }
