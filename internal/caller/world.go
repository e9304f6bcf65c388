package caller

import (
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/htpasswd"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Options are what a World has beside its caller.
type Options struct {
	// Dice is what chance shows, from 0 to 1 (weights, percentages).
	Dice float64
	// Clock is the time; zero is now.
	Clock time.Time
	// Keys verifies tokens; nil accepts none but those that are taken for granted.
	Keys plan.Verifier
	// Sign makes the token that has these claims, which are JSON. Nil makes a stand-in
	// that is nobody's elsewhere.
	Sign func(claims []byte) string
}

// world is the plan.World of a caller: everything repeats in it, nothing is asked.
type world struct {
	plan.Closed
	Options
	caller  *Caller
	rules   []*plan.TokenRule // on the way
	token   *match.Token      // that counts as verified; nil none
	session bool              // the caller is logged in, and the session has the token
	shown   string            // the token that the request carries; "" none
}

// Session tells that the caller of a World that Dress gave is logged in by a session,
// which its request does not show.
func Session(w plan.World) bool {
	x, ok := w.(*world)
	return ok && x.session
}

// Shown is the text in the dressed request that stands for what only the caller has,
// and that opens nothing elsewhere; "" none.
func Shown(w plan.World) string {
	x, ok := w.(*world)
	switch {
	case !ok || x.caller.kind == bearer:
		return ""
	case x.caller.kind == holder:
		return x.caller.key
	}
	return x.shown
}

// Hide puts words in the place of what stands for the caller's token or key.
func Hide(w plan.World, text string) string {
	x, ok := w.(*world)
	if !ok {
		return text
	}
	if x.token != nil {
		text = strings.ReplaceAll(text, x.token.Raw, "(the token of "+x.caller.String()+")")
	}
	if x.caller.kind == holder {
		text = strings.ReplaceAll(text, x.caller.key, "("+x.caller.String()+")")
	}
	return text
}

func (w *world) Now() time.Time {
	if w.Clock.IsZero() {
		return time.Now()
	}
	return w.Clock
}

// Password compares a password that a request shows with its hash.
func (*world) Password(hash, password string) bool { return htpasswd.Match(hash, password) }

func (w *world) Chance() float64 { return w.Dice }
func (*world) ID() [16]byte      { return [16]byte{} }

// Verify accepts the token that counts as verified where the rule is for it, and asks
// Keys about all others.
func (w *world) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	if w.token != nil && token == w.token.Raw {
		if f := jwt.Accepts(r, w.token); f.Text != "" {
			return nil, f
		}
		return w.token, plan.TokenFailure{}
	}
	if w.Keys == nil {
		return w.Closed.Verify(r, token, now)
	}
	return w.Keys.Verify(r, token, now)
}

// Ask takes the authorizer for a login such as oauth2-proxy: it lets in who is logged
// in or brings a good token, hands the token on, and sends everybody else to log in.
func (w *world) Ask(p *plan.Provider, c *plan.Check) plan.Verdict {
	const assumed = " (assumed: nobody asks " // the provider's name, and a bracket
	why := assumed + p.Name + ", which is taken for a login)"
	token := w.entrance()
	if token == nil {
		return w.sendToLogin(p, c, "nobody is logged in"+why)
	}
	f := userFields(token, "groups")
	f.Add("x-auth-request-access-token", token.Raw)
	v := plan.Verdict{Allowed: true, Set: f}
	if !p.GRPC {
		v = p.Judge(200, f, "")
	}
	v.Why = w.caller.String() + " is let in" + why
	return v
}

// entrance is the token by which the caller gets past a login; nil for none.
func (w *world) entrance() *match.Token {
	switch {
	case w.session:
		return w.token
	case w.shown == "":
		return nil
	}
	for _, r := range w.rules {
		if t, f := w.Verify(r, w.shown, w.Now()); f.Text == "" {
			return t
		}
	}
	return nil
}

// sendToLogin answers as oauth2-proxy does: browsers are redirected, who wants JSON is
// told 401.
func (w *world) sendToLogin(p *plan.Provider, c *plan.Check, why string) plan.Verdict {
	status := 302
	if p.Edge { // auth-signin redirects, not who is asked
		status = 401
	}
	if accept, _ := c.Header.Joined("accept", ","); slices.ContainsFunc(strings.Split(accept, ","), func(one string) bool {
		return strings.TrimSpace(one) == "application/json"
	}) {
		status = 401
	}
	v := plan.Verdict{Status: status}
	if !p.GRPC {
		v = p.Judge(status, nil, "")
	}
	v.Why = why
	return v
}

// Login lets in who is logged in there.
func (w *world) Login(p *plan.LoginProvider, v *plan.Visit) plan.Entry {
	asksWho := v.Page == plan.LoginAuth || v.Page == plan.LoginUserInfo
	if !w.session || v.Page != plan.NoLoginPage && !asksWho {
		return w.Closed.Login(p, v)
	}
	if w.token.Issuer != p.Issuer {
		e := w.Closed.Login(p, v)
		e.Why = w.caller.String() + " is of the issuer " + w.token.Issuer + ", and the login is at " + p.Issuer + ": " + e.Why
		e.Reply.Reason = e.Why
		return e
	}
	e := plan.Entry{Why: w.caller.String() + " is let in (assumed: logged in, with a session)"}
	switch v.Page { // the login's own answers
	case plan.LoginAuth:
		e.Reply = &plan.Reply{Status: 202, Reason: e.Why}
		return e
	case plan.LoginUserInfo:
		e.Reply = &plan.Reply{Status: 200, Reason: e.Why}
		return e
	}
	for _, f := range userFields(w.token, p.GroupsClaim) {
		if f.Name == "authorization" && p.Authorization || f.Name != "authorization" && p.XAuthRequest {
			e.Set = append(e.Set, f)
		}
	}
	return e
}

// userFields are the headers that logins tell applications of a user with.
func userFields(t *match.Token, groupsClaim string) (f header.Fields) {
	f.Add("authorization", "Bearer "+t.Raw)
	var groups []string
	switch v := t.Claims[groupsClaim].(type) {
	case string:
		groups = []string{v}
	case []any:
		for _, g := range v {
			groups = append(groups, text(g))
		}
	}
	for _, x := range []header.Field{
		{Name: "x-auth-request-user", Value: t.Subject},
		{Name: "x-auth-request-email", Value: text(t.Claims["email"])},
		{Name: "x-auth-request-groups", Value: strings.Join(groups, ",")},
		{Name: "x-auth-request-preferred-username", Value: text(t.Claims["preferred_username"])},
	} {
		if x.Value != "" && !strings.ContainsAny(x.Value, "\r\n\x00") {
			f = append(f, x)
		}
	}
	return f
}
