package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/examples"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/demo"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

func newDemo() *cobra.Command {
	var at struct {
		http, https, admin string
		login              bool
	}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole platform with small applications, to try it",
		Long: "Demo runs the manifests of examples/paas, which this program carries, with small applications\n" +
			"that show what they received, and prints what to try. It needs nothing else, keeps nothing,\n" +
			"and ends with Ctrl-C. With --login people log in first (examples/login).",
		Example: "  doorward demo\n" +
			"  doorward demo --login\n" +
			"  doorward demo --https 127.0.0.1:443 --http 127.0.0.1:80   # URLs without ports; ports below 1024 need a right",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o := server.Options{
				HTTP: at.http, HTTPS: at.https, Admin: at.admin, Drain: time.Second, Version: version, Explain: explainPlan,
				Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			}
			if !at.login {
				return runDemo(ctx, o, nil, cmd.OutOrStdout())
			}
			login, err := newDemoLogin(o)
			if err != nil {
				return err
			}
			return runDemo(ctx, o, login, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&at.http, "http", "127.0.0.1:8080", "the edge's address for plain HTTP")
	f.StringVar(&at.https, "https", "127.0.0.1:8443", "the edge's address for HTTPS")
	f.StringVar(&at.admin, "admin", "127.0.0.1:9901", "the address of the admin pages")
	f.BoolVar(&at.login, "login", false, "have people log in, at a provider of the demo's own; only on loopback addresses")
	return cmd
}

// runDemo serves the platform of examples/localhost, or with a login that of examples/login, until
// ctx ends.
func runDemo(ctx context.Context, o server.Options, login *demoLogin, out io.Writer) error {
	apps, cancel := context.WithCancel(ctx)
	defer cancel()
	addresses, err := demo.Start(apps)
	if err != nil {
		return err
	}
	o.Source = source.Options{Kustomizations: []string{"localhost"}, FS: examples.PaaS}
	if login != nil {
		defer login.socket.Close()
		o.Source.Kustomizations = []string{"login"}
		addresses["auth/dex:5556"] = login.socket.Addr().String()
	}
	for service, address := range addresses {
		namespace, name, port, err := parseServicePort(service)
		if err != nil {
			return err
		}
		o.Compile.Endpoints = append(o.Compile.Endpoints, compile.Attached{Namespace: namespace, Service: name, Port: port, Address: address})
	}
	s, err := server.Start(ctx, o)
	if err != nil {
		return err
	}
	cluster := "https://cluster.localhost" + portOf(s.Addr("https"), "443")
	tries := triesOfDemo(s, cluster)
	if login != nil {
		if err := login.start(apps, cluster); err != nil {
			return err
		}
		tries = login.tries(s, cluster)
	}
	if err := welcome(out, cluster, tries); err != nil {
		return err
	}
	return s.Run(ctx)
}

// welcome prints what there is to try, and what to expect of it.
func welcome(out io.Writer, cluster string, tries [][2]string) error {
	lines := []string{
		"The platform of examples/paas is up, with small applications. Ctrl-C ends it.",
		"Open " + cluster + "/ (the certificate is self-signed), or try:",
	}
	for _, try := range tries {
		lines = append(lines, "  # "+try[0]+"\n  "+try[1])
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n\n"))
	return err
}

// triesOfDemo are commands, and what they show.
func triesOfDemo(s *server.Server, cluster string) [][2]string {
	minio := "https://minio.localhost" + portOf(s.Addr("https"), "443")
	plain := "http://cluster.localhost" + portOf(s.Addr("http"), "80")
	admin := "http://" + addressOf(s.Addr("admin"))
	return [][2]string{
		{"the prefix is taken off: the application gets /x", "curl -k " + cluster + "/myapp/x"},
		{"the second form: X-Forwarded-Prefix tells the application its prefix", "curl -k " + cluster + "/myapp-prefixed/x"},
		{"301 to the prefix with its slash", "curl -ki " + cluster + "/myapp"},
		{"308 to https", "curl -i " + plain + "/myapp/x"},
		{"an API behind a prefix", "curl -k " + cluster + "/mlflow/api/2.0/mlflow/experiments/search"},
		{"a host of its own: the bytes counted, 413 for more than 100m", "curl -k -T FILE " + minio + "/bucket/name"},
		{"class 1, through the gateway for programs", "curl -k " + cluster + `/serving/iris/v1/models/iris:predict -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'`},
		{"an event a second", "curl -kN " + cluster + "/myapp/events"},
		{"404: no route takes it", "curl -ki " + cluster + "/nothing"},
		{"every rule in its order; " + admin + "/ lists the other pages", "curl " + admin + "/plan"},
	}
}

// portOf is ":PORT" of an address, or nothing for the usual port of its scheme.
func portOf(a net.Addr, usual string) string {
	_, port, err := net.SplitHostPort(addressOf(a))
	if err != nil || port == usual {
		return ""
	}
	return ":" + port
}

// addressOf is HOST:PORT of an address that may be absent.
func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
