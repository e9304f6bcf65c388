package plan

import (
	"time"

	"github.com/doorward/doorward/internal/match"
)

// TokenRule is one issuer whose tokens a listener takes (RequestAuthentication
// jwtRules). The zero places of a token mean Istio's default: the Authorization
// header with "Bearer ", and the query parameter access_token.
type TokenRule struct {
	Origin    Origin
	Issuer    string
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
	// SpaceDelimited are the claims that are lists written with blanks, beside
	// scope and permission.
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
	Inline  string        // a key set in JSON (jwks); "" none
	URI     string        // where it is fetched (jwksUri); "" with no Inline: found by the issuer's OpenID discovery
	Timeout time.Duration // of a fetch; 0 is Istio's 5 s
}

// TokenFailure is why a token was not accepted; TokenValid is none.
type TokenFailure struct {
	Text   string // as Envoy tells the client: "Jwt is expired"; "" for none
	Status int    // 401, or 403 for a wrong audience
	// Reason adds what only operators may see, such as why keys could not be fetched.
	Reason string
}

// Verifier checks tokens. It is a part of World.
type Verifier interface {
	// Verify returns the verified token, or why it is not accepted by the rule.
	Verify(rule *TokenRule, token string, now time.Time) (*match.Token, TokenFailure)
}
