package match

import "sync/atomic"

// Token is a JSON Web Token that has been verified. It is shared by all requests
// that carry it and never changes.
type Token struct {
	Issuer, Subject string
	Audiences       []string
	Presenter       string         // the claim azp
	Claims          map[string]any // as JSON is read: string, float64, bool, []any, map[string]any, nil
	SpaceDelimited  []string       // claims that policies read as lists written with blanks, beside scope and permission
	Raw             string         // the token as it came
	Payload         string         // its middle part, base64url without padding
	principal       string
	memo            *atomic.Pointer[tokenMemo]
}

// tokenMemo is what somebody keeps with a token.
type tokenMemo struct {
	of     any
	values []string
}

// NewToken returns t with its principal made. The fields must not change any more.
func NewToken(t Token) *Token {
	if t.Issuer != "" && t.Subject != "" {
		t.principal = t.Issuer + "/" + t.Subject
	}
	t.memo = new(atomic.Pointer[tokenMemo])
	return &t
}

// Principal is ISSUER/SUBJECT, or "" unless the token has both: who lacks one is
// nobody to a policy (Istio, requestPrincipals).
func (t *Token) Principal() string {
	if t == nil {
		return ""
	}
	return t.principal
}

// Memo returns the texts that were last kept with the token, if it was for the
// rule of: what is made of a token need not be made for each request.
func (t *Token) Memo(of any) ([]string, bool) {
	if m := t.memo.Load(); m != nil && m.of == of {
		return m.values, true
	}
	return nil, false
}

// SetMemo keeps texts for Memo. They must not change any more.
func (t *Token) SetMemo(of any, values []string) { t.memo.Store(&tokenMemo{of, values}) }
