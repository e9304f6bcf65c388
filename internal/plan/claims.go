package plan

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// fillClaims adds the headers that the rule fills from claims. What they hold is
// kept with the token, which many requests bring.
func (r *TokenRule) fillClaims(q *match.Request, t *match.Token) {
	values, ok := t.Memo(r)
	if !ok {
		values = make([]string, len(r.ClaimsTo))
		for i := range r.ClaimsTo {
			values[i] = claimText(r.ClaimsTo[i].of(t.Claims), r.CommaLists)
		}
		t.SetMemo(r, values)
	}
	for i := range r.ClaimsTo {
		if values[i] != "" {
			q.Header.Add(r.ClaimsTo[i].Name, values[i])
		}
	}
}

// Text is what the header gets of claims that are known beforehand: lists are joined
// by commas.
func (c *ClaimHeader) Text(claims map[string]any) string { return claimText(c.of(claims), true) }

// of finds the claim; nil if there is none.
func (c *ClaimHeader) of(claims map[string]any) any {
	for i, name := range c.Claim {
		v, ok := claims[name]
		if !ok || i == len(c.Claim)-1 {
			return v
		}
		if claims, ok = v.(map[string]any); !ok {
			return nil
		}
	}
	return nil
}

// claimText is how a claim is written in a header (Envoy, addJWTClaimToHeader):
// text as it is, numbers in digits, lists and objects as base64 of JSON, or with
// commas the members of a list. It is "", and the header left out, for null,
// for empty text, and for text that no header can hold: a line break in a claim
// must not become one in the message.
func claimText(v any, commas bool) string {
	switch v := v.(type) {
	case string:
		if inHeaderValue(v) {
			return v
		}
	case float64:
		return numberText(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		if commas {
			if text, ok := commaList(v); ok {
				return text
			}
		}
		return jsonText(v)
	case map[string]any:
		return jsonText(v)
	}
	return ""
}

// inHeaderValue tells whether a message can hold the text as a header's value
// (RFC 9110 section 5.5). Blanks at its ends would be lost on the way.
func inHeaderValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return strings.Trim(s, " \t") == s
}

// numberText writes whole numbers from 0 on as such, others with six decimals
// (Envoy, convertClaimDoubleToString).
func numberText(v float64) string {
	if v < 0 || v >= math.MaxUint64 || v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 6, 64)
	}
	return strconv.FormatUint(uint64(v), 10)
}

// commaList joins the members of a list by commas; ok is false if some member is
// a list, an object or null. A member that would read as several, or that no
// header can hold, is left out: a group "a,admin" must not make anyone an admin.
func commaList(list []any) (text string, ok bool) {
	parts := make([]string, 0, len(list))
	for _, v := range list {
		switch v.(type) {
		case string, float64, bool:
		default:
			return "", false
		}
		if s := claimText(v, false); s != "" && strings.IndexByte(s, ',') < 0 {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ","), true
}

// jsonText is compact JSON in standard base64. Its "<" and ">" are escaped, as
// the protobuf library does.
func jsonText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	text := strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(strings.TrimSuffix(b.String(), "\n"))
	return base64.StdEncoding.EncodeToString([]byte(text))
}
