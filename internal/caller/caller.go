// Package caller is who asks, for tools that open no connection: nobody, a user who is
// taken for logged in, the bearer of a token, a service account, the holder of an API
// key.
//
// A Caller dresses a request as its client would send it and gives the plan.World that
// the request is walked in. What a running Doorward would have to verify or ask for is
// taken for granted there, and the trace says so. No part of the server imports this
// package (internal/archtest): nobody can say in a request who they are.
//
//	caller    the kinds of callers, read from what people write
//	claims    what the tokens of callers say
//	dress     the way of a request, and what it carries on it
//	world     what is taken for granted
package caller

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doorward/doorward/internal/apikey"
)

// Spec is a caller as people write it. At most one of Claims, Token, User,
// ServiceAccount and APIKey is given; none is nobody.
type Spec struct {
	// Claims are those of a token that counts as verified. Its times are not looked at.
	Claims map[string]any `json:"claims,omitempty"`
	// Token is a JSON Web Token, which is verified.
	Token string `json:"token,omitempty"`
	// User is the name of somebody with an account at the login, by address or
	// otherwise. Claims are made as the rules read them.
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"` // of User
	// ServiceAccount is NAMESPACE/NAME: its token for Kubernetes and, where the request
	// comes in at a workload's own door, its identity in the mesh.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// APIKey is NAMESPACE/SET/KEY of an APIKeySet. It needs compile.Options.StandIn.
	APIKey string `json:"apiKey,omitempty"`
}

// kind is what a caller shows.
type kind uint8

const (
	nobody  kind = iota
	person       // has a session at the login, or else a token
	bearer       // has a token that is verified
	account      // has a token that counts as verified, and an identity
	holder       // has an API key
)

// Caller is who asks.
type Caller struct {
	kind   kind
	name   string         // for people
	claims map[string]any // given; nil: made as the rules read them
	user   string
	groups []string
	token  string // of a bearer
	key    string // of a holder
	// Of an account.
	namespace, account string
}

// New reads a caller. Its errors are for who wrote it.
func New(s Spec) (*Caller, error) {
	given := 0
	for _, is := range []bool{s.Claims != nil, s.Token != "", s.User != "", s.ServiceAccount != "", s.APIKey != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("a caller is one of claims, a token, a user, a service account and an API key")
	case len(s.Groups) > 0 && s.User == "":
		return nil, errors.New("groups are a user's; name the user, or give the claims with their groups")
	case s.Claims != nil:
		return withClaims(s.Claims)
	case s.Token != "":
		return withToken(s.Token)
	case s.User != "":
		return &Caller{kind: person, name: s.User, user: s.User, groups: s.Groups}, nil
	case s.ServiceAccount != "":
		namespace, name, ok := strings.Cut(s.ServiceAccount, "/")
		if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("the service account %q is not NAMESPACE/NAME; as in kubeflow/pipeline-runner", s.ServiceAccount)
		}
		return &Caller{kind: account, name: "service account " + s.ServiceAccount, namespace: namespace, account: name}, nil
	case s.APIKey != "":
		parts := strings.Split(s.APIKey, "/")
		if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
			return nil, fmt.Errorf("the API key %q is not NAMESPACE/SET/KEY; as in istio-system/robots/ci", s.APIKey)
		}
		return &Caller{kind: holder, name: "API key " + s.APIKey, key: standInKey(parts[0], parts[1], parts[2])}, nil
	}
	return &Caller{name: "anonymous"}, nil
}

func withClaims(claims map[string]any) (*Caller, error) {
	c := &Caller{kind: person, claims: claims, name: "a user"}
	t, err := tokenOf(claims)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"email", "preferred_username", "sub"} {
		if text, ok := t.Claims[name].(string); ok && text != "" {
			c.name = text
			break
		}
	}
	return c, nil
}

func withToken(token string) (*Caller, error) {
	token = strings.TrimSpace(token)
	if strings.HasPrefix(token, "Bearer ") || strings.ContainsAny(token, " \t\r\n") || token == "" {
		return nil, errors.New("a token is one word; give what follows Bearer")
	}
	return &Caller{kind: bearer, name: "the bearer of a token", token: token}, nil
}

// String names the caller, for people: "anonymous", "alice@example.com".
func (c *Caller) String() string { return c.name }

// Anonymous tells that the caller shows nothing.
func (c *Caller) Anonymous() bool { return c.kind == nobody }

// StandIn is the digest of the key that stands for a key of an APIKeySet, for
// compile.Options.
func StandIn(namespace, set, key string) apikey.Digest {
	return apikey.Of(standInKey(namespace, set, key))
}

// standInKey is a text in the form of a key. It opens nothing but plans that are
// compiled to be asked about.
func standInKey(namespace, set, key string) string {
	return apikey.New(digest("stand-in for API key " + namespace + "/" + set + "/" + key))
}
