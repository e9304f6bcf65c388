package match

import (
	"slices"
	"strings"
)

// claim calls found with every text of the claim at path, until it returns true:
// the claim itself, or the members of a list that are texts. Numbers, booleans
// and objects are none (Envoy, matchers.cc).
func (t *Token) claim(path []string, found func(string) bool) bool {
	if t == nil {
		return false
	}
	var at any = t.Claims
	for _, name := range path {
		object, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = object[name]
	}
	switch v := at.(type) {
	case string:
		if len(path) == 1 && t.spaceDelimited(path[0]) && strings.Trim(v, " ") != "" {
			return words(v, found)
		}
		return found(v)
	case []any:
		for _, member := range v {
			if text, ok := member.(string); ok && found(text) {
				return true
			}
		}
	}
	return false
}

// spaceDelimited tells whether a claim is a list written with blanks; its whole
// text is then none of the list (Istio, buildSpaceDelimitedClaims).
func (t *Token) spaceDelimited(claim string) bool {
	return claim == "scope" || claim == "permission" || slices.Contains(t.SpaceDelimited, claim)
}

// WithLists returns t, whose claims called so are lists written with blanks. It
// costs nothing where there are none.
func (t *Token) WithLists(claims []string) *Token {
	if len(claims) == 0 {
		return t
	}
	with := *t
	with.SpaceDelimited = claims
	return &with
}

func words(text string, found func(string) bool) bool {
	for word := range strings.SplitSeq(text, " ") {
		if word != "" && found(word) {
			return true
		}
	}
	return false
}
