package witness

import (
	"maps"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Caller is who asks.
type Caller struct {
	Name string // for people
	// Claims are what the caller can prove; nil: nothing. Without an issuer (iss) they
	// are of whichever is asked for.
	Claims map[string]any
	// Session says that a login knows the claims, and hands the token on where it does
	// so; otherwise the request carries it.
	Session bool
	// Anyway says that the token counts also where its issuer's keys are written in a way
	// that no token can be verified by.
	Anyway bool
}

// Anonymous has neither login nor token.
func Anonymous() Caller { return Caller{Name: "anonymous"} }

// Member is anybody who is logged in, without anything that rules ask of somebody.
func Member() Caller {
	return Caller{Name: "anybody logged in", Session: true, Claims: map[string]any{"sub": "member", "email": "member@example.com"}}
}

// Bearer is anybody with a good token.
func Bearer() Caller {
	c := Member()
	c.Name, c.Session = "anybody with a token", false
	return c
}

// IsAnonymous tells that the caller shows nothing.
func (c Caller) IsAnonymous() bool { return c.Claims == nil }

// claiming is the caller with one more claim, as the bearer of a token.
func (c Caller) claiming(path []string, value any) Caller {
	claims := maps.Clone(c.Claims)
	if claims == nil {
		claims = Bearer().Claims
	}
	c.Claims = claims
	for i, name := range path {
		if i == len(path)-1 {
			claims[name] = value
			break
		}
		inner, _ := claims[name].(map[string]any)
		inner = maps.Clone(inner)
		if inner == nil {
			inner = map[string]any{}
		}
		claims[name], claims = inner, inner
	}
	return c
}

// standIn is in the place of the caller's token.
const standIn = "TOKEN"

// dress gives a request the caller's token, and returns the world that believes it.
func (c *Caller) dress(r *match.Request) plan.World {
	if c.Claims != nil && !c.Session {
		r.Header.Add("authorization", "Bearer "+standIn)
	}
	return world{caller: c}
}

// world is one in which nothing moves, and a caller is who he says. Unlike those of
// package caller it tells no story and makes no real tokens: it is walked in by the
// thousand.
type world struct {
	plan.Closed
	caller *Caller
}

func (world) Now() time.Time  { return time.Unix(1700000000, 0).UTC() }
func (world) Chance() float64 { return 0 }
func (world) ID() [16]byte    { return [16]byte{} }

// Ask takes the authorizer for a login, such as oauth2-proxy: it sends whom it does not
// know to log in.
func (w world) Ask(p *plan.Provider, c *plan.Check) plan.Verdict {
	if w.caller.Claims == nil {
		return plan.Verdict{Status: 302}
	}
	told := w.told()
	if p.GRPC {
		return plan.Verdict{Allowed: true, Set: told}
	}
	return p.Judge(200, told, "")
}

// told are the headers by which logins tell applications who asks.
func (w world) told() (f header.Fields) {
	if w.caller.Session {
		f.Add("authorization", "Bearer "+standIn)
	}
	for _, name := range []string{"sub", "email"} {
		if v, ok := w.caller.Claims[name].(string); ok {
			f.Add(UserHeaders()[name], v)
		}
	}
	return f
}

// UserHeaders are the headers by which oauth2-proxy, and a LoginProvider in its way, tell
// of a user, by the claim that they are of.
func UserHeaders() map[string]string {
	return map[string]string{"sub": "x-auth-request-user", "email": "x-auth-request-email", "groups": "x-auth-request-groups",
		"preferred_username": "x-auth-request-preferred-username"}
}

// Login lets in who has a session, and tells of it as the provider does.
func (w world) Login(p *plan.LoginProvider, at *plan.Visit) plan.Entry {
	if !w.caller.Session || at.Page != plan.NoLoginPage {
		return w.Closed.Login(p, at)
	}
	e := plan.Entry{Why: "logged in"}
	for _, f := range w.told() {
		if f.Name == "authorization" && p.Authorization || f.Name != "authorization" && p.XAuthRequest {
			e.Set = append(e.Set, f)
		}
	}
	return e
}

// Verify takes the caller's token.
func (w world) Verify(r *plan.TokenRule, token string, now time.Time) (*match.Token, plan.TokenFailure) {
	claims := w.caller.Claims
	if claims == nil || token != standIn || r.Keys.Broken != "" && !w.caller.Anyway {
		return w.Closed.Verify(r, token, now)
	}
	if issuer, _ := claims["iss"].(string); issuer != "" && issuer != r.Issuer {
		return nil, plan.TokenFailure{Text: plan.UnknownIssuer, Status: 401}
	}
	subject, _ := claims["sub"].(string)
	return match.NewToken(match.Token{Issuer: r.Issuer, Subject: subject, Claims: claims, Raw: token}), plan.TokenFailure{}
}
