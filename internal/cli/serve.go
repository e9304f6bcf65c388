package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/devidp"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/telemetry"
)

// serving are the flags of serve.
type serving struct {
	manifests
	login                 devLogin
	http, https, admin    string
	listen                []string
	state, accessLog      string
	once, reasons         bool
	headerBytes, headers  int
	drain, idle, headTime time.Duration
}

func newServe() *cobra.Command {
	var v serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve manifests: edge, gateways and routes",
		Long: "Serve compiles manifests and serves what they mean. It watches the files: a change is live at once, and\n" +
			"one that cannot be loaded changes nothing. SIGHUP loads again; SIGTERM stops accepting, finishes the\n" +
			"requests under way and exits with 0.",
		Example: "  doorward serve -k paas/platform/overlays/production -k paas/myapp/overlays/production --endpoint myapp/myapp-service:80=127.0.0.1:8000\n" +
			"  doorward serve -f ./manifests --http :80 --https :443 --state /var/lib/doorward --access-log json\n" +
			"  doorward serve -f ./manifests --listen istio-system/istio-ingressgateway:80=127.0.0.1:9080\n" +
			"  doorward serve -f ./manifests --http 127.0.0.1:8080 --https 127.0.0.1:8443 --dev-login users.yaml\n" +
			"  doorward serve -f ./manifests --once",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd) },
	}
	bindServe(cmd, &v)
	return cmd
}

func bindServe(cmd *cobra.Command, v *serving) {
	v.bind(cmd)
	v.login.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&v.http, "http", ":8080", "address of the edge in plain text, or off")
	f.StringVar(&v.https, "https", ":8443", "address of the edge over TLS, or off")
	f.StringVar(&v.admin, "admin", "127.0.0.1:9901", "address of /healthz, /readyz, /metrics, /problems, /plan and /explain, or off")
	f.StringArrayVar(&v.listen, "listen", nil, "listen on the Service port of a gateway, or of a workload with a sidecar, as a caller in the cluster reaches it: NAMESPACE/SERVICE:PORT=ADDRESS; may be repeated")
	f.StringVar(&v.state, "state", "", "directory of what is kept over restarts (the default certificate, keys, logouts)")
	f.StringVar(&v.accessLog, "access-log", "off", "a line for each request on standard output: off, json or text")
	f.BoolVar(&v.reasons, "reason-header", false, "say in x-doorward-reason why Doorward itself answered; it names policies and rules")
	f.DurationVar(&v.drain, "drain", 30*time.Second, "time for requests that are under way at the end")
	f.BoolVar(&v.once, "once", false, "load, compile, report as check does, and exit")
	limits := http1.DefaultLimits()
	f.IntVar(&v.headerBytes, "max-header-bytes", limits.HeaderBytes, "bound of all header lines of a message together")
	f.IntVar(&v.headers, "max-header-count", limits.HeaderCount, "bound of the number of header lines")
	f.DurationVar(&v.idle, "idle-timeout", 75*time.Second, "how long a connection may wait for a request")
	f.DurationVar(&v.headTime, "header-timeout", 60*time.Second, "how long a client may take for the head of a request")
	_ = cmd.RegisterFlagCompletionFunc("listen", completeListeners(&v.manifests, "="))
	_ = cmd.RegisterFlagCompletionFunc("access-log", cobra.FixedCompletions([]string{"off", "json", "text"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("state")
}

func (v *serving) run(cmd *cobra.Command) error {
	o, err := v.options(cmd)
	if err != nil {
		return err
	}
	if v.once {
		return report(cmd, o.Manifests, "text", problem.Info)
	}
	var users *devidp.Config
	if v.login.file != "" {
		if users, err = v.login.check(o); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if users != nil {
		if err := v.login.start(ctx, users, o.State, o.Log); err != nil {
			return err
		}
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	s, err := server.Start(ctx, o)
	if err != nil {
		return err
	}
	go reloadOn(ctx, s, again)
	go func() { // a second signal does not wait for the drain
		<-ctx.Done()
		stop()
	}()
	return s.Run(ctx)
}

// reloadOn reloads at every signal.
func reloadOn(ctx context.Context, s *server.Server, again <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			_ = s.Reload(ctx) // it tells of its failures
		}
	}
}

// options makes sense of the flags. Its errors are usage errors.
func (v *serving) options(cmd *cobra.Command) (server.Options, error) {
	m, err := v.read(cmd)
	if err != nil {
		return server.Options{}, err
	}
	o := server.Options{
		Manifests: m, State: v.state, Drain: v.drain, ReasonHeader: v.reasons, Version: version, Explain: explainPlan,
		AccessLogTo: cmd.OutOrStdout(), Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)),
	}
	if o.AccessLog, err = telemetry.ParseForm(v.accessLog); err != nil {
		return o, misused("--access-log %s: %w; as in --access-log json", v.accessLog, err)
	}
	for _, a := range []struct {
		flag, given, example string
		to                   *string
	}{
		{"--http", v.http, ":8080", &o.HTTP}, {"--https", v.https, ":8443", &o.HTTPS}, {"--admin", v.admin, "127.0.0.1:9901", &o.Admin},
	} {
		if a.given == "off" {
			continue
		}
		if err := checkAddress(a.given, true); err != nil {
			return o, misused("%s %s: %w; as in %s %s, or %s off", a.flag, a.given, err, a.flag, a.example, a.flag)
		}
		*a.to = a.given
	}
	for _, text := range v.listen {
		d, err := parseListen(text)
		if err != nil {
			return o, misused("--listen %s: %w; write NAMESPACE/SERVICE:PORT=ADDRESS, as in --listen istio-system/istio-ingressgateway:80=127.0.0.1:9080", text, err)
		}
		o.Direct = append(o.Direct, d)
	}
	return o, v.bounds(&o)
}

// parseListen reads NAMESPACE/SERVICE:PORT=ADDRESS.
func parseListen(text string) (server.Direct, error) {
	key, address, ok := strings.Cut(text, "=")
	if !ok {
		return server.Direct{}, fmt.Errorf(`it has no "="`)
	}
	_, _, port, err := parseServicePort(key)
	if err != nil {
		return server.Direct{}, err
	}
	if err := checkAddress("service:"+port, false); err != nil {
		return server.Direct{}, fmt.Errorf("the Service's port %q is no number from 1 to 65535", port)
	}
	if err := checkAddress(address, true); err != nil {
		return server.Direct{}, err
	}
	return server.Direct{Key: key, Address: address}, nil
}

// bounds fills in limits and times; a time of 0 is none.
func (v *serving) bounds(o *server.Options) error {
	for _, n := range []struct {
		flag         string
		given, least int
		to           *int
	}{
		{"--max-header-bytes", v.headerBytes, 1 << 10, &o.Limits.HeaderBytes},
		{"--max-header-count", v.headers, 16, &o.Limits.HeaderCount},
	} {
		if n.given < n.least {
			return misused("%s %d: it is too small to serve anything; give at least %d", n.flag, n.given, n.least)
		}
		*n.to = n.given
	}
	for _, d := range []struct {
		flag  string
		given time.Duration
		to    *time.Duration
	}{
		{"--drain", v.drain, &o.Drain}, {"--idle-timeout", v.idle, &o.Timeouts.Idle}, {"--header-timeout", v.headTime, &o.Timeouts.Header},
	} {
		if d.given < 0 {
			return misused("%s %v: a time is not negative; as in %s 30s", d.flag, d.given, d.flag)
		}
		*d.to = d.given
		if d.given == 0 && d.to != &o.Drain {
			*d.to = -1 // 0 would be the default
		}
	}
	return nil
}
