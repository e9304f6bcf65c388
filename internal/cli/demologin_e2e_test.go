//go:build e2e

package cli

import (
	"testing"

	"github.com/doorward/doorward/internal/peer"
)

// The demo's login in a real browser, with the keyboard alone. DOORWARD_SCREENSHOTS keeps what it looks like.
func TestE2EDemoLoginInABrowser(t *testing.T) {
	p := startDemo(t, "--login")
	b := peer.StartBrowser(t)
	b.Screen(t, 1100, 700, false)
	b.Open(t, p.url("https://cluster/myapp/?x=1"))
	b.Until(t, `location.pathname === "/dex/login" && document.activeElement.id === "email"`)
	b.Screenshot(t, "dev-login")

	b.Fill(t, "email", "alice@example.com")
	b.Fill(t, "password", "wrong\r")
	b.Until(t, `document.querySelector("[role=alert]") && document.activeElement.id === "password"`)
	b.Screen(t, 360, 640, true)
	b.Screenshot(t, "dev-login-wrong-small-dark")
	b.Until(t, `document.documentElement.scrollWidth <= 360`)
	b.Screen(t, 1100, 700, false)

	b.Fill(t, "password", demoPassword+"\r")
	b.Until(t, `location.pathname + location.search === "/myapp/?x=1" && document.body.innerText.includes("alice@example.com")`)
	b.Screenshot(t, "app")
	b.Open(t, p.url("https://cluster/oauth2/sign_out"))
	b.Until(t, `location.pathname === "/dex/logged-out"`)
	b.Screenshot(t, "logged-out")
	b.Open(t, p.url("https://cluster/myapp/"))
	b.Until(t, `location.pathname === "/dex/login"`)
}
