package cli

import (
	"context"
	"log/slog"
	"net"
	"strings"

	"github.com/doorward/doorward/internal/devidp"
	"github.com/doorward/doorward/internal/server"
)

// demoPassword is every user's in the demo, which only this machine reaches.
const demoPassword = "password"

// demoLogin is the OpenID provider of the demo: it stands where examples/login has dex.
type demoLogin struct {
	socket net.Listener
	log    *slog.Logger
}

func newDemoLogin(o server.Options) (*demoLogin, error) {
	for _, x := range []struct{ flag, address string }{{"--http", o.HTTP}, {"--https", o.HTTPS}} {
		if !loopback(x.address) {
			_, port, _ := net.SplitHostPort(x.address)
			return nil, misused("--login has users whose passwords everybody knows, and %s %s is open to others; give %s 127.0.0.1:%s", x.flag, x.address, x.flag, port)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &demoLogin{l, o.Log}, nil
}

// start answers for the provider until ctx ends. Who has asked before waits for it.
func (d *demoLogin) start(ctx context.Context, cluster string) error {
	hash, err := devidp.HashPassword([]byte(demoPassword))
	if err != nil {
		return err
	}
	p, err := devidp.New(devidp.Options{Log: d.log, Config: &devidp.Config{
		Issuer: "http://dex.auth.svc.cluster.local:5556/dex",
		Clients: []devidp.Client{{
			ID: "kubeflow-oidc-authservice", Secret: "pUBnBOY80SnXgjibTYM9ZWNzY2xreNGQok",
			RedirectURIs: []string{cluster + "/oauth2/callback"}, PostLogoutRedirectURIs: []string{cluster + "/"},
		}},
		Users: []devidp.User{
			{Email: "alice@example.com", Name: "Alice", Password: hash, Groups: []string{"admins", "data-science"}},
			{Email: "bob@example.com", Name: "Bob", Password: hash, Groups: []string{"data-science"}},
		},
	}})
	if err != nil {
		return err
	}
	go func() {
		if err := p.Serve(ctx, d.socket); err != nil {
			d.log.Error("the login provider of the demo has ended", "error", err)
		}
	}()
	return nil
}

// tries are what to do with a login.
func (d *demoLogin) tries(s *server.Server, cluster string) [][2]string {
	all := [][2]string{
		{"in a browser: alice@example.com or bob@example.com, with the password " + demoPassword, "xdg-open " + cluster + "/myapp/"},
		{"who you are, and out again", "xdg-open " + cluster + "/oauth2/userinfo; xdg-open " + cluster + "/oauth2/sign_out"},
		{"401: programs are told, not led to a page", "curl -ki " + cluster + "/myapp/x"},
	}
	for _, try := range triesOfDemo(s, cluster) {
		if open := "curl -k " + cluster + "/serving/"; strings.HasPrefix(try[1], open) || !strings.Contains(try[1], cluster+"/") {
			all = append(all, try)
		}
	}
	return all
}
