package cli

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// question is what explain is asked.
type question struct {
	manifests
	url, method, via, from, form string
	headers                      []string
	all                          bool
}

func newExplain() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Tell what becomes of a request, and which line decides it",
		Long: "Explain takes a request through the manifests, hop by hop, by the same walk that serves it. It opens\n" +
			"no connection. It exits with 0 if the request is served (forwarded, redirected or answered with a\n" +
			"status below 400), with 1 if it is refused, and with 2 if the question cannot be understood.",
		Example: "  doorward explain https://cluster.example.com/myapp/ -f ./manifests\n" +
			"  doorward explain https://cluster.example.com/api -X POST -H 'x-user: alice' -k paas/platform/overlays/production\n" +
			"  doorward explain http://cluster.example.com/ --via istio-system/istio-ingressgateway:80 -f ./manifests -o json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("explain takes one URL, and there are %d arguments; as in %s https://cluster.example.com/myapp/ -f ./manifests", len(args), cmd.CommandPath())
			}
			q.url = args[0]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&q.method, "request", "X", "GET", "the method")
	f.StringArrayVarP(&q.headers, "header", "H", nil, "a header, as 'NAME: VALUE'; may be repeated")
	f.StringVar(&q.via, "via", plan.Edge, "where the request comes in: edge, or a gateway's Service port as NAMESPACE/SERVICE:PORT")
	f.StringVar(&q.from, "from", "127.0.0.1", "the client's address")
	f.BoolVar(&q.all, "all", false, "show every rule that was looked at, also where there are many")
	_ = cmd.RegisterFlagCompletionFunc("via", completeListeners(&q.manifests, ""))
	bindForm(cmd, &q.form)
	return cmd
}

func (q *question) run(cmd *cobra.Command) error {
	if err := checkForm(q.form); err != nil {
		return err
	}
	req, err := q.request()
	if err != nil {
		return err
	}
	opts, err := q.read(cmd)
	if err != nil {
		return err
	}
	opts.Compile.AssumePods = true
	loaded, err := opts.Load(cmd.Context())
	if err != nil {
		return usageError{err} // 1 would say that the request is refused
	}
	l := loaded.Plan.Listener(q.via)
	if l == nil {
		return misused("--via %s: %s", q.via, scenario.NoListener(loaded.Plan, q.via))
	}
	e := explain(loaded.Plan, l, req, opts.Source)
	e.Request.URL, e.Request.Method, e.Request.Via, e.Request.From = q.url, q.method, q.via, q.from
	if q.form == "json" {
		err = writeJSON(cmd.OutOrStdout(), e)
	} else {
		err = e.write(cmd.OutOrStdout(), q.all)
	}
	if err == nil && !e.Served {
		err = exitError(exitFailed)
	}
	return err
}

// request makes the request that a client with these flags would send.
func (q *question) request() (*match.Request, error) {
	var asked scenario.Request
	url, _, _ := strings.Cut(q.url, "#") // clients keep the fragment
	if err := asked.SetURL(url); err != nil {
		return nil, misused("%w; as in https://cluster.example.com/myapp/", err)
	}
	if !http1.ValidHost(asked.Host) {
		return nil, misused("%q: the host %q is none; as in https://cluster.example.com/myapp/", q.url, asked.Host)
	}
	if i := strings.IndexFunc(asked.Target, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return nil, misused("%q: a URL has no blanks or control characters; write %%%02X for the one after %q", q.url, asked.Target[i], asked.Target[:i])
	}
	if !http1.ValidName(strings.ToLower(q.method)) { // both are tokens (RFC 9110)
		return nil, misused("-X %s is no method; as in -X POST", q.method)
	}
	peer, err := netip.ParseAddr(q.from)
	if err != nil {
		return nil, misused("--from %s is no IP address; as in --from 203.0.113.7", q.from)
	}
	r := &match.Request{
		Peer: peer.Unmap(), Secure: asked.Secure, Major: 1, Minor: 1,
		Method: q.method, Host: asked.Host, Target: asked.Target,
	}
	if r.Secure {
		r.SNI = asked.SNI
	}
	for _, h := range q.headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !http1.ValidName(name) || !http1.ValidValue(value) {
			return nil, misused("-H %q is not NAME: VALUE; as in -H 'x-user: alice'", h)
		}
		if name == "host" {
			if !http1.ValidHost(value) {
				return nil, misused("-H %q: that is no host; as in -H 'host: cluster.example.com'", h)
			}
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	http1.RemoveHopByHop(&r.Header)
	return r, nil
}

// explanation is what became of a request. Its JSON is part of the interface.
type explanation struct {
	Request struct {
		Method string `json:"method"`
		URL    string `json:"url"`
		Via    string `json:"via"`
		From   string `json:"from"`
	} `json:"request"`
	Served bool   `json:"served"`
	Reason string `json:"reason"`
	// By is the rule that decided: "VirtualService myapp/myapp-vs spec.http[1] (vs.yaml:12)",
	// or "no rule of LISTENER".
	By      string      `json:"by"`
	Delay   string      `json:"delay,omitempty"`
	Mirrors []string    `json:"mirrors,omitempty"`
	Forward *forwarding `json:"forward,omitempty"` // or
	Answer  *answer     `json:"answer,omitempty"`
	Hops    []hop       `json:"hops"`
	Steps   []plan.Step `json:"steps"`
	walked  []plan.Hop
	path    string // that the last hop has read, or sends on  `json:"-"`
}

// forwarding is the request as an application gets it.
type forwarding struct {
	Backend   string   `json:"backend"` // NAMESPACE/SERVICE:PORT[/SUBSET]
	Cluster   string   `json:"cluster"`
	Protocol  string   `json:"protocol"`
	Endpoints []string `json:"endpoints"`
	Method    string   `json:"method"`
	Host      string   `json:"host"`
	Target    string   `json:"target"`
	Headers   []field  `json:"headers"`
}

// answer is what the client gets of Doorward itself.
type answer struct {
	Closed  bool    `json:"closed,omitempty"`
	Status  int     `json:"status"`
	Headers []field `json:"headers"`
	Body    string  `json:"body,omitempty"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// hop is a listener that the request passed.
type hop struct {
	Listener string `json:"listener"`
	Dialect  string `json:"dialect"`
	Host     string `json:"host,omitempty"`
	Route    string `json:"route,omitempty"`
	Origin   string `json:"origin,omitempty"`
}

// unasked is the authorizer of explain, which opens no connection.
type unasked struct{}

func (unasked) Ask(*plan.Provider, *plan.Check) plan.Verdict {
	return plan.Verdict{Err: errors.New("explain asks nobody, so this is where it ends")}
}

// explain walks the request and keeps everything that was seen. Places are
// those of the fields in the manifests of src.
func explain(p *plan.Plan, l *plan.Listener, req *match.Request, src source.Options) *explanation {
	var out plan.Outcome
	var trace plan.Trace
	p.Walk(l, req, scenario.World{Dice: 0.5, Tokens: jwt.New(jwt.Options{Offline: true}), Authorizer: unasked{}, Clock: time.Now()}, &trace, &out)
	place := placesOf(&out, src)
	e := &explanation{Reason: out.Reason, By: "no rule of " + out.Last().Key, Steps: trace.Steps, walked: out.Hops(), path: req.Path}
	if out.By.Ref.Kind != "" {
		e.By = place(out.By.String())
	}
	for i := range e.Steps {
		e.Steps[i].Origin = place(e.Steps[i].Origin)
	}
	if out.Delay > 0 {
		e.Delay = out.Delay.String()
	}
	for _, m := range out.Mirrors {
		e.Mirrors = append(e.Mirrors, scenario.BackendName(m.Backend))
	}
	for _, h := range out.Hops() {
		shown := hop{Listener: h.Listener.Key, Dialect: h.Listener.Dialect.String()}
		if h.Host != nil {
			shown.Host = h.Host.Name
		}
		if h.Route != nil {
			shown.Route, shown.Origin = h.Route.Rule.String(), place(h.Route.Origin.String())
		}
		e.Hops = append(e.Hops, shown)
	}
	if out.Kind == plan.ToForward {
		e.Served = true
		e.Forward = &forwarding{
			Backend: scenario.BackendName(out.Backend), Cluster: out.Backend.Key, Protocol: out.Backend.Protocol.String(),
			Method: req.Method, Host: req.Host, Target: req.Target, Headers: fields(req.Header),
		}
		for _, ep := range out.Backend.Endpoints {
			e.Forward.Endpoints = append(e.Forward.Endpoints, ep.Address)
		}
		return e
	}
	e.Served = out.Reply.Status < 400
	out.EditResponse(out.Reply.Status, &out.Reply.Header, 0, false)
	e.Answer = &answer{Closed: out.Reply.Closed, Status: out.Reply.Status, Headers: fields(out.Reply.Header), Body: out.Reply.Body}
	return e
}

// placesOf finds the lines of the rules that a walk looked at. A plan knows the
// first line of each object; what is returned puts the field's line in its
// place, in an origin's text.
func placesOf(out *plan.Outcome, src source.Options) func(origin string) string {
	origins := []plan.Origin{out.By}
	for _, h := range out.Hops() {
		for _, g := range h.Listener.Guards {
			if t, ok := g.(*plan.Tokens); ok {
				for _, r := range t.Rules {
					origins = append(origins, r.Origin)
				}
			}
		}
		if h.Host == nil {
			continue
		}
		for _, r := range h.Host.Routes {
			origins = append(origins, r.Origin)
			if r == h.Route {
				break
			}
		}
	}
	lines := make(problem.List, len(origins))
	for i, o := range origins {
		lines[i] = problem.Problem{File: o.Origin.File, Line: o.Origin.Line, Field: o.Field}
	}
	src.Point(lines)
	found := map[string]string{}
	for i, o := range origins {
		was := o.String()
		o.Origin.Line = lines[i].Line
		found[was] = o.String()
	}
	return func(origin string) string {
		if text, ok := found[origin]; ok {
			return text
		}
		return origin
	}
}

func fields(f header.Fields) []field {
	shown := make([]field, len(f))
	for i := range f {
		shown[i] = field{f[i].Name, f[i].Value}
	}
	return shown
}
