package caller

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// way is what a request meets that asks who its caller is.
type way struct {
	listeners []*plan.Listener
	rules     []*plan.TokenRule
	logins    []*plan.LoginProvider
	asks      bool       // an external authorizer
	claims    [][]string // that policies read
}

// add adds a listener, and tells whether it was not there yet.
func (w *way) add(l *plan.Listener) bool {
	if slices.Contains(w.listeners, l) {
		return false
	}
	w.listeners = append(w.listeners, l)
	for _, g := range l.Guards {
		switch g := g.(type) {
		case *plan.Tokens:
			w.rules = append(w.rules, g.Rules...)
		case *plan.Login:
			if g.Broken == "" {
				w.logins = append(w.logins, g.Provider)
			}
			w.claims = append(w.claims, claimsRead(g.When.Rules())...)
		case *plan.External:
			w.asks = w.asks || g.Provider != nil
			w.claims = append(w.claims, claimsRead(g.When.Rules())...)
		case *plan.Policies:
			w.claims = append(append(w.claims, claimsRead(g.Deny.Rules())...), claimsRead(g.Allow.Rules())...)
		}
	}
	return true
}

// Dress makes req what the caller's client sends to listener l of p, and returns the
// world to walk it in, with what was taken for granted in making it. Which rules the
// request meets is found by walking it.
func (c *Caller) Dress(p *plan.Plan, l *plan.Listener, req *match.Request, o Options) (plan.World, []string) {
	var w way
	for {
		trial := *req
		trial.Header = req.Header.Clone()
		var out plan.Outcome
		world, _ := c.dress(l, &trial, &w, o)
		p.Walk(l, &trial, world, nil, &out)
		more := false
		for _, h := range out.Hops() {
			more = w.add(h.Listener) || more
			if h.Route != nil && h.Route.Asks() && !w.asks {
				w.asks, more = true, true
			}
		}
		if !more {
			break
		}
	}
	return c.dress(l, req, &w, o)
}

// dress is Dress for a way that is known.
func (c *Caller) dress(l *plan.Listener, req *match.Request, w *way, o Options) (*world, []string) {
	x := &world{Options: o, caller: c, rules: w.rules}
	switch c.kind {
	case holder:
		req.Header.Set("authorization", "Bearer "+c.key)
	case bearer:
		x.shown = c.token
		place(issued(w.rules, issuerOf(c.token)), c.token, req)
	case person, account:
		return x, c.dressWithClaims(l, req, w, x)
	}
	return x, nil
}

// dressWithClaims gives the caller its token: in its session where there is a login on
// the way, otherwise in the request.
func (c *Caller) dressWithClaims(l *plan.Listener, req *match.Request, w *way, x *world) (notes []string) {
	claims := c.claimsOn(w)
	t, err := tokenOf(claims)
	if err != nil { // New has made one of claims that are given
		return []string{err.Error()}
	}
	if x.Sign != nil {
		data, _ := base64.RawURLEncoding.DecodeString(t.Payload) // as tokenOf has encoded it
		t.Raw = x.Sign(data)
	}
	x.token = t
	if c.kind == account && l.Dialect == plan.Service {
		req.Source = identity(w, c.namespace, c.account)
		notes = append(notes, c.name+" is taken to come from a Pod with a sidecar, as "+req.Source)
	}
	rule := takes(w.rules, t)
	switch {
	case c.kind == person && (w.asks || len(w.logins) > 0):
		x.session = true
		notes = append(notes, c.name+" is taken for logged in, with a session")
	case rule != nil:
		x.shown = t.Raw
		place(rule, t.Raw, req)
		notes = append(notes, c.name+" is taken to bring a good token")
	case len(w.rules) > 0:
		x.shown = t.Raw
		place(w.rules[0], t.Raw, req)
		notes = append(notes, c.name+" brings a token of "+t.Issuer+", and no rule on the way takes tokens of that issuer")
	case req.Source != "":
		return notes
	default:
		return append(notes, "nothing on the way reads tokens: who asks does not matter to it")
	}
	if c.claims == nil {
		data, _ := json.Marshal(claims) // of texts only
		notes = append(notes, "its claims are "+string(data))
		if missing := w.unfilled(t); len(missing) > 0 {
			notes = append(notes, "policies read more claims, which are not there: "+strings.Join(missing, ", ")+"; give all with claims where they count")
		}
	}
	return notes
}

// identity is who a service account is in the mesh.
func identity(w *way, namespace, account string) string {
	domain := "cluster.local"
	for _, l := range w.listeners {
		if d, _, ok := strings.Cut(l.Identity, "/ns/"); ok {
			domain = d
			break
		}
	}
	return domain + "/ns/" + namespace + "/sa/" + account
}

// issued finds the first rule that takes tokens of an issuer; nil none. A rule without
// an issuer takes nobody's.
func issued(rules []*plan.TokenRule, issuer string) *plan.TokenRule {
	for _, r := range rules {
		if r.Issuer == issuer && issuer != "" {
			return r
		}
	}
	return nil
}

// takes finds the rule that takes a token, or else one of its issuer.
func takes(rules []*plan.TokenRule, t *match.Token) *plan.TokenRule {
	for _, r := range rules {
		if f := jwt.Accepts(r, t); r.Issuer != "" && f.Text == "" {
			return r
		}
	}
	return issued(rules, t.Issuer)
}

// issuerOf reads the issuer of a token that is not verified; "" where there is none.
func issuerOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// place puts a token where the rule looks for it first; nil is where most rules do.
func place(r *plan.TokenRule, token string, req *match.Request) {
	switch {
	case r != nil && len(r.FromHeaders) > 0:
		req.Header.Set(r.FromHeaders[0].Name, r.FromHeaders[0].Prefix+token)
	case r != nil && len(r.FromCookies) > 0:
		pair := r.FromCookies[0] + "=" + token
		if before, has := req.Header.Joined("cookie", "; "); has {
			pair = before + "; " + pair
		}
		req.Header.Set("cookie", pair)
	case r != nil && len(r.FromParams) > 0:
		sep := "?"
		if strings.Contains(req.Target, "?") {
			sep = "&"
		}
		req.Target += sep + url.QueryEscape(r.FromParams[0]) + "=" + token
	default:
		req.Header.Set("authorization", "Bearer "+token)
	}
}
