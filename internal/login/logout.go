package login

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/doorward/doorward/internal/plan"
)

// signOut ends the session here, and at the provider (OpenID Connect RP-Initiated
// Logout 1.0, section 2).
func (s *site) signOut(ctx context.Context, v *plan.Visit) plan.Entry {
	p := s.config.Load()
	wanted := s.wanted(v)
	x := s.session(v)
	to := absolute(v.Scheme, v.Host, wanted)
	if x != nil {
		s.count.loggedOut.Add(1)
		s.m.revoked.add(revocation{Key: p.Key, ID: x.ID, Until: x.ends(p.LoginProvider).Unix()})
		if at := s.endSession(ctx, v, x, wanted); at != "" {
			to = at
		}
	}
	e := redirect(to, "logged out")
	e.Cookies, _ = sessionCookies(p.LoginProvider, v, "", 0)
	return e
}

// endSession is the URL that ends the provider's session; "" when there is none.
func (s *site) endSession(ctx context.Context, v *plan.Visit, x *session, wanted string) string {
	p := s.config.Load()
	f := s.found.Load()
	if f == nil || f.endSession == "" || p.LocalLogout {
		return ""
	}
	u, err := url.Parse(f.endSession)
	if err != nil {
		return ""
	}
	if issuer, err := url.Parse(p.Issuer); err == nil && strings.HasPrefix(p.AuthorizationURL, "/") && u.Host == issuer.Host {
		u.Scheme, u.Host = v.Scheme, v.Host // browsers reach the provider there, not at its issuer
	}
	q := u.Query()
	q.Set("id_token_hint", x.IDToken)
	q.Set("client_id", p.ClientID)
	switch back := p.PostLogoutRedirect; {
	case strings.HasPrefix(back, "/"):
		q.Set("post_logout_redirect_uri", absolute(v.Scheme, v.Host, back))
	case back != "":
		q.Set("post_logout_redirect_uri", back)
	case wanted != "/":
		q.Set("post_logout_redirect_uri", absolute(v.Scheme, v.Host, wanted))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// logoutEvent is what makes a token a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// backchannel ends sessions at the provider's word (OpenID Connect Back-Channel Logout
// 1.0, section 2.5 to 2.8).
func (s *site) backchannel(ctx context.Context, v *plan.Visit) plan.Entry {
	e := plan.Entry{Reply: &plan.Reply{Status: 200}}
	noStore(e.Reply)
	if err := s.logOut(ctx, v); err != nil {
		s.m.o.Log.Warn("a logout token is not accepted", "provider", s.config.Load().Key, "error", err)
		e.Reply.Status, e.Why = 400, "the logout token is not accepted: "+err.Error()
		e.Reply.Header.Add("content-type", "application/json")
		e.Reply.Body = `{"error":"invalid_request"}` + "\n"
	} else {
		s.count.loggedOutThere.Add(1)
		e.Why = "logged out by the provider"
	}
	e.Reply.Reason = e.Why
	return e
}

func (s *site) logOut(ctx context.Context, v *plan.Visit) error {
	p := s.config.Load()
	form, err := url.ParseQuery(string(v.Body))
	if v.Method != "POST" || err != nil || form.Get("logout_token") == "" {
		return errors.New("it is no POST of a form with logout_token")
	}
	f := s.ready(ctx)
	if f == nil {
		return errors.New(s.why())
	}
	ctx, cancel := s.call(ctx)
	defer cancel()
	t, err := s.verifier(f).Verify(ctx, form.Get("logout_token"))
	if err != nil {
		return err
	}
	var c struct {
		Events map[string]json.RawMessage `json:"events"`
		SID    string                     `json:"sid"`
		Nonce  *json.RawMessage           `json:"nonce"`
	}
	if err := t.Claims(&c); err != nil {
		return err
	}
	event := c.Events[logoutEvent]
	switch {
	case !strings.HasPrefix(strings.TrimSpace(string(event)), "{"):
		return errors.New("it has no logout event")
	case c.Nonce != nil:
		return errors.New("it has a nonce, so it is an ID token")
	case c.SID == "" && t.Subject == "":
		return errors.New("it names neither session nor subject")
	case t.IssuedAt.Unix() <= 0:
		return errors.New("it does not tell when it was issued")
	}
	r := revocation{Key: p.Key, SID: c.SID, Until: s.m.o.Now().Add(p.SessionLifetime).Unix()}
	if c.SID == "" {
		r.Subject, r.Issued = t.Subject, t.IssuedAt.Unix()
	}
	s.m.revoked.add(r)
	return nil
}
