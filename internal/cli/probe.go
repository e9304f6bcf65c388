package cli

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/probe"
)

// probing is what probe is asked.
type probing struct {
	manifests
	url, admin, prefix, form       string
	connect, cacert, token, cookie string
	resolve, headers               []string
	insecure                       bool
	timeout                        time.Duration
}

func newProbe() *cobra.Command {
	var p probing
	cmd := &cobra.Command{
		Use:   "probe URL",
		Short: "Fetch a page, and tell what escapes the application's prefix",
		Long: "Probe fetches a page as a browser would, with what it loads from below its prefix, and tells which links,\n" +
			"forms, scripts, redirects and cookies lead out of the prefix, what browsers block, and what they cannot\n" +
			"reach. With manifests, or the admin pages of a running Doorward, it tells where such a URL leads instead\n" +
			"and which line cures it. It sends GET requests alone, to the page's host alone. It exits with 0 if\n" +
			"nothing is wrong, with 1 if something is, and with 2 if there is no page to look at.",
		Example: "  doorward probe https://cluster.example.com/myapp/\n" +
			"  doorward probe https://cluster.localhost/myapp/ --connect 127.0.0.1:8443 --insecure --admin 127.0.0.1:9901\n" +
			"  doorward probe https://cluster.example.com/myapp/ -k paas/myapp/overlays/production --cookie \"$COOKIE\" -o json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("probe takes one URL, and there are %d arguments; as in %s https://cluster.example.com/myapp/", len(args), cmd.CommandPath())
			}
			p.url = args[0]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	p.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&p.admin, "admin", "", "the admin pages of a running Doorward, HOST:PORT: where URLs lead is read there")
	f.StringVar(&p.prefix, "prefix", "", "the application's prefix, as /myapp/; without, that of its route, or else the first part of the path")
	f.StringVar(&p.connect, "connect", "", "connect to HOST:PORT, whatever the URL says")
	f.StringArrayVar(&p.resolve, "resolve", nil, "connect to ADDRESS for a host and port of URLs: HOST:PORT:ADDRESS; may be repeated")
	f.StringVar(&p.cacert, "cacert", "", "a file of authorities in PEM that are believed beside the system's")
	f.BoolVar(&p.insecure, "insecure", false, "believe any certificate")
	f.StringVar(&p.token, "token", "", "send a token: Authorization: Bearer TOKEN")
	f.StringVar(&p.cookie, "cookie", "", "send cookies: NAME=VALUE; NAME=VALUE")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "send a header: 'NAME: VALUE'; may be repeated")
	f.DurationVar(&p.timeout, "timeout", probe.DefaultTimeout, "how long it may take")
	bindForm(cmd, &p.form)
	return cmd
}

func (p *probing) run(cmd *cobra.Command) error {
	if err := checkForm(p.form); err != nil {
		return err
	}
	o, err := p.options(cmd)
	if err != nil {
		return err
	}
	if onTerminal(cmd.ErrOrStderr()) {
		o.Progress = func(done, of int) { fmt.Fprintf(cmd.ErrOrStderr(), "\r%d of %d files\x1b[K", done, of) }
		defer fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	report, err := probe.Run(cmd.Context(), o)
	if err != nil {
		return usageError{err} // 1 would say that something is wrong with the page
	}
	if p.form == "json" {
		err = writeJSON(cmd.OutOrStdout(), report)
	} else {
		err = writeProbe(cmd.OutOrStdout(), report)
	}
	if err == nil && !report.Clean() {
		err = exitError(exitFailed)
	}
	return err
}

// options makes sense of the flags. Its errors are usage errors.
func (p *probing) options(cmd *cobra.Command) (o probe.Options, err error) {
	u, err := url.Parse(p.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return o, misused("%q is no URL of http or https; as in https://cluster.example.com/myapp/", p.url)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.User = "", nil
	if p.prefix != "" && !strings.HasPrefix(p.prefix, "/") {
		return o, misused("--prefix %s does not begin with a slash; as in --prefix /myapp/", p.prefix)
	}
	if p.timeout <= 0 {
		return o, misused("--timeout %s is no time; as in --timeout 30s", p.timeout)
	}
	o = probe.Options{URL: u, Prefix: p.prefix}
	if o.Client, err = p.client(); err != nil {
		return o, err
	}
	o.Router, err = p.router(cmd, u)
	return o, err
}

func (p *probing) client() (c probe.Client, err error) {
	c = probe.Client{Connect: p.connect, Resolve: map[string]string{}, Insecure: p.insecure, Header: http.Header{}, Timeout: p.timeout}
	if p.connect != "" {
		if err := checkAddress(p.connect, false); err != nil {
			return c, misused("--connect %s: %w; as in --connect 127.0.0.1:8443", p.connect, err)
		}
	}
	for _, text := range p.resolve {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 || net.ParseIP(strings.Trim(parts[2], "[]")) == nil {
			return c, misused("--resolve %s is not HOST:PORT:ADDRESS; as in --resolve cluster.localhost:443:127.0.0.1", text)
		}
		c.Resolve[strings.ToLower(parts[0])+":"+parts[1]] = net.JoinHostPort(strings.Trim(parts[2], "[]"), parts[1])
	}
	if p.cacert != "" {
		pem, err := os.ReadFile(p.cacert)
		if err != nil {
			return c, misused("--cacert: %w", err)
		}
		if c.Roots, err = x509.SystemCertPool(); err != nil {
			c.Roots = x509.NewCertPool()
		}
		if !c.Roots.AppendCertsFromPEM(pem) {
			return c, misused("--cacert %s holds no certificate in PEM", p.cacert)
		}
	}
	for _, h := range p.headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !http1.ValidName(strings.ToLower(name)) || !http1.ValidValue(value) {
			return c, misused("-H %q is not NAME: VALUE; as in -H 'x-user: alice'", h)
		}
		c.Header.Add(name, value)
	}
	for name, value := range map[string]string{"Authorization": p.token, "Cookie": p.cookie} {
		switch {
		case value == "":
		case !http1.ValidValue(value):
			return c, misused("the value for %s has letters that no header has", name)
		case name == "Authorization":
			c.Header.Set(name, "Bearer "+value)
		default:
			c.Header.Set(name, value)
		}
	}
	return c, nil
}

// router is what tells where URLs lead: the manifests, or a running server; nil for
// neither.
func (p *probing) router(cmd *cobra.Command, u *url.URL) (probe.Router, error) {
	given := len(p.files)+len(p.kustomizations) > 0
	switch {
	case given && p.admin != "":
		return nil, misused("--admin and manifests both tell where URLs lead; give one of them")
	case p.admin != "":
		if err := checkAddress(p.admin, false); err != nil {
			return nil, misused("--admin %s: %w; as in --admin 127.0.0.1:9901", p.admin, err)
		}
		s, err := probe.NewServer(cmd.Context(), p.admin, u)
		if err != nil {
			return nil, usageError{err}
		}
		return s, nil
	case !given:
		return nil, nil
	}
	opts, err := p.read(cmd)
	if err != nil {
		return nil, err
	}
	opts.Compile.AssumePods, opts.Compile.UndeclaredClasses = true, true
	loaded, err := opts.Load(cmd.Context())
	if err != nil {
		return nil, usageError{err}
	}
	return &probe.Plan{Plan: loaded.Plan, Locate: func(o object.Origin, field string) (int, bool) { return opts.Source.Locate(o, field) }}, nil
}

// writeProbe prints a report for people.
func writeProbe(w io.Writer, r *probe.Report) error {
	var b strings.Builder
	colour := onTerminal(w)
	fmt.Fprintf(&b, "%s  %d", r.URL, r.Status)
	if r.Application != "" {
		b.WriteString(", " + r.Application)
	}
	fmt.Fprintf(&b, ", %s read\n", count(r.Fetched, "answer"))
	if route := r.Route; route != nil && route.Object != "" {
		what := "the application gets paths with " + strings.TrimSuffix(r.Prefix, "/")
		if route.Rewritten {
			what = route.Prefix + " is taken off"
			if route.Forwarded != "" {
				what += ", X-Forwarded-Prefix: " + route.Forwarded
			}
		}
		fmt.Fprintf(&b, "route: %s (%s) to %s; %s\n", strings.TrimSpace(route.Object+" "+route.Field), route.Place(), route.Goes, what)
	}
	told := map[string]bool{} // remedies
	for _, f := range r.Findings {
		writeFinding(&b, f, colour, told)
	}
	for _, n := range r.Notes {
		b.WriteString("note: " + shown(n) + "\n")
	}
	if r.Clean() {
		b.WriteString("nothing escapes " + r.Prefix + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shown is what an application has written, as a terminal may show it: without control
// characters, and no longer than a line or two.
func shown(s string) string {
	const most = 160
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if letters := []rune(s); len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return s
}

func writeFinding(b *strings.Builder, f *probe.Finding, colour bool, told map[string]bool) {
	place := shown(f.Page)
	if f.Line > 0 {
		place += fmt.Sprintf(" line %d", f.Line)
	}
	fmt.Fprintf(b, "\n%s: %s: %s [%s]\n", paint(f.Severity, colour), strings.TrimSpace(shown(f.Element)+" "+shown(f.Written)), shown(f.Message), f.Code)
	fmt.Fprintf(b, "    in:   %s", place)
	if f.More > 0 {
		fmt.Fprintf(b, ", and %s more", count(f.More, "time"))
	}
	b.WriteString("\n")
	if f.Goes != "" {
		b.WriteString("    goes: " + f.Goes + "\n")
	}
	if f.Remedy != "" {
		fix := shown(f.Remedy)
		if f.Manifest != "" {
			fix = f.Manifest + ": " + fix
		}
		if told[fix] {
			fix = "as above"
		}
		told[fix] = true
		b.WriteString("    fix:  " + fix + "\n")
	}
}
