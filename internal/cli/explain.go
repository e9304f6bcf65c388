package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/explain"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
)

var explainForms = []string{"text", "json", "curl"}

// question is what explain is asked.
type question struct {
	manifests
	explain.Question
	admin, state, form string
	token, claims, as  string
	groups             []string
	all                bool
}

func newExplain() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Tell what becomes of a request, and which line decides it",
		Long: "Explain takes a request through the manifests, or through the plan of a running Doorward, hop by hop, by\n" +
			"the same walk that serves it. It opens no connection to applications, logins or issuers; what it takes for\n" +
			"granted it says. It exits with 0 if the request is served (forwarded, redirected or answered with a status\n" +
			"below 400), with 1 if it is refused or sent to log in, and with 2 if the question cannot be understood.",
		Example: "  doorward explain https://cluster.example.com/myapp/ -f ./manifests\n" +
			"  doorward explain https://cluster.example.com/myapp/ -f ./manifests --as alice@example.com --groups ml,ops\n" +
			"  doorward explain https://cluster.example.com/api -X POST -f ./manifests --claims '{\"iss\": \"https://issuer.example\", \"sub\": \"robot\"}'\n" +
			"  doorward explain http://myapp.example.com/ --via myapp/myapp-service:80 -f ./manifests --as system:serviceaccount:kubeflow:pipeline-runner\n" +
			"  doorward explain https://cluster.example.com/myapp --follow --navigate --admin 127.0.0.1:9901\n" +
			"  doorward explain https://cluster.example.com/myapp/ -f ./manifests -o curl",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("explain takes one URL, and there are %d arguments; as in %s https://cluster.example.com/myapp/ -f ./manifests", len(args), cmd.CommandPath())
			}
			q.URL = args[0]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&q.Method, "request", "X", "GET", "the method")
	f.StringArrayVarP(&q.Headers, "header", "H", nil, "a header, as 'NAME: VALUE'; may be repeated")
	f.StringVar(&q.Via, "via", plan.Edge, "where the request comes in: edge, or the Service port of a gateway or of a workload with a sidecar as NAMESPACE/SERVICE:PORT")
	f.StringVar(&q.From, "from", "127.0.0.1", "the client's address")
	f.BoolVar(&q.Navigate, "navigate", false, "send what a browser does when a person opens a page")
	f.BoolVar(&q.Follow, "follow", false, "go on with redirects, and name loops of them")
	f.StringVar(&q.token, "token", "", "ask with a JSON Web Token, which is verified; @FILE reads it from a file")
	f.StringVar(&q.claims, "claims", "", "ask as who has a token with these claims (JSON), as if it had been verified; @FILE reads them from a file")
	f.StringVar(&q.as, "as", "", "ask as a user who is logged in, as a service account, system:serviceaccount:NAMESPACE:NAME, or as who has an API key, apikey:NAMESPACE/SET/KEY")
	f.StringSliceVar(&q.groups, "groups", nil, "groups of the user, joined by commas")
	f.StringVar(&q.admin, "admin", "", "ask a running Doorward at its admin address, instead of manifests")
	f.StringVar(&q.state, "state", "", "the state directory of a server: its kept key sets verify tokens")
	f.BoolVar(&q.all, "all", false, "show every rule that was looked at, also where there are many")
	f.StringVarP(&q.form, "output", "o", "text", strings.Join(explainForms, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(explainForms, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("via", completeListeners(&q.manifests, ""))
	_ = cmd.MarkFlagDirname("state")
	return cmd
}

func (q *question) run(cmd *cobra.Command) error {
	if !slices.Contains(explainForms, q.form) {
		return misused("-o %s: there is no such form; there is %s", q.form, strings.Join(explainForms, ", "))
	}
	if err := q.who(); err != nil {
		return err
	}
	var e *explain.Explanation
	var err error
	if q.admin != "" {
		e, err = q.askServer(cmd.Context())
	} else {
		e, err = q.askManifests(cmd)
	}
	if err != nil {
		return usageError{err} // 1 would say that the request is refused
	}
	out := cmd.OutOrStdout()
	switch q.form {
	case "json":
		err = writeJSON(out, e)
	case "curl":
		_, err = fmt.Fprintln(out, e.Curl)
	default:
		err = e.Write(out, q.all, onTerminal(out))
	}
	if err == nil && (!e.Served || !e.Last().Served) {
		err = exitError(exitFailed)
	}
	return err
}

// asKey begins the --as of who has an API key.
const asKey = "apikey:"

// who reads the flags that say who asks.
func (q *question) who() error {
	as := &q.As
	switch account, ok := strings.CutPrefix(q.as, "system:serviceaccount:"); {
	case ok:
		as.ServiceAccount = strings.Replace(account, ":", "/", 1)
	case strings.HasPrefix(q.as, asKey):
		as.APIKey = q.as[len(asKey):]
	default:
		as.User = q.as
	}
	if as.APIKey != "" && q.admin != "" {
		return misused("--as %s: a running Doorward knows no key, only what is kept of one; ask with the manifests (-f, -k), or send the key with -H", q.as)
	}
	var err error
	if as.Token, err = argument(q.token); err != nil {
		return misused("--token %s: %w", q.token, err)
	}
	as.Groups = q.groups
	if q.claims != "" {
		text, err := argument(q.claims)
		if err != nil {
			return misused("--claims %s: %w", q.claims, err)
		}
		if err := json.Unmarshal([]byte(text), &as.Claims); err != nil || as.Claims == nil {
			return misused("--claims is no JSON object; as in --claims '{\"iss\": \"https://issuer.example\", \"sub\": \"alice\"}'")
		}
	}
	if _, err := caller.New(*as); err != nil {
		return misused("%w; one of --token, --claims and --as says who asks, --groups goes with --as", err)
	}
	return nil
}

// argument is a flag's value, or what the file holds that @FILE names.
func argument(text string) (string, error) {
	name, file := strings.CutPrefix(text, "@")
	if !file {
		return text, nil
	}
	data, err := os.ReadFile(name)
	return strings.TrimSpace(string(data)), err
}

// askManifests asks the plan that manifests mean.
func (q *question) askManifests(cmd *cobra.Command) (*explain.Explanation, error) {
	if _, err := q.Request(); err != nil {
		return nil, err
	}
	opts, err := q.read(cmd)
	if err != nil {
		return nil, err
	}
	set, problems, err := source.Load(cmd.Context(), opts.Source)
	if err != nil {
		return nil, err
	}
	opts.Compile.AssumePods, opts.Compile.UndeclaredClasses, opts.Compile.StandIn = true, true, caller.StandIn
	p, more := compile.Compile(set, opts.Compile)
	return explain.Explain(explain.Ground{
		Plan: p, Set: set, Problems: append(problems, more...), Source: opts.Source,
		Keys: jwt.New(jwt.Options{Offline: true, State: q.state}),
	}, q.Question)
}

// explainPlan answers questions about a running server's plan, which are in JSON.
func explainPlan(s server.Asked, question io.Reader) (any, error) {
	var q explain.Question
	d := json.NewDecoder(question)
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return nil, errors.New("the question cannot be read: " + err.Error())
	}
	return explain.Explain(explain.Ground{Plan: s.Plan, Problems: s.Problems, Source: s.Source, Keys: s.Keys}, q)
}
