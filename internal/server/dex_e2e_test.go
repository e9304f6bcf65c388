//go:build e2e

package server

import (
	"net/http/httputil"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/doorward/doorward/internal/peer"
)

// dexConfig is what Kubeflow gives its dex, but for the storage, which is in memory here.
const dexConfig = `
issuer: http://dex.auth.svc.cluster.local:5556/dex
storage: {type: memory}
web: {http: 127.0.0.1:0}
oauth2: {skipApprovalScreen: true}
enablePasswordDB: true
staticPasswords:
- {email: alice@example.com, hash: "HASH", username: alice, userID: u1, groups: [team]}
staticClients:
- {id: "CLIENT", secret: secret, redirectURIs: [/oauth2/callback], name: Dex Login Application}
`

// Kubeflow's way with all its real parts: its policies, oauth2-proxy and dex behind the gateway,
// and a person who types a password in a browser.
func TestE2EDex(t *testing.T) {
	const rendered = "../../../shared/kubeflow/rendered-networking.yaml"
	files, config := map[string]string{"testdata": "testdata/platform-login.yaml"}, map[string]string{"testdata": oauth2ProxyConfig}
	if exists(rendered) {
		files["kubeflow"], config["kubeflow"] = rendered, kubeflowConfig(t, rendered)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dex := peer.StartDex(t, strings.NewReplacer("HASH", string(hash), "CLIENT", client).Replace(dexConfig))
			names := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = "http", dex // oauth2-proxy asks for it by its name in the cluster
			}}
			oauth2Proxy := peer.StartOAuth2Proxy(t, config[name]+secrets, page(t, names.ServeHTTP))
			v := servePlatform(t, []string{string(text)}, dex, oauth2Proxy)
			testDex(t, v, peer.StartBrowser(t))
		})
	}
}

func testDex(t *testing.T, v *visitor, b *peer.Browser) {
	at := "http://" + v.address
	b.Open(t, at+"/?ns=a")
	b.Screenshot(t, "oauth2-proxy")
	b.Click(t, `form[action*="/oauth2/start"] button[type=submit]`)
	b.Until(t, `location.pathname === "/dex/auth/local/login"`)
	b.Screenshot(t, "dex")
	b.Fill(t, "login", "alice@example.com")
	b.Fill(t, "password", "wrong")
	b.Click(t, "#submit-login")
	b.Until(t, `document.getElementById("login-error")`)
	b.Fill(t, "password", "correct horse")
	b.Click(t, "#submit-login")
	const alice = `user=alice@example.com groups=WyJ0ZWFtIl0= token=true`
	b.Until(t, `location.pathname + location.search === "/?ns=a" && document.body.innerText.includes("`+alice+`")`)
	if got := b.Eval(t, `fetch("/oauth2/userinfo").then(r => r.text())`); !strings.Contains(got, `"email":"alice@example.com","groups":["team"]`) {
		t.Errorf("userinfo is %s", got)
	}
	// Nobody is who a header says, not even who is logged in.
	if got := b.Eval(t, `fetch("/", {headers: {"kubeflow-userid": "root@example.com"}}).then(r => r.text())`); !strings.Contains(got, alice) {
		t.Errorf("with a forged user: %s", got)
	}
	b.Open(t, at+"/oauth2/sign_out")
	b.Open(t, at+"/?ns=a")
	b.Until(t, `document.querySelector('form[action*="/oauth2/start"]')`)
	v.want("/dex/.well-known/openid-configuration", 200, `{`)
	v.want("/", 403, "", "Accept: text/html")
}
