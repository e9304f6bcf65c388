//go:build e2e

package server

import (
	"net/http"
	"net/http/httputil"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/peer"
	"github.com/doorward/doorward/internal/source"
)

// oauth2ProxyConfig is what Kubeflow gives its oauth2-proxy, without its words.
const oauth2ProxyConfig = `
provider = "oidc"
oidc_issuer_url = "http://dex.auth.svc.cluster.local:5556/dex"
scope = "profile email groups openid"
email_domains = [ "*" ]
upstreams = [ "static://200" ]
skip_auth_routes = [ "^/dex/" ]
api_routes = [ "/api/", "/apis/", "^/ml_metadata" ]
skip_oidc_discovery = true
login_url = "/dex/auth"
redeem_url = "http://dex.auth.svc.cluster.local:5556/dex/token"
oidc_jwks_url = "http://dex.auth.svc.cluster.local:5556/dex/keys"
skip_provider_button = false
prompt = "none"
set_authorization_header = true
set_xauthrequest = true
cookie_name = "oauth2_proxy_kubeflow"
cookie_expire = "24h"
cookie_refresh = 0
code_challenge_method = "S256"
redirect_url = "/oauth2/callback"
relative_redirect_url = true
`

// secrets are what Kubeflow keeps beside the configuration.
const secrets = `
client_id = "` + client + `"
client_secret = "secret"
cookie_secret = "0123456789abcdef"
cookie_secure = false
`

// The real oauth2-proxy with Kubeflow's configuration, behind Kubeflow's manifests: the page
// to sign in at, the login over dex and back, the token in every request, sign-out.
func TestE2EOAuth2Proxy(t *testing.T) {
	const rendered = "../../../shared/kubeflow/rendered-networking.yaml"
	files, config := map[string]string{"testdata": "testdata/platform-login.yaml"}, map[string]string{"testdata": oauth2ProxyConfig}
	if exists(rendered) {
		files["kubeflow"], config["kubeflow"] = rendered, kubeflowConfig(t, rendered)
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := newIdentity(t)
			dex := page(t, d.dex)
			// oauth2-proxy asks for dex by its name in the cluster.
			names := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				if r.In.Host != "dex.auth.svc.cluster.local:5556" {
					t.Errorf("oauth2-proxy asks for %s", r.In.Host)
				}
				r.Out.URL.Scheme, r.Out.URL.Host = "http", dex
			}}
			oauth2Proxy := peer.StartOAuth2Proxy(t, config[name]+secrets, page(t, names.ServeHTTP))
			testOAuth2Proxy(t, servePlatform(t, []string{string(text)}, dex, oauth2Proxy))
		})
	}
}

// kubeflowConfig is the configuration in the rendered platform.
func kubeflowConfig(t *testing.T, file string) string {
	t.Helper()
	set, _, err := source.Load(t.Context(), source.Options{Files: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range set.ConfigMaps.In("oauth2-proxy") {
		if text, ok := item.Object.Data["oauth2_proxy.cfg"]; ok {
			return strings.ReplaceAll(text, "/custom-theme/kubeflow-logo.svg", "-") // a mounted file
		}
	}
	t.Fatal("the rendered platform has no oauth2_proxy.cfg")
	return ""
}

func testOAuth2Proxy(t *testing.T, v *visitor) {
	const alice = "user=alice@example.com groups=WyJ0ZWFtIl0= token=true forged=alice@example.com"
	status, kind, body := v.get("/pipeline/?ns=a", "Accept: text/html", "kubeflow-userid: root@example.com")
	rd := regexp.MustCompile(`name="rd" value="([^"]*)"`).FindStringSubmatch(body)
	if status != http.StatusForbidden || !strings.HasPrefix(kind, "text/html") || rd == nil || rd[1] != "/pipeline/?ns=a" {
		t.Errorf("without a session: got %d %s %v, want the page to sign in at", status, kind, rd)
	}
	v.want("/pipeline/apis/v1/x", http.StatusUnauthorized, "")
	v.want("/", http.StatusForbidden, "RBAC: access denied", "Authorization: Basic eDp5")
	v.want("/oauth2/callback?code=alice&state=forged:/", http.StatusForbidden, "", "Accept: text/html")

	v.want("/oauth2/start?rd=%2F", http.StatusOK, "application / "+alice)
	v.want("/", http.StatusOK, "application / "+alice, "kubeflow-userid: root@example.com", "kubeflow-groups: admins")
	v.want("/oauth2/userinfo", http.StatusOK, `{"user":"u1","email":"alice@example.com","groups":["team"]`)

	if status, _, body := v.get("/oauth2/sign_out", "Accept: text/html"); status != http.StatusForbidden {
		t.Errorf("after signing out: got %d %.200s, want the page to sign in at", status, body)
	}
	v.want("/pipeline/apis/v1/x", http.StatusUnauthorized, "")
}
