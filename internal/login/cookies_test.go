package login_test

import (
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A session that is too long for one cookie is in several, and those go when it shrinks.
func TestLongSessionsAreSplit(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{})
	groups := func(n int) []string {
		var all []string
		for range n {
			all = append(all, rand.Text())
		}
		return all
	}
	p.set(func() { p.claims["groups"] = groups(150) })
	b := st.browser()
	b.logIn("/")
	c := b.cookies()
	if len(c) < 2 || c["doorward_session_0"] == "" || c["doorward_session_1"] == "" || c["doorward_session"] != "" {
		t.Fatalf("cookies: %v", slices.Sorted(maps.Keys(c)))
	}
	for name, value := range c {
		if len(name)+len(value) > 4000 {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
	b.open("/x") // the parts are joined, and taken out
	if got := b.got().Header; got.Get("kubeflow-userid") != "alice@example.com" || got.Get("Cookie") != "" {
		t.Errorf("the application gets %v", got)
	}
	delete(c, "doorward_session_1")
	other := st.browser()
	other.set(c)
	other.open("/x")
	other.want(302) // a part is missing
	p.set(func() { p.claims["groups"] = []string{"a"} })
	b.open("/oauth2/start")
	b.follow()
	if c := b.cookies(); len(c) != 1 || c["doorward_session"] == "" {
		t.Errorf("cookies after the session is short again: %v", slices.Sorted(maps.Keys(c)))
	}
	p.set(func() { p.claims["groups"] = groups(700) })
	b.open("/oauth2/start")
	b.follow()
	b.want(500)
}

func TestTamperedCookies(t *testing.T) {
	st := newStage(t, newIDP(t), setting{})
	b := st.browser()
	b.logIn("/")
	sealed := b.cookies()["doorward_session"]
	try := func(what string, cookies map[string]string) {
		t.Helper()
		other := st.browser()
		other.set(cookies)
		other.do("GET", "/x", "")
		if other.last.StatusCode != 401 {
			t.Errorf("%s: status %d, want 401", what, other.last.StatusCode)
		}
	}
	for i := 0; i < len(sealed); i += 1 + len(sealed)/40 {
		c := byte('A')
		if sealed[i] == c {
			c = 'B'
		}
		try("byte "+strconv.Itoa(i), map[string]string{"doorward_session": sealed[:i] + string(c) + sealed[i+1:]})
	}
	try("cut", map[string]string{"doorward_session": sealed[:len(sealed)-4]})
	try("longer", map[string]string{"doorward_session": sealed + "AAAA"})
	try("empty", map[string]string{"doorward_session": ""})
	try("huge", map[string]string{"doorward_session": strings.Repeat("A", 6000)})
	try("no base64", map[string]string{"doorward_session": "!!!"})
	b.open("/oauth2/start")
	try("a login under way for a session", map[string]string{"doorward_session": b.cookies()["doorward_login_0"]})
	good := st.browser()
	good.set(map[string]string{"doorward_session_0": sealed[:100], "doorward_session_1": sealed[100:]})
	good.open("/x")
	good.want(200)
}

// A new secret before the old one keeps sessions; without the old one they end.
func TestSecretRotation(t *testing.T) {
	p := newIDP(t)
	st := newStage(t, p, setting{secrets: "0123456789abcdef-first"})
	b := st.browser()
	b.logIn("/")
	for _, c := range []struct {
		secrets string
		status  int
	}{
		{`"0123456789abcdef-second\n0123456789abcdef-first"`, 200},
		{"0123456789abcdef-second", 401},
		{"0123456789abcdef-first", 200},
	} {
		st.write(setting{secrets: c.secrets})
		if err := st.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.do("GET", "/", "")
		if b.last.StatusCode != c.status {
			t.Errorf("secrets %s: status %d, want %d", c.secrets, b.last.StatusCode, c.status)
		}
	}
}

// Keys that are made here outlive a restart with --state only.
func TestMadeKeysAreKept(t *testing.T) {
	p := newIDP(t)
	for _, c := range []struct {
		state  string
		status int
	}{{t.TempDir(), 200}, {"", 401}} {
		x := setting{spec: "cookie: {name: kf}", state: c.state}
		b := newStage(t, p, x).browser()
		b.logIn("/")
		again := newStage(t, p, x).browser()
		again.set(b.cookies())
		again.do("GET", "/", "")
		if again.last.StatusCode != c.status {
			t.Errorf("state %q: status %d, want %d", c.state, again.last.StatusCode, c.status)
		}
	}
}
