package caller

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
)

// Claims do what a good token with these claims does: in every scenario whose request is
// let in with a token of its own, so is one with the claims of that token alone, and the
// application is told the same.
func TestClaimsAreTakenAsTokensAre(t *testing.T) {
	files, _ := filepath.Glob("../scenario/testdata/*/*.txtar")
	compared := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Parse(f, data)
		if err != nil {
			t.Fatal(err)
		}
		enforced, _, err := s.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := s.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Requests {
			r := &s.Requests[i]
			token, ok := strings.CutPrefix(r.Header.Value("authorization"), "Bearer ")
			if !ok || strings.Count(token, ".") != 2 || enforced[i].Backend == "" || len(s.Authorizers) > 0 {
				continue
			}
			claims := claimsOf(t, token)
			if claims == nil {
				continue // it is none, and no rule has looked at it
			}
			c, err := New(Spec{Claims: claims})
			if err != nil {
				t.Fatal(err)
			}
			req := r.Sent()
			l := p.Listener(r.Via)
			if !reads(l) {
				continue // a hop behind it does, and the header is for that
			}
			req.Header.Del("authorization")
			world, _ := c.Dress(p, l, &req, Options{Dice: r.Chance, Clock: time.Unix(1700000000, 0), Keys: jwt.New(jwt.Options{Offline: true})})
			var out plan.Outcome
			p.Walk(l, &req, world, nil, &out)
			got := scenario.Decided(&req, &out)
			if got.Backend != enforced[i].Backend || got.Target != enforced[i].Target || got.Host != enforced[i].Host || !slices.Equal(told(got.Got), told(enforced[i].Got)) {
				t.Errorf("%s:%d: with claims %+v\nwith the token %+v", f, r.Line, got, enforced[i])
			}
			compared++
		}
	}
	if compared < 20 {
		t.Errorf("only %d requests were compared", compared)
	}
}

// reads tells whether a listener takes tokens in the header Authorization.
func reads(l *plan.Listener) bool {
	for _, g := range l.Guards {
		if t, ok := g.(*plan.Tokens); ok {
			return slices.ContainsFunc(t.Rules, func(r *plan.TokenRule) bool {
				return len(r.FromHeaders)+len(r.FromParams)+len(r.FromCookies) == 0
			})
		}
	}
	return false
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return nil
	}
	return claims
}

// told are the headers but those that hold a token, or the middle of one, whose members
// may stand in another order.
func told(f header.Fields) (all []string) {
	for _, x := range f {
		if !strings.Contains(x.Value, "eyJ") {
			all = append(all, x.Name+": "+x.Value)
		}
	}
	slices.Sort(all)
	return all
}
