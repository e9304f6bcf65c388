package plan

import (
	"cmp"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/match"
)

// TokenRule is one issuer whose tokens a listener takes (RequestAuthentication
// jwtRules). The zero places of a token mean Istio's default: the Authorization
// header with "Bearer ", and the query parameter access_token.
type TokenRule struct {
	Origin    Origin
	Issuer    string   // "": any, only of a rule that accepts nothing
	Audiences []string // none: any
	Keys      KeySource
	// The places that a token is looked for in.
	FromHeaders []TokenHeader
	FromParams  []string
	FromCookies []string
	// Forward keeps the token in the request (forwardOriginalToken).
	Forward bool
	// PayloadTo is the header that gets the token's middle part, lower case; "" none.
	PayloadTo string
	ClaimsTo  []ClaimHeader
	// CommaLists writes claims that are lists as their members joined by commas,
	// instead of Istio's base64 of JSON (annotation doorward.dev/claim-lists).
	CommaLists bool
	// SpaceDelimited are the claims that policies see as lists although they are
	// text with blanks, beside scope and permission.
	SpaceDelimited []string
}

// TokenHeader is a header that may hold a token, behind a prefix.
type TokenHeader struct {
	Name   string // lower case
	Prefix string // "Bearer ", letter case counts; "" takes the whole value
}

// ClaimHeader is a header that gets the value of a claim (outputClaimToHeaders).
type ClaimHeader struct {
	Name  string   // lower case
	Claim []string // the way to the claim through nested objects
}

// KeySource is where the keys of an issuer come from.
type KeySource struct {
	// Key is stable over plans: fetched keys and verified tokens hang on it. Rules
	// with one Key have one issuer and one SpaceDelimited.
	Key     string
	Broken  string        // why no key can ever be had; "" for a sound source
	Inline  string        // a key set in JSON (jwks); "" none
	URI     string        // where it is fetched (jwksUri); "" with no Inline: found by the issuer's OpenID discovery
	Timeout time.Duration // of a fetch; 0 is Istio's 5 s
	// Backend has the endpoints of the URI's (or issuer's) host and port where
	// that is a Service of the manifests; nil goes by DNS.
	Backend *Backend
	// Services are the endpoints of all Services, by HOST:PORT with the host in full: an
	// issuer may say that its keys are at another. Nil where nothing is discovered.
	Services map[string][]Endpoint
}

// TokenFailure is why a token was not accepted; the zero value is none.
type TokenFailure struct {
	Text   string // as Envoy tells the client: "Jwt is expired"; "" for none
	Status int    // 401, or 403 for a wrong audience
	// Reason adds what only operators may see, such as why keys could not be fetched.
	Reason string
}

// String is what operators see: the text with the reason.
func (f *TokenFailure) String() string {
	if f.Reason == "" {
		return f.Text
	}
	return f.Text + ": " + f.Reason
}

// UnknownIssuer is the text for a token of another issuer. Where several rules
// look in one place it counts less than any other failure.
const UnknownIssuer = "Jwt issuer is not configured"

// Verifier checks tokens. It is a part of World.
type Verifier interface {
	// Verify returns the verified token, or why it is not accepted by the rule.
	Verify(rule *TokenRule, token string, now time.Time) (*match.Token, TokenFailure)
}

// Tokens is the Guard of a workload's RequestAuthentications: whoever brings a
// token must bring a good one, and who brings none passes. The headers that any
// rule fills are removed from every request first, also from those that need no
// token, so that their values are never a client's.
type Tokens struct {
	Rules []*TokenRule // in Istio's order; any that is satisfied is enough
	// BesideKeys says that the guard APIKeys comes before: no token may pass for a key.
	BesideKeys bool
	outputs    []string // every header that a rule fills
}

// NewTokens makes the guard. The rules must not change afterwards.
func NewTokens(rules []*TokenRule) *Tokens {
	g := &Tokens{Rules: rules}
	for _, r := range rules {
		if r.PayloadTo != "" {
			g.outputs = append(g.outputs, r.PayloadTo)
		}
		for i := range r.ClaimsTo {
			g.outputs = append(g.outputs, r.ClaimsTo[i].Name)
		}
	}
	return g
}

// check verifies the tokens of the request. Its order, and which failure is
// told, are Envoy's (jwt_authn verifier, as Istio's policy_applier sets it up):
// the first satisfied rule accepts; otherwise the first failure is told, unless
// it says no more than that the token is of another issuer, and a later one does.
func (g *Tokens) check(w *walk) bool {
	if w.req.Token != nil {
		return g.besideKey(w)
	}
	sanitise(w, g.outputs)
	if preflight(w.req) {
		return false // it cannot carry a token (Envoy, isCorsPreflightRequest)
	}
	var first, last tokenRefusal
	for _, r := range g.Rules {
		var room [4]foundToken
		found := r.find(w.req, room[:0])
		if len(found) == 0 {
			continue
		}
		token, failure := w.verify(r, found)
		if token != nil && g.BesideKeys && token.Issuer == KeyIssuer {
			token, failure = nil, TokenFailure{Text: UnknownIssuer, Status: 401, Reason: "it has the issuer that stands for API keys"}
		}
		if token != nil {
			r.accept(w, token, found)
			return false
		}
		if first.by == nil {
			first = tokenRefusal{r, failure}
		}
		if failure.Text != UnknownIssuer {
			last = tokenRefusal{r, failure}
		}
	}
	if first.by == nil {
		return false
	}
	if first.Text == UnknownIssuer && last.by != nil {
		first = last
	}
	w.refuseToken(first)
	return true
}

// besideKey refuses a token in a request that has a good API key: nobody is two, and
// which of them policies should judge is not ours to guess. What every client's
// request loses, the guard before has removed.
func (g *Tokens) besideKey(w *walk) bool {
	for _, r := range g.Rules {
		var room [4]foundToken
		for _, f := range r.find(w.req, room[:0]) {
			if apikey.IsKey(f.token) {
				continue // the key itself, which the application is to get
			}
			w.refuseToken(tokenRefusal{r, TokenFailure{Text: "Jwt is not accepted beside an API key", Status: 401}})
			return true
		}
	}
	return false
}

// tokenRefusal is a failure and the rule that has it.
type tokenRefusal struct {
	by *TokenRule
	TokenFailure
}

func (g *Tokens) String() string {
	names := make([]string, 0, len(g.Rules))
	for _, r := range g.Rules {
		names = append(names, r.Issuer)
	}
	return "tokens of " + strings.Join(names, ", ")
}

// sanitise removes the headers that some rule fills. Applications that read
// their headers from the environment (WSGI, CGI) cannot tell "_" from "-", and some
// servers make "_" of all punctuation (Apache httpd before 2.4), so all are removed.
func sanitise(w *walk, outputs []string) {
	f := w.req.Header
	kept := 0
	for i := range f {
		if isOutput(outputs, f[i].Name) {
			if w.tr != nil {
				w.note("token", "header "+f[i].Name+" of the client is removed: only who is verified may fill it", true, "")
			}
			continue
		}
		f[kept] = f[i]
		kept++
	}
	clear(f[kept:])
	w.req.Header = f[:kept]
}

func isOutput(outputs []string, name string) bool {
	for _, o := range outputs {
		if len(o) == len(name) && sameHeader(o, name) {
			return true
		}
	}
	return false
}

// sameHeader compares names of one length, all that is neither letter nor digit being
// alike.
func sameHeader(a, b string) bool {
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && (alphanumeric(a[i]) || alphanumeric(b[i])) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func preflight(r *match.Request) bool {
	return r.Method == "OPTIONS" && r.Header.Value("origin") != "" && r.Header.Value("access-control-request-method") != ""
}

// verify verifies the tokens that one rule has found: all must be good. It
// begins with the last, as Envoy does, and returns the first one found.
func (w *walk) verify(r *TokenRule, found []foundToken) (token *match.Token, failure TokenFailure) {
	for i := len(found) - 1; i >= 0; i-- {
		token, failure = w.world.Verify(r, found[i].token, w.world.Now())
		if w.tr != nil {
			why := failure.String()
			if token != nil {
				why = "good, " + cmp.Or(token.Principal(), "but of nobody: it needs both iss and sub")
			}
			w.tr.add("token", found[i].String()+" for issuer "+r.Issuer, r.Origin, token != nil, why)
		}
		if token == nil {
			break
		}
	}
	return token, failure
}

// accept makes the token the request's, fills the headers of the rule and
// removes the token from where it was found.
func (r *TokenRule) accept(w *walk, t *match.Token, found []foundToken) {
	w.req.Token = t.WithLists(r.SpaceDelimited)
	if r.PayloadTo != "" {
		w.req.Header.Add(r.PayloadTo, t.Payload)
	}
	r.fillClaims(w.req, t)
	if r.Forward {
		return
	}
	for i := range found {
		found[i].remove(w.req)
	}
}

// refuseToken answers as Envoy does: the reason as text, and a challenge that
// names the URL asked for.
func (w *walk) refuseToken(f tokenRefusal) {
	p := Reply{Status: f.Status, Body: f.Text, Reason: f.String()}
	p.Header.Add("www-authenticate", w.challenge("invalid_token"))
	w.out.By = f.by.Origin
	w.reply(p)
}

// challenge is the value of WWW-Authenticate with an error code of RFC 6750.
func (w *walk) challenge(code string) string {
	const longest = 256 // of the URL's path (Envoy, MaximumUriLength)
	path := w.req.Path
	if w.req.HasQuery {
		path += "?" + w.req.Query
	}
	realm := w.req.Header.Value("x-forwarded-proto") + "://" + w.req.Host + path[:min(len(path), longest)]
	return `Bearer realm="` + realm + `", error="` + code + `"`
}
