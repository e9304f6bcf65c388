package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/doorward/doorward/api/v1alpha1"
	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/source"
)

// listedKey is one hash of a key, as apikey list tells it.
type listedKey struct {
	Set      string     `json:"set"`
	Key      string     `json:"key"`
	Hash     string     `json:"hash,omitempty"`
	Owner    string     `json:"owner,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	State    string     `json:"state"`
	LastUsed *time.Time `json:"lastUsed,omitempty"`
}

func newAPIKeyList() *cobra.Command {
	var m manifests
	var state, form string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys of manifests, and when they were last used",
		Long: "List prints every key of the APIKeySets, one line for each of its hashes: whose it is, when it ends\n" +
			"to work and, with the state directory of a serve, when it was last used, to the minute. A hash that\n" +
			"nobody has used since a key was rotated can be removed.",
		Example: "  doorward apikey list -f keys.yaml\n" +
			"  doorward apikey list -f ./manifests --state /var/lib/doorward\n" +
			"  doorward apikey list -f ./manifests --state /var/lib/doorward -o json",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if form != "text" && form != "json" {
				return misused("-o %s: there is no such form; there is text, json", form)
			}
			opts, err := m.read(cmd)
			if err != nil {
				return err
			}
			set, _, err := source.Load(cmd.Context(), opts.Source)
			if err != nil {
				return err
			}
			uses, err := readUses(state)
			if err != nil {
				return err
			}
			keys := listKeys(set, uses, time.Now())
			if form == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(map[string][]listedKey{"keys": keys})
			}
			return writeKeys(cmd.OutOrStdout(), keys, state != "")
		},
	}
	m.bind(cmd)
	cmd.Flags().StringVar(&state, "state", "", "the state directory of a serve, which knows when keys were last used")
	cmd.Flags().StringVarP(&form, "output", "o", "text", "text or json")
	_ = cmd.MarkFlagDirname("state") // the flag is there
	return cmd
}

// readUses reads when keys were last used; a serve that has seen none has kept nothing.
func readUses(state string) (*apikey.Uses, error) {
	uses := new(apikey.Uses)
	if state == "" {
		return uses, nil
	}
	if info, err := os.Stat(state); err != nil || !info.IsDir() {
		return nil, misused("--state %s is no directory; name that of doorward serve --state", state)
	}
	data, err := os.ReadFile(filepath.Join(state, apikey.UsesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return uses, nil
	}
	if err == nil {
		err = json.Unmarshal(data, uses)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(state, apikey.UsesFile), err)
	}
	return uses, nil
}

// listKeys are the keys of all sets, in order.
func listKeys(set *object.Set, uses *apikey.Uses, now time.Time) []listedKey {
	all := []listedKey{}
	for _, item := range set.APIKeySets.All() {
		secret, _ := set.Secrets.Get(item.Ref.Namespace, item.Object.Spec.SecretName)
		for i := range item.Object.Spec.Keys {
			k := &item.Object.Spec.Keys[i]
			one := listedKey{Set: item.Ref.Namespace + "/" + item.Ref.Name, Key: k.Name, Owner: k.Owner, State: stateOf(k, now)}
			if k.Expires != nil {
				at := k.Expires.UTC()
				one.Expires = &at
			}
			digests, err := apikey.ReadDigests(entryOf(secret.Object, k.Name))
			if err != nil {
				one.State = "no hash"
				all = append(all, one)
			}
			for _, d := range digests {
				one.Hash, one.LastUsed = d.String(), nil
				if at := uses.Last(d); !at.IsZero() {
					one.LastUsed = &at
				}
				all = append(all, one)
			}
		}
	}
	return all
}

func stateOf(k *v1alpha1.APIKey, now time.Time) string {
	switch {
	case k.Disabled:
		return "disabled"
	case k.Expires != nil && !now.Before(k.Expires.Time):
		return "expired"
	}
	return "good"
}

func entryOf(s *corev1.Secret, key string) []byte {
	if s == nil {
		return nil
	}
	if v, ok := s.StringData[key]; ok {
		return []byte(v)
	}
	return s.Data[key]
}

// writeKeys prints a table. used says that it is known when keys were used.
func writeKeys(to io.Writer, keys []listedKey, used bool) error {
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	heads := "SET\tKEY\tHASH\tOWNER\tEXPIRES\tSTATE"
	if used {
		heads += "\tLAST USED"
	}
	fmt.Fprintln(w, heads)
	for _, k := range keys {
		hash := strings.TrimPrefix(k.Hash, "sha256:")
		line := []string{k.Set, k.Key, dash(hash[:min(len(hash), 12)]), dash(k.Owner), moment(k.Expires), k.State}
		if used {
			line = append(line, moment(k.LastUsed))
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
