package server

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/apikey"
)

// A key works from the load that brings it until the one that takes it away; wrong
// keys are counted over loads, and do not stop a good one.
func TestKeysAreLive(t *testing.T) {
	seen := make(chan http.Header, 1)
	state := t.TempDir()
	r := start(t, func(w http.ResponseWriter, q *http.Request) { seen <- q.Header }, func(o *Options) { o.State = state })
	key, other := apikey.New([32]byte{1}), apikey.New([32]byte{2})
	write := func(spec string) {
		t.Helper()
		text := strings.ReplaceAll(manifests, "PREFIX", "/") + "---\napiVersion: doorward.dev/v1alpha1\nkind: APIKeySet\nmetadata: {name: keys, namespace: istio-system}\nspec:\n" +
			"  secretName: keys\n  outputHeaders: [{header: x-owner, claim: owner}]\n  keys: [{name: ci, owner: us" + spec + "}]\n" +
			"---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: istio-system}\nstringData: {ci: \"" + apikey.Of(key).String() + "\"}\n"
		if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(key string, status int) *http.Response {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.Addr(gatewayKey).String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-API-Key", key)
		q.Header.Set("X-Owner", "forged")
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("got %d, want %d", resp.StatusCode, status)
		}
		if resp.StatusCode == 200 {
			if h := <-seen; h.Get("X-Owner") == "forged" || (h.Get("X-API-Key") == "") != (h.Get("X-Owner") == "us") {
				t.Errorf("the application got %v", h)
			}
		}
		return resp
	}
	write("")
	want(key, 200)
	write(", disabled: true")
	want(key, 401)
	write(`, expires: "2020-01-01T00:00:00Z"`)
	want(key, 401)
	write("")
	for range apikey.Burst - 2 {
		want(other, 401)
	}
	write(", groups: [a]")
	if resp := want(other, 429); resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %v, want Retry-After", resp.Header)
	}
	want(key, 200)

	// When a key was last used is told, kept, and known to the next process.
	r.want(t, "admin", "/metrics", 200, `doorward_apikey_last_used_timestamp_seconds{key="ci",set="istio-system/keys"} `)
	r.writeUses()
	next := &Server{o: Options{State: state}, log: r.log}
	next.restoreUses()
	if at := next.keys.Last(apikey.Of(key)); time.Since(at) > 5*time.Minute || !next.keys.Last(apikey.Of(other)).IsZero() {
		t.Errorf("kept: last used at %v", at)
	}
}
