// Package cli is the command line: one file a verb, each of flags, one call and
// what is printed.
package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes: scripts rely on them.
const (
	exitOK      = 0
	exitFailed  = 1 // the verb did its work and the answer is no, or it failed
	exitMisused = 2 // the command line cannot be understood
)

// exitError ends the program with a code and no further message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

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

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "doorward",
		Short: "One door for the applications of a platform",
		Long: "Doorward runs Ingress, Istio Gateway and VirtualService manifests, unchanged,\n" +
			"in one process: edge, gateway and route in one hop, with a reason for every answer.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no verb %q; see doorward --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newVersion())
	return root
}
