package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// A consistent hash leads a client to one endpoint: by the cookie that it was
// given, or by a header of its own.
func TestConsistentHash(t *testing.T) {
	b := backend("sticky")
	b.Balance = plan.BalanceHash
	for _, name := range []string{"a", "b", "c", "d"} {
		address := origin(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) })
		b.Endpoints = append(b.Endpoints, plan.Endpoint{Address: address})
	}
	for _, c := range []struct {
		name   string
		hash   plan.Hash
		cookie string // what the first answer sets, but for its value
	}{
		{"session cookie", plan.Hash{Cookie: "sid", Generate: true, Path: "/"}, "sid=; Path=/; HttpOnly"},
		{"cookie that lasts", plan.Hash{Cookie: "sid", Generate: true, TTL: time.Minute}, "sid=; Max-Age=60; HttpOnly"},
		{"header", plan.Hash{Header: "x-user"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Hash = &c.hash
			r := newRig(t, gatewayKey, nil, gateway(to(b)))
			ask := func(user, cookie string) (body, set string) {
				req := r.request("GET", "/", nil)
				req.Header.Set("X-User", user)
				if cookie != "" {
					req.Header.Set("Cookie", "other=1; "+cookie)
				}
				resp, body := r.do(req)
				return body, resp.Header.Get("Set-Cookie")
			}
			seen := map[string]bool{}
			for _, user := range strings.Fields("alice bob carol dave erin frank grace heidi") {
				first, set := ask(user, "")
				value, rest, _ := strings.Cut(set, ";")
				if name, _, ok := strings.Cut(value, "="); ok && name+"=;"+rest != c.cookie || !ok && set != c.cookie {
					t.Errorf("the first answer sets %q, want %q", set, c.cookie)
				}
				seen[first] = true
				for range 5 {
					if again, set := ask(user, value); again != first || set != "" {
						t.Errorf("%s: got endpoint %s and cookie %q, want %s and none", user, again, set, first)
					}
				}
			}
			if len(seen) < 2 {
				t.Errorf("everybody came to endpoint %v", seen)
			}
		})
	}
}
