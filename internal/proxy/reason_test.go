package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/plan"
)

// Doorward's own answers say why where that is switched on, and only they do.
func TestReasonHeader(t *testing.T) {
	app := origin(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(reasonHeader, "the application's") })
	for _, c := range []struct {
		name     string
		on       bool
		listener *plan.Listener
		path     string
		status   int
		want     string // "" for no header
	}{
		{"a refusal", true, gateway(), "/x", 404, "no route of host * takes /x"},
		{"a refusal of the edge", true, edge(), "/x", 404, "no route of host"},
		{"a failure", true, gateway(to(backend("b"))), "/", 503, "no ready endpoint of b"},
		{"an answer of the application", true, gateway(to(backend("b", app))), "/", 200, ""},
		{"off", false, gateway(), "/x", 404, ""},
		{"off, an answer of the application", false, gateway(to(backend("b", app))), "/", 200, "the application's"},
		{"letters that no header holds", true, gateway(), "/%C3%A9", 404, "takes /%C3%A9"},
		{"long", true, gateway(), "/" + strings.Repeat("a", 2000), 404, "aaa..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.listener.Key, func(o *Options) { o.ReasonHeader = c.on }, c.listener)
			resp, _ := r.get(c.path)
			got := strings.Join(resp.Header.Values("X-Doorward-Reason"), "|")
			if resp.StatusCode != c.status || !strings.Contains(got, c.want) || c.want == "" && got != "" || len(got) > maxReason {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, c.status, c.want)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain text": "plain text", "a\r\nset-cookie: x": "a??set-cookie: x", "\x00é\x7f": "????",
		strings.Repeat("a", maxReason): strings.Repeat("a", maxReason), strings.Repeat("a", maxReason+1): strings.Repeat("a", maxReason-3) + "...",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
