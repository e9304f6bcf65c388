package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every verb shows how it is used, and its examples have no flag that there is not.
func TestEveryVerbHasExamples(t *testing.T) {
	for _, verb := range newRoot().Commands() {
		if verb.Short == "" || verb.Example == "" {
			t.Errorf("%s: got summary %q and examples %q", verb.Name(), verb.Short, verb.Example)
		}
		for _, line := range strings.Split(verb.Example, "\n") {
			for _, word := range strings.Fields(line) {
				if word == "#" {
					break
				}
				name, isLong := strings.CutPrefix(word, "--")
				if isLong && verb.Flags().Lookup(name) == nil {
					t.Errorf("%s has an example with %s, which it does not know", verb.Name(), word)
				}
			}
		}
	}
}

// Verbs that compile manifests have the same flags for it, so that what one
// tells is what the other does.
func TestVerbsThatCompileShareTheirFlags(t *testing.T) {
	want := pflag.NewFlagSet("", pflag.ContinueOnError)
	shared := &cobra.Command{}
	new(manifests).bind(shared)
	want.AddFlagSet(shared.Flags())
	root := newRoot()
	root.SetOut(io.Discard)
	for _, name := range []string{"serve", "check", "explain"} {
		verb, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		want.VisitAll(func(f *pflag.Flag) {
			if got := verb.Flags().Lookup(f.Name); got == nil || got.Usage != f.Usage {
				t.Errorf("%s: got the flag %v, want --%s as the others have it", name, got, f.Name)
			}
		})
	}
}
