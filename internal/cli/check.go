package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/check"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/server"
)

var (
	checkForms = []string{"text", "json", "sarif", "github"}
	severities = []string{"error", "warning", "info"}
)

func newCheck() *cobra.Command {
	var m manifests
	var form, least string
	var suppress []string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell what is wrong with manifests",
		Long: "Check compiles manifests as serve does and prints what is wrong with them: file, line, what\n" +
			"was asked for, what there is, and the fix. It exits with 1 if there is an error.",
		Example: "  doorward check -f ./manifests\n" +
			"  doorward check -k paas/myapp/overlays/production -k paas/platform/overlays/production\n" +
			"  kubectl get ing,gw,vs,dr,svc -A -o yaml | doorward check -f - -o json\n" +
			"  doorward check -f . --severity warning -o github",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(checkForms, form) {
				return misused("-o %s: there is no such form; there is %s", form, strings.Join(checkForms, ", "))
			}
			if !slices.Contains(severities, least) {
				return misused("--severity %s: there is no such severity; there is %s", least, strings.Join(severities, ", "))
			}
			opts, err := m.read(cmd)
			if err != nil {
				return err
			}
			opts.Partial = true
			opts.Compile.UndeclaredClasses = true
			for _, text := range suppress {
				s, err := check.ParseSuppression(text)
				if err != nil {
					return misused("--suppress %s: %w; write CODE=OBJECT, as in --suppress \"host-not-found=VirtualService myapp/*\"", text, err)
				}
				opts.Suppress = append(opts.Suppress, s)
			}
			return report(cmd, opts, form, problem.Severity(least))
		},
	}
	m.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&form, "output", "o", "text", strings.Join(checkForms, ", "))
	f.StringVar(&least, "severity", "info", "the least that is printed: error, warning or info")
	f.StringArrayVar(&suppress, "suppress", nil, "leave out a finding: CODE=OBJECT, where * stands for any letters but a slash; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(checkForms, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions(severities, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// report loads manifests and prints their problems, those of the least severity
// and worse. It fails with exit code 1 if one is an error.
func report(cmd *cobra.Command, m server.Manifests, form string, least problem.Severity) error {
	loaded, loadErr := m.Load(cmd.Context())
	out := cmd.OutOrStdout()
	shown := loaded.Problems.Least(least)
	var err error
	switch form {
	case "json":
		err = writeJSON(out, shown)
	case "sarif":
		err = writeSARIF(out, shown)
	case "github":
		err = writeGitHub(out, shown)
	default:
		err = writeProblems(out, shown, onTerminal(out))
		if loadErr == nil && err == nil {
			_, err = fmt.Fprintln(out, summary(loaded.Problems, loaded.Objects))
		}
	}
	switch {
	case loadErr != nil:
		return loadErr
	case err != nil:
		return err
	case loaded.Problems.HasErrors():
		return exitError(exitFailed)
	}
	return nil
}

// bindForm adds -o to a verb.
func bindForm(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkForm(form string) error {
	if form != "text" && form != "json" {
		return misused("-o %s: there is no such form; it is text or json", form)
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeProblems prints problems as compilers do: the place first, so that
// editors and terminals can follow it.
func writeProblems(w io.Writer, l problem.List, colour bool) error {
	var b strings.Builder
	for _, p := range l {
		if place := p.Place(); place != "" {
			b.WriteString(place + ": ")
		}
		code := p.Code
		if p.Istio != "" {
			code += " " + p.Istio
		}
		b.WriteString(paint(p.Severity, colour) + ": " + p.Message + " [" + code + "]\n")
		if what := strings.TrimSpace(p.Object + " " + p.Field); what != "" {
			b.WriteString("    in:  " + what + "\n")
		}
		if p.Remedy != "" {
			b.WriteString("    fix: " + strings.ReplaceAll(p.Remedy, "\n", "\n         ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func paint(s problem.Severity, colour bool) string {
	if !colour {
		return string(s)
	}
	code := "36" // cyan
	switch s {
	case problem.Error:
		code = "31" // red
	case problem.Warning:
		code = "33" // yellow
	}
	return "\x1b[1;" + code + "m" + string(s) + "\x1b[0m"
}

// summary counts the problems: "2 errors, 1 warning in 14 objects".
func summary(l problem.List, objects int) string {
	var parts []string
	for _, s := range []problem.Severity{problem.Error, problem.Warning} {
		if n := l.Count(s); n > 0 {
			parts = append(parts, count(n, string(s)))
		}
	}
	if n := l.Count(problem.Info); n > 0 {
		parts = append(parts, count(n, "remark"))
	}
	if len(parts) == 0 {
		parts = []string{"no problem"}
	}
	return strings.Join(parts, ", ") + " in " + count(objects, "object")
}

// count is "1 host", "2 hosts".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
