package login_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestLogin(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	const target = "/pipeline/x?y=1&z=%2F..%2f//&rd=https://evil.example"
	b.open(target)
	b.want(302)
	to, _ := b.last.Location()
	q := to.Query()
	for name, want := range map[string]string{
		"redirect_uri": site + "/oauth2/callback", "response_type": "code", "client_id": "kubeflow", "code_challenge_method": "S256", "scope": "openid profile email",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if q.Get("nonce") == "" || q.Get("state") == "" || q.Get("nonce") == q.Get("state") {
		t.Errorf("state %q and nonce %q", q.Get("state"), q.Get("nonce"))
	}
	b.follow()
	b.want(200)
	got := b.got()
	if got.Target != target {
		t.Errorf("landed at %q, want %q", got.Target, target)
	}
	for name, want := range map[string]string{
		"kubeflow-userid": "alice@example.com", "x-auth-request-email": "alice@example.com", "x-auth-request-user": "u1",
		"x-auth-request-groups": "a,b", "x-auth-request-preferred-username": "alice", "cookie": "",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("the application gets %s %q, want %q", name, v, want)
		}
	}
	if v := got.Header.Get("authorization"); !strings.HasPrefix(v, "Bearer ey") {
		t.Errorf("the application gets authorization %q", v)
	}
	for _, c := range b.seen {
		if c.MaxAge < 0 { // deleted
			continue
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("cookie %s: %s", c.Name, strings.Replace(c.Raw, c.Value, "…", 1))
		}
	}
	if c := b.cookies(); len(c) != 1 || c["doorward_session"] == "" {
		t.Errorf("cookies after the login: %v", c)
	}
}
