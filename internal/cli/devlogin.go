package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/devidp"
	"github.com/doorward/doorward/internal/server"
)

// devLogin are the flags of the development login.
type devLogin struct {
	file, address string
	anywhere      bool
}

func (d *devLogin) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.file, "dev-login", "", "run an OpenID provider for one machine, with the users and clients of this file")
	f.StringVar(&d.address, "dev-login-address", "127.0.0.1:5556", "address of that provider, which is its issuer too unless the file names one")
	f.BoolVar(&d.anywhere, "dev-login-anywhere", false, "let the development login run although others than this machine can reach it")
	_ = cmd.MarkFlagFilename("dev-login", "yaml", "yml")
}

// check reads the file, and refuses where the passwords in it could be tried from elsewhere.
// Its errors are usage errors.
func (d *devLogin) check(o server.Options) (*devidp.Config, error) {
	data, err := os.ReadFile(d.file)
	if err != nil {
		return nil, misused("--dev-login: %w", err)
	}
	config, err := devidp.ReadConfig(d.file, data)
	if err != nil {
		return nil, misused("--dev-login: %w", err)
	}
	if err := checkAddress(d.address, true); err != nil {
		return nil, misused("--dev-login-address %s: %w; as in --dev-login-address 127.0.0.1:5556", d.address, err)
	}
	type door struct{ flag, address string }
	doors := []door{{"--dev-login-address", d.address}, {"--http", o.HTTP}, {"--https", o.HTTPS}}
	for _, x := range o.Direct {
		doors = append(doors, door{"--listen " + x.Key + "=", x.Address})
	}
	for _, x := range doors {
		if x.address == "" || d.anywhere || loopback(x.address) {
			continue
		}
		flag := x.flag + " "
		if strings.HasSuffix(x.flag, "=") {
			flag = x.flag
		}
		_, port, _ := net.SplitHostPort(x.address)
		return nil, misused("--dev-login is for this machine alone, and %s%s is open to others; give %s127.0.0.1:%s, or say it twice with --dev-login-anywhere", flag, x.address, flag, port)
	}
	return config, nil
}

// loopback tells whether only this machine reaches an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

// start runs the provider until ctx ends.
func (d *devLogin) start(ctx context.Context, config *devidp.Config, state string, log *slog.Logger) error {
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		return fmt.Errorf("--dev-login-address: %w", err)
	}
	p, err := devidp.New(devidp.Options{Config: config, Issuer: "http://" + l.Addr().String(), State: state, Log: log})
	if err != nil {
		l.Close()
		return fmt.Errorf("--dev-login: %w", err)
	}
	slog.SetDefault(log) // where the protocol's library logs to
	log.Warn("the development login is on: its users are those of a file", "file", d.file, "issuer", p.Issuer(), "address", l.Addr().String())
	go func() {
		if err := p.Serve(ctx, l); err != nil {
			log.Error("the development login has ended", "error", err)
		}
	}()
	return nil
}
