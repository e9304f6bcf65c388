//go:build e2e

package cli

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/peer"
)

// People log in at Keycloak in a real browser, through the door.
func TestE2EKeycloakLogin(t *testing.T) {
	p := startKeycloakPlatform(t)
	p.becomes(t, "discovery through the door", http.StatusFound, "/", "Sec-Fetch-Mode", "navigate")
	b := peer.StartBrowser(t)
	v := &visitor{b, p}

	// The page asked for is the page that the login ends at, and the application knows who it is.
	v.logIn(t, "alice", "wonderland", "/notebooks/?x=1")
	v.is(t, "alice@example.com", `["admins","data-science"]`)
	first := v.token(t)

	// Tokens live five seconds here: the session goes on with new ones, by new keys too.
	eventually(t, "the token is renewed", func() bool { return v.token(t) != first })
	p.rotate(t)
	eventually(t, "a token by the new key", func() bool { token := v.token(t); return token != "" && kid(t, token) != kid(t, first) })

	// A session that Keycloak ends is over here when its token is.
	p.backchannel(t, "")
	p.logOut(t, "alice")
	began := time.Now()
	eventually(t, "the revoked session is over", func() bool { return v.status(t, "/x") == http.StatusUnauthorized })
	t.Logf("revoked at Keycloak, with tokens of 5 s: over after %v", time.Since(began).Round(100*time.Millisecond))

	// Keycloak tells that by itself, if it is asked to: the tokens are good for ten minutes now.
	p.Admin(t, "PUT", realm, map[string]any{"accessTokenLifespan": 600}, nil)
	p.backchannel(t, "http://"+p.gateway+"/oauth2/backchannel-logout")
	v.logIn(t, "alice", "wonderland", "/x")
	p.logOut(t, "alice")
	eventually(t, "Keycloak's logout arrives", func() bool { return v.status(t, "/x") == http.StatusUnauthorized })

	// A logout here is one at Keycloak: there is a password to be asked for again.
	v.logIn(t, "bob", "builder", "/x")
	v.is(t, "bob@example.com", "") // an empty claim fills no header
	b.Open(t, p.origin+"/oauth2/sign_out")
	b.Until(t, `document.querySelector("#password")`)
	b.Screenshot(t, "keycloak-login")

	// Keycloak is away: who is in stays in, all others are told.
	v.logIn(t, "alice", "wonderland", "/x")
	p.Freeze(t)
	v.is(t, "alice@example.com", `["admins","data-science"]`)
	p.becomes(t, "a new visitor is told while Keycloak hangs", http.StatusServiceUnavailable, "/x", "Sec-Fetch-Mode", "navigate")
	p.Thaw(t)
	p.becomes(t, "a new visitor is sent to Keycloak", http.StatusFound, "/x", "Sec-Fetch-Mode", "navigate")
	p.Kill(t)
	v.is(t, "alice@example.com", `["admins","data-science"]`)
	p.becomes(t, "a new visitor is told", http.StatusServiceUnavailable, "/x", "Sec-Fetch-Mode", "navigate")
	other := peer.StartBrowser(t)
	other.Open(t, p.origin+"/x")
	other.Until(t, `document.querySelector("h1").innerText === "The login service is away"`)
	other.Screenshot(t, "away")
}

// visitor is a person at a browser.
type visitor struct {
	*peer.Browser
	p *keycloakPlatform
}

// logIn opens a path, logs in where that leads, and waits until the path is there.
func (v *visitor) logIn(t *testing.T, user, password, path string) {
	t.Helper()
	v.Open(t, v.p.origin+path)
	v.Until(t, `location.pathname.startsWith("/auth/realms/prokube/")`)
	v.Fill(t, "username", user)
	v.Fill(t, "password", password)
	v.Click(t, "#kc-login")
	v.Until(t, `location.pathname + location.search === "`+path+`" && document.body.innerText.includes('"Application":"web"')`)
}

// fetch asks for a path from within the page, and returns what the application received.
func (v *visitor) fetch(t *testing.T, path string) (int, received) {
	t.Helper()
	var answer struct {
		Status int
		Body   string
	}
	text := v.Eval(t, `fetch("`+path+`").then(async r => JSON.stringify({status: r.status, body: await r.text()}))`)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	var got received
	_ = json.Unmarshal([]byte(answer.Body), &got) // a refusal is none
	return answer.Status, got
}

func (v *visitor) status(t *testing.T, path string) int {
	t.Helper()
	status, _ := v.fetch(t, path)
	return status
}

// is checks who the application takes the visitor for.
func (v *visitor) is(t *testing.T, user, groups string) {
	t.Helper()
	status, got := v.fetch(t, "/x")
	if status != http.StatusOK {
		t.Fatalf("%s: got %d, want 200", user, status)
	}
	for name, want := range map[string]string{"Kubeflow-Userid": user, "Kubeflow-Groups": base64.StdEncoding.EncodeToString([]byte(groups)), "Cookie": ""} {
		if g := http.Header(got.Headers).Get(name); g != want {
			t.Errorf("header %s: got %q, want %q", name, g, want)
		}
	}
}

// token is the ID token that the application receives; "" without one.
func (v *visitor) token(t *testing.T) string {
	t.Helper()
	_, got := v.fetch(t, "/x")
	return strings.TrimPrefix(http.Header(got.Headers).Get("Authorization"), "Bearer ")
}

// backchannel sets where Keycloak tells the client of logouts; "" is nowhere.
func (p *keycloakPlatform) backchannel(t *testing.T, url string) {
	t.Helper()
	var clients []map[string]any
	p.Admin(t, "GET", realm+"/clients?clientId=doorward", nil, &clients)
	clients[0]["attributes"].(map[string]any)["backchannel.logout.url"] = url
	p.Admin(t, "PUT", realm+"/clients/"+clients[0]["id"].(string), clients[0], nil)
}

// logOut ends all of a user's sessions at Keycloak.
func (p *keycloakPlatform) logOut(t *testing.T, user string) {
	t.Helper()
	var users []struct{ ID string }
	p.Admin(t, "GET", realm+"/users?exact=true&username="+user, nil, &users)
	p.Admin(t, "POST", realm+"/users/"+users[0].ID+"/logout", nil, nil)
}

// eventually waits until something is so, for half a minute at the most.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within half a minute: %s", what)
		}
		time.Sleep(100 * time.Millisecond) // between questions to another process
	}
}
