package login

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func ring(t testing.TB, secrets ...string) *keyring {
	t.Helper()
	r, err := newKeyring(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSeal(t *testing.T) {
	a, b := ring(t, "first secret of the test"), ring(t, "second secret of the test", "first secret of the test")
	text := []byte(strings.Repeat("text ", 1000))
	sealed := a.seal("session", text)
	if len(sealed) > len(text)/10 {
		t.Errorf("a text of %d bytes that repeats itself is sealed in %d", len(text), len(sealed))
	}
	if sealed == a.seal("session", text) {
		t.Error("one text is sealed twice alike")
	}
	for _, c := range []struct {
		what    string
		by      *keyring
		purpose string
		ok      bool
	}{
		{"the key", a, "session", true},
		{"the key, an older one now", b, "session", true},
		{"for another purpose", a, "login", false},
		{"another key", ring(t, "third secret of the test"), "session", false},
	} {
		got, ok := c.by.open(c.purpose, sealed)
		if ok != c.ok || ok && !bytes.Equal(got, text) {
			t.Errorf("%s: opened %v, want %v", c.what, ok, c.ok)
		}
	}
	if _, ok := a.open("session", b.seal("session", text)); ok {
		t.Error("the new key's text opens with the old key")
	}
}

// A text that unfolds without end is refused.
func TestOpenIsBounded(t *testing.T) {
	r := ring(t, "a secret of the test")
	if _, ok := r.open("x", r.seal("x", make([]byte, maxOpened+1))); ok {
		t.Error("opened")
	}
	if _, ok := r.open("x", r.seal("x", make([]byte, maxOpened))); !ok {
		t.Error("not opened at the bound")
	}
}

// FuzzOpen: what was not sealed opens never, whatever is done to a sealed text.
func FuzzOpen(f *testing.F) {
	r := ring(f, "a secret of the test")
	sealed := r.seal("session", []byte(`{"i":"x"}`))
	for _, seed := range []string{"", "A", sealed, sealed[:20], sealed + "A", strings.ToUpper(sealed), "====", sealed[:6] + "AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := r.open("session", text); ok && string(got) != `{"i":"x"}` {
			t.Errorf("%q opens as %q", text, got)
		}
	})
}

func TestMadeKeysRotate(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	state := t.TempDir()
	m, err := newMadeKeys(state, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	current := func(m *madeKeys) *keyring {
		t.Helper()
		r, err := m.current()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := current(m)
	sealed := first.seal("x", []byte("text"))
	now = now.Add(rotateAfter - time.Second)
	if current(m) != first {
		t.Error("a new key before its time")
	}
	now = now.Add(time.Second)
	second := current(m)
	if second.keys[0].id == first.keys[0].id {
		t.Error("no new key after its time")
	}
	if _, ok := second.open("x", sealed); !ok {
		t.Error("the old key does not open any more")
	}
	again, err := newMadeKeys(state, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if r := current(again); r.keys[0].id != second.keys[0].id || len(r.keys) != 2 {
		t.Error("the keys are others after a restart")
	}
	now = now.Add(rotateAfter + keepFor)
	if _, ok := current(again).open("x", sealed); ok {
		t.Error("a key is kept for ever")
	}
	if n := len(current(again).keys); n > 2 {
		t.Errorf("%d keys are left", n)
	}
}
