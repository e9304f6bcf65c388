package jwt

import (
	"net/netip"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// world is a world with a store and a clock that stands still.
type world struct {
	plan.Closed
	*Store
}

func (w world) Verify(r *plan.TokenRule, token string, at time.Time) (*match.Token, plan.TokenFailure) {
	return w.Store.Verify(r, token, at)
}
func (world) Now() time.Time  { return now }
func (world) Chance() float64 { return 0 }
func (world) ID() [16]byte    { return [16]byte{} }

// gateway is a plan with one gateway that forwards everything, behind guards.
func gateway(guards ...plan.Guard) (*plan.Plan, *plan.Listener) {
	app := &plan.Backend{Key: "app", Endpoints: []plan.Endpoint{{Address: "192.0.2.1:80"}}}
	l := &plan.Listener{Key: "istio-system/gw:80", Dialect: plan.Envoy, Form: match.FormBase, Guards: guards, Chains: []*plan.Chain{{Hosts: []*plan.Host{{
		Name: "*", Routes: []*plan.Route{{Action: &plan.Forward{To: []plan.Destination{{Backend: app}}}}},
	}}}}}
	var b plan.Builder
	b.Add(l)
	return b.Build(), l
}

// policies are three, in Kubeflow's manner: paths exempt from the token, who may
// come at all, and one that no request here meets.
func policies(t testing.TB) *plan.Policies {
	condition := func(fact match.Fact, values, notValues []string) match.PolicyCondition {
		c, err := match.NewPolicyCondition(fact, nil, values, notValues, "istio-system")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rule := func(from match.PolicyCondition, to ...match.PolicyCondition) *plan.PolicyRule {
		u := match.PolicyRule{From: []match.Conditions{{from}}}
		if len(to) > 0 {
			u.To = []match.Conditions{to}
		}
		return &plan.PolicyRule{PolicyRule: u}
	}
	deny := plan.NewPolicySet(2, []*plan.PolicyRule{
		rule(condition(match.FactRequestPrincipal, nil, []string{"*"}), condition(match.FactPath, nil, []string{"/dex/*", "/oauth2/*"})),
		rule(condition(match.FactSourceIP, []string{"203.0.113.0/24"}, nil), condition(match.FactPath, []string{"/admin/*"}, nil)),
	}, 0, nil)
	allow := plan.NewPolicySet(1, []*plan.PolicyRule{rule(condition(match.FactRequestPrincipal, []string{"*"}, nil))}, 0, nil)
	return &plan.Policies{Deny: deny, Allow: allow}
}

// BenchmarkGuard is a gateway's hop without guards, with the one of tokens (a known
// token, and four headers filled from it), and with that and three policies.
func BenchmarkGuard(b *testing.B) {
	p := newParty(b)
	r := rule(p.set(b))
	r.ClaimsTo = []plan.ClaimHeader{
		{Name: "kubeflow-userid", Claim: []string{"email"}}, {Name: "kubeflow-groups", Claim: []string{"groups"}},
		{Name: "x-name", Claim: []string{"profile", "name"}}, {Name: "x-sub", Claim: []string{"sub"}},
	}
	token := sign(b, "RS256", p.rsa, claims(`,"aud":["app"],"exp":1800000000,"email":"alice@example.com","groups":["team-a","team-b"],"profile":{"name":"Alice"}`), map[jose.HeaderKey]any{"kid": "rsa"})
	for _, c := range []struct {
		name   string
		guards []plan.Guard
		want   int
	}{
		{"without", nil, 0},
		{"token", []plan.Guard{plan.NewTokens([]*plan.TokenRule{r})}, 4},
		{"token and policies", []plan.Guard{plan.NewTokens([]*plan.TokenRule{r}), policies(b)}, 4},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, l := gateway(c.guards...)
			w := world{Store: New(Options{Offline: true})}
			fields := header.Fields{
				{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, {Name: "accept", Value: "*/*"},
				{Name: "accept-encoding", Value: "gzip, br"}, {Name: "accept-language", Value: "en"},
				{Name: "cookie", Value: "session=0123456789abcdef"}, {Name: "authorization", Value: "Bearer " + token},
			}
			room := make(header.Fields, 0, 64)
			var out plan.Outcome
			b.ReportAllocs()
			for b.Loop() {
				req := match.Request{
					Peer: netip.AddrFrom4([4]byte{192, 0, 2, 7}), PeerText: "192.0.2.7", Major: 1, Minor: 1,
					Method: "GET", Host: "app.example.com", Target: "/x?y=1", Header: append(room[:0], fields...),
				}
				p.Walk(l, &req, w, nil, &out)
				if out.Kind != plan.ToForward {
					b.Fatal(out.Reason)
				}
				n := 0
				for _, f := range req.Header {
					if f.Name == "kubeflow-userid" || f.Name == "kubeflow-groups" || f.Name == "x-name" || f.Name == "x-sub" {
						n++
					}
				}
				if n != c.want {
					b.Fatalf("%d headers are filled", n)
				}
			}
		})
	}
}
