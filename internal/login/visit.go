package login

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/doorward/doorward/internal/plan"
)

// visit answers one request.
func (s *site) visit(ctx context.Context, v *plan.Visit) plan.Entry {
	if !goodHost(v.Host) {
		return page(v, 400, "This address cannot be used", "The host name of the request is not one that a login can come back to.", "", "the Host is no host name")
	}
	if want := methods(v.Page); want != "" && v.Method != "GET" && v.Method != "HEAD" && v.Method != want {
		e := refuse(v, "the page takes no "+v.Method)
		e.Reply.Status = 405
		e.Reply.Header.Del("www-authenticate")
		e.Reply.Header.Add("allow", "GET, HEAD, "+want)
		return e
	}
	switch v.Page {
	case plan.LoginCallback:
		return s.callback(ctx, v)
	case plan.LoginStart:
		return s.start(ctx, v, s.wanted(v))
	case plan.LoginSignIn:
		return s.signIn(v)
	case plan.LoginSignOut:
		return s.signOut(ctx, v)
	case plan.LoginBackchannel:
		return s.backchannel(ctx, v)
	}
	current, cookies, err := s.current(ctx, v)
	switch {
	case err != nil:
		return s.away(v, err)
	case current == nil && v.Page == plan.NoLoginPage && v.Navigation:
		return s.start(ctx, v, asked(v.Target))
	case current == nil:
		return refuse(v, "nobody is logged in")
	}
	e := plan.Entry{Cookies: cookies, Why: "logged in as " + current.user.Subject}
	switch v.Page {
	case plan.LoginAuth:
		e.Reply = &plan.Reply{Status: 202, Reason: e.Why}
		for _, h := range current.headers(s.config.Load().LoginProvider) {
			if h.Name != "authorization" {
				e.Reply.Header = append(e.Reply.Header, h)
			}
		}
		noStore(e.Reply)
	case plan.LoginUserInfo:
		e.Reply = userInfo(current)
		e.Reply.Reason = e.Why
	default:
		e.Set = current.headers(s.config.Load().LoginProvider)
	}
	return e
}

// methods is the method that a page takes beside GET and HEAD; "" any.
func methods(p plan.LoginPage) string {
	switch p {
	case plan.NoLoginPage, plan.LoginAuth, plan.LoginBackchannel:
		return ""
	}
	return "POST"
}

// current is the session of a visit, refreshed where that is due, with the cookies that
// store it then. It is nil when there is none (any more). err says that the provider,
// which would have to renew it, is away.
func (s *site) current(ctx context.Context, v *plan.Visit) (*session, []string, error) {
	p := s.config.Load()
	x := s.session(v)
	if x == nil {
		return nil, nil, nil
	}
	now := s.m.o.Now()
	if now.Before(x.expires.Add(-x.margin)) {
		return x, nil, nil
	}
	if x.Refresh == "" {
		if now.Before(x.expires) {
			return x, nil, nil
		}
		return nil, nil, nil
	}
	r := s.renew(ctx, x)
	switch {
	case r.renewed != nil && s.alive(r.renewed):
		lines, ok := sessionCookies(p.LoginProvider, v, r.sealed, r.renewed.ends(p.LoginProvider).Sub(now))
		if !ok {
			return nil, nil, errTooLong
		}
		return r.renewed, lines, nil
	case r.away != nil && now.Before(x.expires):
		return x, nil, nil
	case r.away != nil:
		return nil, nil, r.away
	}
	return nil, nil, nil // the provider has ended it
}

// session unseals the session of a visit; nil when there is none that is good.
func (s *site) session(v *plan.Visit) *session {
	c := s.config.Load()
	sealed := sealedSession(c.LoginProvider, v.Cookies)
	if sealed == "" || len(sealed) > partSize*maxParts {
		return nil
	}
	x := c.opened.get(sealed)
	if x == nil {
		ring, err := s.keys()
		if err != nil {
			return nil
		}
		text, ok := ring.open(s.purpose("session"), sealed)
		x = new(session)
		if !ok || json.Unmarshal(text, x) != nil || x.readToken(c.GroupsClaim) != nil {
			return nil
		}
		c.opened.put(sealed, x)
	}
	if !s.alive(x) {
		return nil
	}
	return x
}

// alive tells whether a session has neither reached its lifetime nor been logged out.
func (s *site) alive(x *session) bool {
	return s.m.o.Now().Before(x.ends(s.config.Load().LoginProvider)) && !s.m.revoked.has(s.config.Load().Key, x)
}

// seal seals a session.
func (s *site) seal(x *session) (string, error) {
	ring, err := s.keys()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(x)
	if err != nil {
		return "", err
	}
	sealed := ring.seal(s.purpose("session"), text)
	if len(sealed) > partSize*maxParts {
		return "", errTooLong
	}
	return sealed, nil
}

var errTooLong = fmt.Errorf("the provider's tokens need more than %d bytes of cookies; ask for fewer scopes or claims", partSize*maxParts)

// userInfo tells who is logged in, in oauth2-proxy's words.
func userInfo(x *session) *plan.Reply {
	data, _ := json.Marshal(struct { // of texts only
		User              string   `json:"user"`
		Email             string   `json:"email,omitempty"`
		Groups            []string `json:"groups,omitempty"`
		PreferredUsername string   `json:"preferredUsername,omitempty"`
	}{x.user.Subject, x.user.Email, x.user.Groups, x.user.PreferredUsername})
	r := &plan.Reply{Status: 200, Body: string(data) + "\n"}
	r.Header.Add("content-type", "application/json")
	noStore(r)
	return r
}

func noStore(r *plan.Reply) { r.Header.Set("cache-control", "no-store") }

// refuse tells a program that it must log in.
func refuse(v *plan.Visit, why string) plan.Entry {
	r := &plan.Reply{Status: 401, Body: "login required", Reason: why}
	r.Header.Add("www-authenticate", "Bearer realm="+strconv.Quote(v.Scheme+"://"+hostOr(v.Host)))
	r.Header.Add("content-type", "text/plain; charset=utf-8")
	noStore(r)
	return plan.Entry{Reply: r, Why: why}
}

func hostOr(host string) string {
	if goodHost(host) {
		return host
	}
	return ""
}

// away tells that the provider cannot be asked.
func (s *site) away(v *plan.Visit, err error) plan.Entry {
	s.count.away.Add(1)
	why := "the login provider " + s.config.Load().Issuer + " cannot be asked: " + err.Error()
	// Anybody can be turned away as often as they like: a line a second is enough.
	if last, now := s.lastAway.Load(), s.m.o.Now().Unix(); now != last && s.lastAway.CompareAndSwap(last, now) {
		s.m.o.Log.Warn("a login cannot go on", "provider", s.config.Load().Key, "error", err)
	}
	e := page(v, 503, "The login service is away",
		"You cannot be logged in at the moment. Nothing is wrong with your account; please try again in a little while.", "", why)
	e.Reply.Header.Add("retry-after", "10")
	return e
}
