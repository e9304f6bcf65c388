package apikey

import (
	"encoding/json"
	"testing"
	"time"
)

func TestUses(t *testing.T) {
	var u Uses
	d := Of(zero)
	at := time.Date(2026, 5, 1, 10, 20, 30, 0, time.UTC)
	if !u.Last(d).IsZero() || u.Changed() {
		t.Error("a key that was never used has been")
	}
	u.KeyUsed(d, at)
	if got := u.Last(d); !got.Equal(at.Truncate(time.Minute)) {
		t.Errorf("last used at %v", got)
	}
	if !u.Changed() || u.Changed() {
		t.Error("a use is told once")
	}
	u.KeyUsed(d, at.Add(10*time.Second))
	u.KeyUsed(d, at.Add(-time.Hour)) // the clock was set back
	if u.Changed() || !u.Last(d).Equal(at.Truncate(time.Minute)) {
		t.Error("a use within the minute counts")
	}
	text, err := json.Marshal(&u)
	if err != nil || string(text) != `{"`+zeroHash+`":"2026-05-01T10:20:00Z"}` {
		t.Errorf("kept as %s, %v", text, err)
	}
	var again Uses
	if err := json.Unmarshal(text, &again); err != nil || !again.Last(d).Equal(u.Last(d)) || again.Changed() {
		t.Errorf("read as %v, %v", again.Last(d), err)
	}
	if err := json.Unmarshal([]byte(`{"x":"2026-05-01T10:20:00Z"}`), &again); err != nil {
		t.Errorf("what is no digest is left out: %v", err)
	}
}
