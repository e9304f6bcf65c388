package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/plan"
)

// shells are those that completions can be made for.
var shells = [...]string{"bash", "zsh", "fish", "powershell"}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script by which a shell completes verbs, flags and listeners",
		Example: "  source <(doorward completion bash)\n" +
			"  doorward completion zsh > ~/.zfunc/_doorward\n" +
			"  doorward completion fish > ~/.config/fish/completions/doorward.fish",
		ValidArgs: shells[:],
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells[:], args[0]) {
				return misused("completion is for %s, and there is %q; as in doorward completion bash", strings.Join(shells[:], ", "), strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return root.GenPowerShellCompletionWithDesc(out)
		},
	}
}

// completeListeners completes the listeners of the manifests that the line
// names so far, each followed by end.
func completeListeners(m *manifests, end string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		opts, err := m.read(cmd)
		if err != nil || strings.Contains(begun, "=") {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		loaded, err := opts.Load(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var keys []string
		for _, l := range loaded.Plan.Listeners() {
			if strings.HasPrefix(l.Key, begun) && l.Dialect != plan.Sidecar && (end == "" || l.Key != plan.Edge) { // the edge has flags of its own
				keys = append(keys, l.Key+end)
			}
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if end != "" {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return keys, directive
	}
}
