package caller

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

func digest(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// kubernetes is the issuer of service accounts' tokens where no rule names another.
const kubernetes = "https://kubernetes.default.svc.cluster.local"

// clusterIssuer tells the issuers of service accounts' tokens by their usual names.
func clusterIssuer(issuer string) bool {
	return issuer == "kubernetes/serviceaccount" || strings.HasPrefix(issuer, "https://kubernetes.default.svc")
}

// tokenOf makes the token that has these claims, as if it had been verified. Its form
// is a token's, of which only the signature is a word.
func tokenOf(claims map[string]any) (*match.Token, error) {
	data, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("the claims are no JSON: %w", err)
	}
	t := match.Token{Claims: map[string]any{}}
	if err := json.Unmarshal(data, &t.Claims); err != nil { // numbers as JSON has them
		return nil, err
	}
	for _, c := range []struct {
		name string
		to   *string
	}{{"iss", &t.Issuer}, {"sub", &t.Subject}, {"azp", &t.Presenter}} {
		v, ok := t.Claims[c.name]
		if *c.to, _ = v.(string); ok && *c.to == "" {
			return nil, errors.New("the claim " + c.name + " is no text")
		}
	}
	switch aud := t.Claims["aud"].(type) {
	case nil:
	case string:
		t.Audiences = []string{aud}
	case []any:
		for _, v := range aud {
			text, ok := v.(string)
			if !ok {
				return nil, errors.New("the claim aud is neither a text nor a list of texts")
			}
			t.Audiences = append(t.Audiences, text)
		}
	default:
		return nil, errors.New("the claim aud is neither a text nor a list of texts")
	}
	t.Payload = base64.RawURLEncoding.EncodeToString(data)
	t.Raw = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + t.Payload + ".stand-in"
	return match.NewToken(t), nil
}

// claimsOn are the claims of the caller's token on a way.
func (c *Caller) claimsOn(w *way) map[string]any {
	switch {
	case c.claims != nil:
		return c.claims
	case c.kind == account:
		return c.accountClaims(w)
	}
	return c.userClaims(w)
}

// accountClaims are those of a token that Kubernetes makes for a service account.
func (c *Caller) accountClaims(w *way) map[string]any {
	issuer, audience := kubernetes, kubernetes
	for _, r := range w.rules {
		if clusterIssuer(r.Issuer) {
			issuer, audience = r.Issuer, r.Issuer
			if len(r.Audiences) > 0 {
				audience = r.Audiences[0]
			}
			break
		}
	}
	return map[string]any{
		"iss": issuer, "sub": "system:serviceaccount:" + c.namespace + ":" + c.account, "aud": []any{audience},
		"kubernetes.io": map[string]any{"namespace": c.namespace, "serviceaccount": map[string]any{"name": c.account}},
	}
}

// userClaims are made so that all is there that the way reads: who the user is where a
// login and token rules look for it, and in every claim that a header is filled from.
func (c *Caller) userClaims(w *way) map[string]any {
	var groups []any
	for _, g := range c.groups {
		groups = append(groups, g)
	}
	claims := map[string]any{"sub": c.user, "email": c.user, "email_verified": true, "preferred_username": c.user}
	fill(claims, []string{"groups"}, c.user, groups)
	for _, p := range w.logins {
		claims["iss"], claims["aud"] = p.Issuer, p.ClientID
		fill(claims, []string{p.GroupsClaim}, c.user, groups)
		break
	}
	for _, r := range w.rules {
		if clusterIssuer(r.Issuer) || claims["iss"] != nil && claims["iss"] != r.Issuer {
			continue
		}
		claims["iss"] = r.Issuer
		if len(r.Audiences) > 0 && !slices.Contains(r.Audiences, text(claims["aud"])) {
			claims["aud"] = r.Audiences[0]
		}
		for i := range r.ClaimsTo {
			fill(claims, r.ClaimsTo[i].Claim, c.user, groups)
		}
	}
	for _, path := range w.claims {
		if ofGroups(path) {
			fill(claims, path, c.user, groups)
		}
	}
	return claims
}

// fill sets a claim that is not there: groups where its name says so, if there are
// any, otherwise the user's name.
func fill(claims map[string]any, path []string, user string, groups []any) {
	for i, name := range path {
		if name == "" {
			return
		}
		if i < len(path)-1 {
			inner, ok := claims[name].(map[string]any)
			if claims[name] != nil && !ok {
				return
			}
			if inner == nil {
				inner = map[string]any{}
				claims[name] = inner
			}
			claims = inner
			continue
		}
		if _, there := claims[name]; there {
			return
		}
		switch {
		case !ofGroups(path):
			claims[name] = user
		case len(groups) > 0:
			claims[name] = groups
		}
	}
}

// ofGroups tells the claims that hold groups by their usual names.
func ofGroups(path []string) bool {
	last := strings.ToLower(path[len(path)-1])
	return strings.Contains(last, "group") || strings.Contains(last, "role")
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// unfilled are the claims that the way's policies read and the caller's token lacks.
func (w *way) unfilled(t *match.Token) []string {
	var missing []string
	for _, path := range w.claims {
		var at any = t.Claims
		for _, name := range path {
			object, _ := at.(map[string]any)
			at = object[name]
		}
		if name := strings.Join(path, "."); at == nil && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// claimsRead are the claims that the conditions of policies read.
func claimsRead(rules []*plan.PolicyRule) (all [][]string) {
	read := func(conditions match.Conditions) {
		for i := range conditions {
			if conditions[i].Fact == match.FactClaim {
				all = append(all, conditions[i].Name)
			}
		}
	}
	for _, r := range rules {
		for _, from := range r.From {
			read(from)
		}
		read(r.When)
	}
	return all
}
