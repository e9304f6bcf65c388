package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/diff"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// diffForms are those of doorward diff.
func diffForms() []string { return []string{"text", "json", "github"} }

// diffRun is what diff is asked.
type diffRun struct {
	manifests // that are the same on both sides
	old, new  string
	form      string
}

func newDiff() *cobra.Command {
	var q diffRun
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what changes for requests from one set of manifests to another",
		Long: "Diff makes example requests of the rules of both: for every route one that takes it and some just\n" +
			"beside it, for every policy one that it is about and one that it leaves out, asked by whoever the rules\n" +
			"tell apart. It walks them through both plans, and tells what differs: one line a rule, with one example,\n" +
			"what becomes of it before and after, and the objects that cause it. What is more dangerous comes first.\n\n" +
			"OLD and NEW are each a file, a directory, a kustomization, or - for standard input. What stands beside\n" +
			"both, such as the platform of an application, is named with -f and -k.\n\n" +
			"It exits with 1 if something became reachable without login, with 0 otherwise, also with changes, and\n" +
			"with 2 if the manifests cannot be read. docs/diff.md tells of each class of changes.",
		Example: "  doorward diff paas.old paas\n" +
			"  doorward diff main/paas/myapp/overlays/production paas/myapp/overlays/production -k paas/platform/overlays/production\n" +
			"  git worktree add ../main main && doorward diff ../main/paas paas -o github",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misused("diff takes two sets of manifests, and there is %s; as in %s OLD NEW, each a file or directory", count(len(args), "argument"), cmd.CommandPath())
			}
			q.old, q.new = args[0], args[1]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&q.form, "output", "o", "text", strings.Join(diffForms(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(diffForms(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (q *diffRun) run(cmd *cobra.Command) error {
	if !slices.Contains(diffForms(), q.form) {
		return misused("-o %s: there is no such form; there is %s", q.form, strings.Join(diffForms(), ", "))
	}
	if q.old == "-" && q.new == "-" {
		return misused("standard input can be OLD or NEW, not both")
	}
	var sides [2]*side
	for i, name := range []string{q.old, q.new} {
		s, err := q.side(cmd, name)
		if err != nil {
			return usageError{err} // 1 would say that something is open
		}
		sides[i] = s
		if n := s.problems.Count(problem.Error); n > 0 {
			cmd.PrintErrf("doorward: %s has %s, and what they are about is closed; doorward check tells of each\n", name, count(n, "error"))
		}
	}
	report := diff.Compare(sides[0].Side, sides[1].Side)
	shown := show(report, sides[0].source, sides[1].source)
	var err error
	switch q.form {
	case "json":
		err = writeJSON(cmd.OutOrStdout(), shown)
	case "github":
		err = writeGitHub(cmd.OutOrStdout(), shown.problems())
	default:
		err = shown.write(cmd.OutOrStdout())
	}
	if err == nil && report.Open() {
		err = exitError(exitFailed)
	}
	return err
}

// side is one side of a comparison.
type side struct {
	diff.Side
	source   source.Options
	problems problem.List
}

// side reads a file, a directory or a kustomization, with what stands beside it.
func (q *diffRun) side(cmd *cobra.Command, name string) (*side, error) {
	m := q.manifests
	m.files, m.kustomizations = slices.Clone(q.files), slices.Clone(q.kustomizations)
	if isKustomization(name) {
		m.kustomizations = append(m.kustomizations, name)
	} else {
		m.files = append(m.files, name)
	}
	opts, err := m.read(cmd)
	if err != nil {
		return nil, err
	}
	return compiled(cmd.Context(), opts.Source, opts.Compile)
}

// compiled loads manifests for questions about files.
func compiled(ctx context.Context, src source.Options, o compile.Options) (*side, error) {
	set, problems, err := source.Load(ctx, src)
	if err != nil {
		return nil, err
	}
	o.AssumePods, o.UndeclaredClasses = true, true
	p, more := compile.Compile(set, o)
	return &side{diff.Side{Plan: p, Set: set}, src, append(problems, more...)}, nil
}

// isKustomization tells whether a path is that of a kustomization, or its directory.
func isKustomization(name string) bool {
	steers := func(base string) bool {
		return base == "kustomization.yaml" || base == "kustomization.yml" || base == "Kustomization"
	}
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return steers(filepath.Base(name))
	}
	entries, _ := os.ReadDir(name)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return steers(e.Name()) })
}
