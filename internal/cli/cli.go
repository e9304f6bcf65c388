// Package cli is the command line: one file a verb, each of flags, one call and
// what is printed.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes: scripts rely on them.
const (
	exitOK      = 0
	exitFailed  = 1 // the verb did its work and the answer is no, or it failed
	exitMisused = 2 // what was asked cannot be understood
)

// exitError ends the program with a code and no further message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a question that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// misused makes a usageError. It says what was given, what is expected, and an
// example.
func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the command line args (without the program's name) and returns the
// exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.Execute()
	var code exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(errOut, "doorward: "+err.Error())
	var usage usageError
	if errors.As(err, &usage) {
		return exitMisused
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "doorward",
		Short: "One door for the applications of a platform",
		Long: "Doorward runs Ingress, Istio Gateway and VirtualService manifests, unchanged,\n" +
			"in one process: edge, gateway and route in one hop, with a reason for every answer.",
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2, // letters apart; cobra's own default comes too late for Args
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misused("there is no verb %q%s; see doorward --help", args[0], nearestVerb(cmd, args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misused("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newServe(), newDemo(), newCheck(), newExplain(), newProbe(), newDiff(), newExempt(), newTest(), newNew(), newAPIKey(), newHashPassword(), newCompletion(), newVersion())
	return root
}

// nearestVerb offers the verb that was meant: `; did you mean serve?`, or "".
func nearestVerb(root *cobra.Command, given string) string {
	if s := root.SuggestionsFor(given); len(s) > 0 {
		return "; did you mean " + s[0] + "?"
	}
	return ""
}

// noArgs refuses arguments of verbs that have only flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Lookup("filename") != nil {
		return misused("%q stands alone; give each file or directory its own -f, as in %s -f %s", args[0], cmd.CommandPath(), args[0])
	}
	return misused("%s takes no argument, and there is %q", cmd.CommandPath(), args[0])
}

// onTerminal tells whether what is written to w is read by a person who sees
// colours (no-color.org).
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
