package plan

import (
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

// Loginer answers visits of logins. It is a part of World.
type Loginer interface {
	Login(p *LoginProvider, v *Visit) Entry
}

// Login is the Guard that takes the place of External where the CUSTOM policies of a
// listener name a LoginProvider: it asks for a session instead of an authorizer. It
// answers the login's own pages itself, whatever the policies after it say, and keeps
// from applications what is the login's: its cookies, and headers in its name that a
// client has sent.
type Login struct {
	When     PolicySet // the CUSTOM policies
	Provider *LoginProvider
	// Broken says why nobody can log in: what the policies name is then denied.
	Broken string
}

// String tells where one logs in.
func (g *Login) String() string {
	if g.Broken != "" {
		return "login: " + g.Broken
	}
	return "login at " + g.Provider.Issuer
}

func (g *Login) check(w *walk) bool {
	p, r := g.Provider, w.req
	v := Visit{Page: p.page(r.Path), Method: r.Method, Query: r.Query, Request: r}
	var rule *PolicyRule
	if v.Page == NoLoginPage || g.Broken != "" {
		rule = w.policy("CUSTOM", &g.When)
	}
	v.Cookies = w.takeVisit(p)
	switch {
	case g.Broken != "" && rule != nil:
		w.out.By = rule.Origin
		w.deny(rule.name() + " cannot ask anybody: " + g.Broken)
		return true
	case g.Broken != "", v.Page == NoLoginPage && rule == nil:
		return false
	case rule != nil && !w.routed(): // as with other authorizers: it ends as 404 or 403
		return false
	}
	if rule != nil {
		v.Navigation = navigation(r)
		if w.preflighted() {
			return true
		}
		w.out.By = rule.Origin
	} else {
		v.Navigation = v.Page != LoginAuth && v.Page != LoginUserInfo && v.Page != LoginBackchannel
		w.out.By = p.Origin
	}
	v.Scheme, v.Host, v.Target = w.out.scheme, w.out.host, w.out.hops[0].target
	return w.enter(p, w.world.Login(p, &v))
}

// takeVisit takes what is the login's out of the request, and returns its cookies. A
// hop behind one with the same login gets the cookies from there, and the headers in
// the login's name are the login's then.
func (w *walk) takeVisit(p *LoginProvider) header.Fields {
	if w.out.login == p {
		return w.out.loginCookies
	}
	own := p.takeCookies(&w.req.Header)
	w.out.login, w.out.loginCookies = p, own
	if p.XAuthRequest {
		dropUserHeaders(w.req)
	}
	return own
}

// enter carries the answer of a login out, and tells whether it ends the walk.
func (w *walk) enter(p *LoginProvider, e Entry) bool {
	if w.tr != nil {
		w.tr.add("login", p.Issuer, p.Origin, e.Reply == nil, e.Why)
	}
	if len(e.Cookies) > 0 {
		w.hop.allowed = &Verdict{}
		for _, c := range e.Cookies {
			w.hop.allowed.AnswerAdd.Add("set-cookie", c)
		}
	}
	if e.Reply == nil {
		if len(e.Cookies) > 0 { // a cache between must not give them to others
			w.hop.allowed.AnswerSet.Set("cache-control", "no-store")
		}
		for _, f := range e.Set {
			w.req.Header.Set(f.Name, f.Value)
		}
		return false
	}
	w.out.Unauthorized = e.Reply.Status == 401
	w.markOrigin(e.Reply)
	w.reply(*e.Reply)
	return true
}

// preflighted answers a CORS preflight by the route that would take the request. A
// browser cannot send a session with it, and no application sees it.
func (w *walk) preflighted() bool {
	c := w.cors()
	if c == nil || !preflight(w.req) || !c.apply(w) {
		return false
	}
	c.respond(w.hop, w.out.Reply.Status, &w.out.Reply.Header)
	return true
}

// markOrigin lets pages of the origins that the route allows read an answer of the
// login's: a 401 that a script cannot see says nothing to it.
func (w *walk) markOrigin(r *Reply) {
	c := w.cors()
	origin := w.req.Header.Value("origin")
	if c != nil && origin != "" && c.allowed(origin) {
		w.hop.Origin = origin
		c.respond(w.hop, r.Status, &r.Header)
	}
}

// cors is the CORS filter of the route that takes the request; nil none.
func (w *walk) cors() *CORS {
	if !w.routed() || w.way.route == nil {
		return nil
	}
	for _, f := range w.way.route.Filters {
		if c, ok := f.(*CORS); ok {
			return c
		}
	}
	return nil
}

// dropUserHeaders removes the headers that only a login may fill. All punctuation counts as "-".
func dropUserHeaders(r *match.Request) {
	kept := r.Header[:0]
	for _, f := range r.Header {
		if !isUserHeader(f.Name) {
			kept = append(kept, f)
		}
	}
	clear(r.Header[len(kept):])
	r.Header = kept
}

func isUserHeader(name string) bool {
	for _, h := range userHeaders {
		if len(h) == len(name) && sameHeader(h, name) {
			return true
		}
	}
	return false
}
