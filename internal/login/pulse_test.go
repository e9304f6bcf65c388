package login

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// Whether the provider is there is asked for rarely, and found out both ways.
func TestPulse(t *testing.T) {
	asked, status := 0, http.StatusOK // the requests come one after the other
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path != "/realm/.well-known/openid-configuration" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer p.Close()
	now := time.Now()
	m, err := New(Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := newSite(m, &plan.LoginProvider{Key: "a/b", Issuer: p.URL + "/realm"})
	for _, step := range []struct {
		later  time.Duration
		status int
		there  bool
		asked  int
	}{
		{0, 200, true, 1}, {pulseGood - 1, 503, true, 1}, {1, 503, false, 2}, {pulseBad - 1, 200, false, 2}, {1, 200, true, 3}, {time.Second, 200, true, 3},
	} {
		now, status = now.Add(step.later), step.status
		if err := s.there(); (err == nil) != step.there || asked != step.asked {
			t.Errorf("%v later, with %d: got %v after %d questions, want there %t after %d", step.later, status, err, asked, step.there, step.asked)
		}
	}
}
