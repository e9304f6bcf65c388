package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// EdgeAuth asks a URL about every request of a route (auth-url; NGINX,
// auth_request): a 2xx lets it in, 401 and 403 refuse it, all else is 500.
type EdgeAuth struct {
	Provider *Provider // Edge is set
	Method   string
	Told     bool   // the method is written: then the check tells the request's URI and scheme
	Host     string // "" is the host of the request, asked through the edge again
	Scheme   string // of that
	Target   string
	// Headers are fields of the answer that the request gets; what the answer lacks,
	// the request loses (auth-response-headers). In lower case.
	Headers []string
	// Signin is where who gets a 401 is sent, with SigninVariables; "" is nowhere.
	Signin   string
	Redirect string // auth-request-redirect
	Origin   Origin
}

// SigninVariables are the variables of NGINX that Signin may hold, the longer ones
// before those that begin them.
func SigninVariables() []string {
	return []string{"$escaped_request_uri", "$request_uri", "$best_http_host", "$http_host", "$host", "$pass_access_scheme", "$scheme"}
}

func (g *EdgeAuth) check(w *walk) bool {
	v := w.world.Ask(g.Provider, g.question(w))
	if v.Err != nil {
		w.told(g.Provider, false, "no verdict: "+v.Err.Error())
		w.out.Unauthorized = true
		w.reply(Reply{Status: g.Provider.StatusOnError, Reason: g.Provider.Name + " gives no verdict: " + v.Err.Error()})
		return true
	}
	if v.Allowed {
		w.told(g.Provider, true, v.describe())
		g.forget(w)
		for _, name := range g.Headers {
			if !writable(name) {
				continue
			}
			if value := v.Set.Value(name); value != "" {
				w.req.Header.Set(name, value)
			}
		}
		w.hop.allowed = &v
		return false
	}
	why := "refused with " + strconv.Itoa(v.Status)
	w.told(g.Provider, false, why)
	w.out.Unauthorized = true
	if v.Status != 403 {
		v.Status = 401 // a tool's stand-in may send people to log in by itself
	}
	r := Reply{Status: v.Status, Reason: why + " by " + g.Provider.Name}
	switch cookies := fieldsOf(v.Header, "set-cookie"); {
	case v.Status == 401 && g.Signin != "":
		r.Status, r.Header = 302, cookies
		r.Header.Add("location", g.signin(w))
	case v.Status == 401:
		r.Header = fieldsOf(v.Header, "www-authenticate")
	}
	w.reply(r)
	return true
}

// forget takes away what only the answer may say: a client must not say it itself.
func (g *EdgeAuth) forget(w *walk) {
	if slices.ContainsFunc(g.Headers, writable) {
		sanitise(w, slices.DeleteFunc(slices.Clone(g.Headers), func(name string) bool { return !writable(name) }))
	}
}

func fieldsOf(f header.Fields, name string) header.Fields {
	var out header.Fields
	for _, x := range f {
		if x.Name == name {
			out = append(out, x)
		}
	}
	return out
}

// question is what NGINX's subrequest asks: with the request's fields, and no body
// (ingress-nginx, template). What a client says of the URI and the method itself does
// not go along: who is asked may go by it (oauth2-proxy does by X-Forwarded-Uri).
func (g *EdgeAuth) question(w *walk) *Check {
	r, e := w.req, w.hop.Listener.edge()
	if id, _ := r.Header.Joined("x-request-id", ", "); id == "" && !e.NoRequestID {
		r.Header.Set("x-request-id", w.text.hex(w.world.ID()))
	}
	c := &Check{Method: g.Method, Host: g.Host, Target: g.Target, Header: slices.Clone(r.Header), Request: r}
	h := &c.Header
	for _, name := range [...]string{"x-forwarded-proto", "x-original-uri", "x-forwarded-uri", "x-forwarded-method", "content-length", "connection", "upgrade", "expect", "te"} {
		h.Del(name)
	}
	scheme, _, _ := e.believed(r)
	if g.Told {
		h.Set("x-original-uri", w.hop.target)
		h.Set("x-scheme", scheme)
	}
	if g.Host == "" {
		c.Host = match.HostName(r.Host)
		port := "80"
		if g.Scheme == "https" {
			port = "443"
		}
		h.Set("x-forwarded-host", c.Host)
		h.Set("x-forwarded-port", port)
		h.Set("x-forwarded-proto", g.Scheme)
		h.Set("x-forwarded-scheme", g.Scheme)
		h.Set("x-scheme", g.Scheme)
	}
	client := e.address(r).String()
	h.Set("x-original-url", r.Scheme+"://"+r.Host+w.hop.target)
	h.Set("x-original-method", r.Method)
	h.Set("x-sent-from", "nginx-ingress-controller")
	h.Set("x-real-ip", client)
	h.Set("x-forwarded-for", client)
	to := g.Redirect
	if to == "" {
		to = w.hop.target
	}
	h.Set("x-auth-request-redirect", to)
	return c
}

// signin is the Location for who must log in.
func (g *EdgeAuth) signin(w *walk) string {
	r := w.req
	scheme, _, host := w.hop.Listener.edge().believed(r)
	values := []string{escapeComponent(w.hop.target), w.hop.target, host, r.Host, match.HostName(r.Host), scheme, r.Scheme}
	var pairs []string
	for i, name := range SigninVariables() {
		pairs = append(pairs, name, values[i])
	}
	return strings.NewReplacer(pairs...).Replace(g.Signin)
}

// escapeComponent escapes all but letters, digits and -._~ (ngx_escape_uri,
// NGX_ESCAPE_URI_COMPONENT).
func escapeComponent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (g *EdgeAuth) String() string { return g.Provider.Name }

// judgeEdge reads the answer to an EdgeAuth's check (ngx_http_auth_request).
func (p *Provider) judgeEdge(status int, f header.Fields) Verdict {
	v := Verdict{Allowed: status >= 200 && status < 300, Status: status}
	switch {
	case v.Allowed:
		for _, x := range p.UpstreamOnAllow {
			if value, ok := f.Joined(x.Value, ", "); ok {
				v.Set.Set(x.Value, value)
			}
		}
		v.AnswerAdd = fieldsOf(f, "set-cookie")
	case status == 401 || status == 403:
		v.Header = f
	default:
		v.Err = errors.New("it answers " + strconv.Itoa(status))
	}
	return v
}

// Asks tells whether somebody is asked about the requests of the route (auth-url).
func (r *Route) Asks() bool { return asks(r.Guards) }

func asks(guards []Guard) bool {
	return slices.ContainsFunc(guards, func(g Guard) bool {
		choice, ok := g.(*AnyOf)
		_, asked := g.(*EdgeAuth)
		return asked || ok && asks(choice.Guards)
	})
}

// keepsCookies tells whether NGINX adds fields to an answer of this status
// (add_header).
func keepsCookies(status int) bool {
	switch status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		return true
	}
	return false
}

// AnyOf lets a request in that one of its guards lets in (satisfy: any). Of those
// that refuse it, a 401 is told before a 403 (NGINX, satisfy).
type AnyOf struct{ Guards []Guard }

func (g *AnyOf) check(w *walk) bool {
	var worst *Reply
	tr := w.tr
	for _, one := range g.Guards {
		w.tr = nil // a refusal that another outweighs is no answer
		stop := one.check(w)
		w.tr = tr
		if tr != nil {
			w.note("guard", one.String(), !stop, "")
		}
		if !stop {
			g.forget(w, one)
			w.hop.replied, w.out.Unauthorized, w.out.Kind, w.out.Reply, w.out.Reason = false, false, ToRespond, Reply{}, ""
			return false
		}
		if worst == nil || worst.Status != 401 && w.out.Reply.Status != 403 {
			worst = new(Reply)
			*worst = w.out.Reply
			worst.Reason = w.out.Reason
		}
	}
	w.out.Reply, w.out.Reason = *worst, worst.Reason
	w.note("answer", statusText(worst.Status), true, worst.Reason)
	return true
}

// forget takes away what only the answers of those would have told who were not
// asked, or have refused: a client must not say it itself.
func (g *AnyOf) forget(w *walk, but Guard) {
	for _, one := range g.Guards {
		if a, ok := one.(*EdgeAuth); ok && one != but {
			a.forget(w)
		}
	}
}

func (g *AnyOf) String() string {
	var parts []string
	for _, one := range g.Guards {
		parts = append(parts, one.String())
	}
	return "any of: " + strings.Join(parts, "; ")
}
