package jwt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// maxToken bounds a token, in bytes: it is read before anything of it is known
// to be true.
const maxToken = 32 << 10

// slack is by how much clocks may differ (Envoy, kClockSkewInSecond).
const slack = 60

// parsed is a token whose form is right and whose signature is unknown.
type parsed struct {
	match.Token
	alg, kid  string
	critical  bool
	signature int // bytes
	// Seconds since 1970; 0 for none.
	expires, notBefore uint64
}

func unauthorized(text string) plan.TokenFailure {
	return plan.TokenFailure{Text: text, Status: 401}
}

// strict takes no padding and no stray bits; decode takes no line breaks
// either, so that one token has one spelling.
var strict = base64.RawURLEncoding.Strict()

func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") { // which the library skips
		return nil, errBase64
	}
	return strict.DecodeString(part)
}

// parse reads a token in the compact form (RFC 7515 section 7.1). Its failures
// are worded as Envoy's (jwt.cc parseFromString).
func parse(token string) (*parsed, plan.TokenFailure) {
	if len(token) > maxToken {
		f := unauthorized(badForm)
		f.Reason = "it has " + strconv.Itoa(len(token)) + " bytes, more than " + strconv.Itoa(maxToken)
		return nil, f
	}
	head, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || head == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return nil, unauthorized(badForm)
	}
	p := &parsed{Token: match.Token{Raw: token, Payload: payload}}
	if text := p.readHead(head); text != "" {
		return nil, unauthorized(text)
	}
	if text := p.readPayload(payload); text != "" {
		return nil, unauthorized(text)
	}
	signed, err := decode(signature)
	if err != nil {
		return nil, unauthorized("Jwt signature is an invalid Base64url encoded")
	}
	p.signature = len(signed)
	return p, plan.TokenFailure{}
}

const badForm = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"

var (
	errBase64 = errors.New("no base64url")
	errObject = errors.New("no JSON object")
)

// members decodes a part of a token.
func members(part string) (map[string]any, error) {
	data, err := decode(part)
	if err != nil {
		return nil, errBase64
	}
	var o map[string]any
	if !utf8.Valid(data) || json.Unmarshal(data, &o) != nil || o == nil {
		return nil, errObject
	}
	return o, nil
}

// readHead reads the header. Keys that it brings or points to (jwk, jku, x5c,
// x5u) are not looked at.
func (p *parsed) readHead(part string) (bad string) {
	head, err := members(part)
	switch err {
	case errBase64:
		return "Jwt header is an invalid Base64url encoded"
	case errObject:
		return "Jwt header is an invalid JSON"
	}
	var ok bool
	if p.alg, ok = head["alg"].(string); !ok {
		return "Jwt header [alg] field is required and must be a string"
	}
	if !known(p.alg) {
		return "Jwt header [alg] is not supported"
	}
	if p.kid, ok = text(head, "kid"); !ok {
		return "Jwt header [kid] field is not a string"
	}
	_, p.critical = head["crit"]
	return ""
}

// known tells the algorithms that Envoy knows by name. HMAC is among them, and
// has no key here.
func known(alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512":
		return true
	}
	return false
}

func (p *parsed) readPayload(part string) (bad string) {
	claims, err := members(part)
	switch err {
	case errBase64:
		return "Jwt payload is an invalid Base64url encoded"
	case errObject:
		return "Jwt payload is an invalid JSON"
	}
	p.Claims = claims
	for _, c := range []struct {
		name string
		to   *string
	}{{"iss", &p.Issuer}, {"sub", &p.Subject}} {
		var ok bool
		if *c.to, ok = text(claims, c.name); !ok {
			return notText(c.name)
		}
	}
	p.Presenter, _ = text(claims, "azp")
	for _, c := range []struct {
		name string
		to   *uint64
	}{{"iat", new(uint64)}, {"nbf", &p.notBefore}, {"exp", &p.expires}} {
		v, ok := claims[c.name]
		if !ok {
			continue
		}
		n, ok := v.(float64)
		if !ok {
			return "Jwt payload [" + c.name + "] field is not an integer"
		}
		if n < 0 || n >= math.MaxUint64 {
			return "Jwt payload [" + c.name + "] field is not a positive 64 bit integer"
		}
		*c.to = uint64(n)
	}
	if _, ok := text(claims, "jti"); !ok {
		return notText("jti")
	}
	if aud, ok := claims["aud"]; ok {
		if p.Audiences, ok = texts(aud); !ok {
			return "Jwt payload [aud] field is not a string or string list"
		}
	}
	return ""
}

func notText(claim string) string { return "Jwt payload [" + claim + "] field is not a string" }

// text is a member that must be text; absent is "".
func text(o map[string]any, name string) (string, bool) {
	v, ok := o[name]
	if !ok {
		return "", true
	}
	s, ok := v.(string)
	return s, ok
}

// texts is a text or a list of texts.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		all := make([]string, len(v))
		for i := range v {
			var ok bool
			if all[i], ok = v[i].(string); !ok {
				return nil, false
			}
		}
		return all, true
	}
	return nil, false
}

// inTime compares with the token's times. A time of 0 is none, as with Envoy.
func inTime(expires, notBefore uint64, now time.Time) plan.TokenFailure {
	at := uint64(max(now.Unix(), 0))
	switch {
	case at+slack < notBefore:
		return unauthorized("Jwt not yet valid")
	case expires != 0 && at > expires && at-expires > slack:
		return unauthorized("Jwt is expired")
	}
	return plan.TokenFailure{}
}

// forAudience tells whether one of the token's audiences is wanted; nobody in
// particular is everybody. The scheme and one slash at the end do not count
// (Envoy, check_audience.cc).
func forAudience(wanted, has []string) bool {
	if len(wanted) == 0 {
		return true
	}
	for _, w := range wanted {
		for _, h := range has {
			if plainAudience(w) == plainAudience(h) {
				return true
			}
		}
	}
	return false
}

func plainAudience(s string) string {
	if rest, ok := strings.CutPrefix(s, "https://"); ok {
		s = rest
	} else if rest, ok := strings.CutPrefix(s, "http://"); ok {
		s = rest
	}
	return strings.TrimSuffix(s, "/")
}
