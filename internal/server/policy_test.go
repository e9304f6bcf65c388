package server

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/telemetry"
)

// A policy is in force when its file is loaded, its reason reaches the client where
// that is wanted, and the access log; a spoilt file does not open what it closed.
func TestAPolicyIsLive(t *testing.T) {
	var log bytes.Buffer
	r := start(t, ok, func(o *Options) { o.ReasonHeader, o.AccessLog, o.AccessLogTo = true, telemetry.JSON, &log })
	file := filepath.Join(filepath.Dir(r.file), "policy.yaml")
	write := func(spec string) {
		t.Helper()
		text := "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: closed\n  namespace: istio-system\nspec: " + spec + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(status int, reason string) {
		t.Helper()
		resp, err := http.Get("http://" + r.Addr(gatewayKey).String() + "/old/x")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Doorward-Reason"); resp.StatusCode != status || !strings.HasPrefix(got, reason) || reason == "" && got != "" {
			t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, status, reason)
		}
	}
	want(200, "")
	write(`{action: DENY, rules: [{to: [{operation: {paths: ["/old/*"]}}]}]}`)
	want(403, `AuthorizationPolicy istio-system/closed spec.rules[0] denies: path "/old/*"`)
	write(`{action: DENY, rules: [{to: [{operation: {paths: ["/other/*"]}}]}]}`)
	want(200, "")
	write(`{action: DENY, rules: [{to`)
	want(403, `AuthorizationPolicy istio-system/closed denies: a rule that cannot be read`)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"response_code_details":"AuthorizationPolicy istio-system/closed spec.rules[0] denies`) {
		t.Errorf("the access log does not tell why:\n%s", log.String())
	}
}
