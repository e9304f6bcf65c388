package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/scaffold"
)

func newAPIKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "apikey",
		Short:   "Make and list API keys for programs",
		Example: "  doorward apikey new ci > keys.yaml\n  doorward apikey list -f keys.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misused("doorward apikey has no %q; as in doorward apikey new ci", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAPIKeyNew(), newAPIKeyList())
	return cmd
}

// keyRequest is what apikey new is asked for.
type keyRequest struct {
	name, set, owner, expires, scope, to string
	groups, hosts, paths, methods        []string
	selector                             map[string]string
	rotate                               bool
}

func newAPIKeyNew() *cobra.Command {
	var q keyRequest
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a key, and the manifests that let it in",
		Long: "New makes a random key, tells it once, and writes what is kept of it: a key of an APIKeySet, and its\n" +
			"hash in the set's Secret. It overwrites nothing. Without --to the manifests go to standard output and\n" +
			"the key to standard error; with --to the file is edited, and the key goes to standard output.",
		Example: "  doorward apikey new ci > keys.yaml\n" +
			"  doorward apikey new ci --set istio-system/programs --owner data-team --expires 90d --to keys.yaml\n" +
			"  doorward apikey new reader --host api.example.com --path /v1 --method GET --method HEAD --to keys.yaml\n" +
			"  KEY=$(doorward apikey new ci --rotate --to keys.yaml)  # the old key works until its line is removed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("apikey new takes the name of one key, and there are %d arguments; as in doorward apikey new ci", len(args))
			}
			q.name = args[0]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd, time.Now()) },
	}
	f := cmd.Flags()
	f.StringVar(&q.set, "set", "istio-system/programs", "the APIKeySet, as NAMESPACE/NAME; it is made if it is not there")
	f.StringToStringVar(&q.selector, "selector", map[string]string{"istio": "ingressgateway"}, "the labels of the Pods that a set which is made is for")
	f.StringVar(&q.owner, "owner", "", "whose key it is")
	f.StringArrayVar(&q.groups, "group", nil, "a group of the owner; may be repeated")
	f.StringVar(&q.expires, "expires", "", "when it ends to work: days, as in 90d, or a time, as in 2027-01-31T00:00:00Z; without, never")
	f.StringVar(&q.scope, "scope", "", "the name of its scope")
	f.StringArrayVar(&q.hosts, "host", nil, "a host it is good for; may be repeated; without, all")
	f.StringArrayVar(&q.paths, "path", nil, "a path it is good for, with all below; may be repeated; without, all")
	f.StringArrayVar(&q.methods, "method", nil, "a method it is good for; may be repeated; without, all")
	f.StringVar(&q.to, "to", "", "the file to edit; it is made if it is not there")
	f.BoolVar(&q.rotate, "rotate", false, "add a second key under a name that is there, in the file of --to")
	return cmd
}

func (q *keyRequest) run(cmd *cobra.Command, now time.Time) error {
	k, err := q.entry(now)
	if err != nil {
		return err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	key := apikey.New(random)
	k.Digest = apikey.Of(key).String()
	if q.to == "" {
		text, err := k.AddTo(nil)
		if err != nil {
			return err
		}
		if _, err := cmd.OutOrStdout().Write(text); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "The key %s, which is not kept anywhere:\n%s\n", q.name, key)
		return err
	}
	if err := edit(q.to, k.AddTo); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "The key %s is in %s. This is it, and it is not kept anywhere:\n", q.name, q.to)
	_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
	return err
}

// entry makes sense of the flags.
func (q *keyRequest) entry(now time.Time) (*scaffold.APIKey, error) {
	namespace, set, ok := strings.Cut(q.set, "/")
	if !ok {
		namespace, set = object.DefaultNamespace, q.set
	}
	if namespace == "" || set == "" || strings.Contains(set, "/") {
		return nil, misused("--set %s is not NAMESPACE/NAME; as in --set istio-system/programs", q.set)
	}
	if strings.Trim(q.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" || q.name == "" {
		return nil, misused(`%q is no name of a key; it has letters, digits, ".", "_" and "-", as in doorward apikey new ci`, q.name)
	}
	k := &scaffold.APIKey{Namespace: namespace, Set: set, Selector: q.selector, Rotate: q.rotate}
	k.Key = v1alpha1.APIKey{Name: q.name, Owner: q.owner, Groups: q.groups}
	if q.scope != "" || len(q.hosts)+len(q.paths)+len(q.methods) > 0 {
		k.Key.Scopes = []v1alpha1.APIKeyScope{{Name: q.scope, Hosts: q.hosts, Paths: q.paths, Methods: q.methods}}
	}
	if q.rotate && (q.to == "" || q.owner != "" || q.expires != "" || len(q.groups)+len(k.Key.Scopes) > 0) {
		return nil, misused("--rotate adds a hash to a key in the file of --to and changes nothing else; as in doorward apikey new %s --rotate --to keys.yaml", q.name)
	}
	for _, p := range q.paths {
		if !strings.HasPrefix(p, "/") || strings.Contains(p, "*") {
			return nil, misused(`--path %s: a path begins with "/" and stands for all below it; as in --path /v1`, p)
		}
	}
	for _, m := range q.methods {
		if m == "" || m != strings.ToUpper(m) {
			return nil, misused("--method %s: methods are in capitals; as in --method GET", m)
		}
	}
	if q.expires != "" {
		end, err := expiry(q.expires, now)
		if err != nil {
			return nil, err
		}
		k.Key.Expires = &metav1.Time{Time: end}
	}
	return k, nil
}

// expiry reads "90d", or a time.
func expiry(text string, now time.Time) (time.Time, error) {
	end, err := time.Parse(time.RFC3339, text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 16); err == nil {
			end = now.AddDate(0, 0, int(n))
		}
	}
	if err != nil {
		return end, misused("--expires %s is neither days nor a time; as in --expires 90d, or --expires 2027-01-31T00:00:00Z", text)
	}
	if !end.After(now) {
		return end, misused("--expires %s is over", text)
	}
	return end, nil
}

// edit changes a file as a whole, or not at all. A file that is made is for its
// owner alone.
func edit(file string, change func([]byte) ([]byte, error)) error {
	old, err := os.ReadFile(file)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return err
	}
	text, err := change(old)
	if err != nil {
		return fmt.Errorf("%s: %w; it is left as it is", file, err)
	}
	if absent {
		return create(file, text)
	}
	return rewrite([]rewriting{{file, old, text}})
}
