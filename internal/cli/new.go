package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
)

// birth is what doorward new is asked for.
type birth struct {
	name, dir             string
	files, kustomizations []string
	yes, dryRun           bool
	answers               answers
}

func newNew() *cobra.Command {
	b := birth{answers: answers{}}
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write the manifests of an application, and tests of them",
		Long: "New asks how an application is to be reached, as the platform's guide does, and writes what that takes:\n" +
			"DIR/NAME/base, DIR/NAME/overlays/production, and a test file that says what the answers mean. Each\n" +
			"question has a flag; without a terminal nothing is asked. The result is checked together with the\n" +
			"platform's manifests: those of -f and -k, else DIR/platform. Nothing is overwritten, and what is\n" +
			"written is written whole or not at all.",
		Example: "  doorward new myapp\n" +
			"  doorward new myapp --image ghcr.io/acme/myapp:1.4.2 --container-port 8080 --yes\n" +
			"  doorward new shop --service shop-web:8080 --told nothing --access public -k paas/platform/overlays/production --yes\n" +
			"  doorward new grafana --preset grafana --yes\n" +
			"  doorward new files --host files.example.com --access own --image ghcr.io/acme/files:2.0.1 --dry-run",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("new takes the name of one application, and there are %d arguments; as in doorward new myapp", len(args))
			}
			b.name = args[0]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd) },
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	f := cmd.Flags()
	f.StringArrayVarP(&b.files, "filename", "f", nil, "the platform's manifests: a file, or a directory with all below it; may be repeated")
	f.StringArrayVarP(&b.kustomizations, "kustomize", "k", nil, "a directory of the platform with a kustomization.yaml; may be repeated")
	f.StringVar(&b.dir, "dir", "paas", "where applications are; NAME is made in it")
	f.BoolVar(&b.yes, "yes", false, "write without asking, and take the defaults for what is not given")
	f.BoolVar(&b.dryRun, "dry-run", false, "show what would be written, as a patch")
	for _, q := range questions() {
		f.String(q.key, "", q.usage)
		if len(q.choices) > 0 {
			_ = cmd.RegisterFlagCompletionFunc(q.key, cobra.FixedCompletions(q.words(), cobra.ShellCompDirectiveNoFileComp))
		}
	}
	_ = cmd.MarkFlagDirname("kustomize") // the flags are there
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func (b *birth) run(cmd *cobra.Command) error {
	if err := scaffold.CheckName(b.name); err != nil {
		return misused("%w", err)
	}
	if slices.Contains(b.files, "-") {
		return misused("-f - is not taken: standard input is for answers; name a file")
	}
	target := filepath.Join(b.dir, b.name)
	if err := scaffold.Absent(target); err != nil {
		return fmt.Errorf("%w; give another name, or another --dir", err)
	}
	site, err := b.platform(cmd.Context())
	if err != nil {
		return err
	}
	b.answers["name"] = b.name
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if find(f.Name) != nil {
			b.answers[f.Name] = f.Value.String()
		}
	})
	if _, given := b.answers["platform-host"]; !given && site.people.Found {
		b.answers["platform-host"] = site.people.Host
	}
	talk := newTalk(cmd.InOrStdin(), cmd.ErrOrStderr())
	if err := b.ask(talk, site); err != nil {
		return err
	}
	app, err := b.app(site)
	if err != nil {
		return err
	}
	made, err := try(cmd.Context(), app, site, target)
	if err != nil {
		return err
	}
	if err := made.show(cmd.OutOrStdout(), target); err != nil {
		return err
	}
	switch {
	case len(made.problems.Least(problem.Warning)) > 0:
		return errors.New("nothing is written: check finds fault with the result")
	case made.failed != "" && !made.exempt:
		return errors.New("nothing is written: the result does not do what is asked for")
	case b.dryRun:
		return nil
	case !b.yes && !talk.person:
		return errors.New("nothing is written: standard input is no terminal, so nobody can agree; give --yes, or --dry-run")
	case !b.yes && !talk.agree(made.asks(target)):
		return errors.New("nothing is written")
	}
	if err := made.write(target); err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), made.next(app, b.dir, target))
	return err
}

// ask asks a person what is not given; from a script it takes the defaults.
func (b *birth) ask(talk *talk, site *site) error {
	b.answers.imply()
	if err := b.answers.check(); err != nil {
		return usageError{err}
	}
	if talk.person && !b.yes {
		fmt.Fprintf(talk.out, "%s is made in %s. Enter takes the answer in [brackets]; ? says more, < goes back, Ctrl-D ends it.\n",
			b.name, filepath.Join(b.dir, b.name))
		return talk.ask(questions(), b.answers, site)
	}
	var missing []string
	for _, q := range questions() {
		if _, ok := b.answers[q.key]; ok || !q.asked(b.answers) {
			continue
		}
		if d := q.def(b.answers, site); d != "" || !q.need {
			b.answers[q.key] = d
			continue
		}
		missing = append(missing, "--"+q.key+" ("+q.usage+")")
	}
	if len(missing) > 0 {
		return misused("nothing is asked here, so give %s", strings.Join(missing, " and "))
	}
	return nil
}

// asks is the last question.
func (m *made) asks(target string) string {
	text := fmt.Sprintf("Write these %s below %s", count(len(m.files), "file"), target)
	if len(m.edits) > 0 {
		text += ", and edit " + strings.Join(names(m.edits), " and ")
	}
	return text + "?"
}

// show shows what has been made: the files and edits as a patch, and what check and the
// tests find.
func (m *made) show(out io.Writer, target string) error {
	var b strings.Builder
	colour := onTerminal(out)
	for _, f := range m.files {
		b.WriteString(addition(filepath.ToSlash(filepath.Join(target, f.Name)), f.Text, colour))
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if err := writeProblems(out, m.problems.Least(problem.Warning), colour); err != nil {
		return err
	}
	b.Reset()
	b.WriteString(m.edited)
	if !m.exempt {
		b.WriteString(m.failed)
	}
	fmt.Fprintf(&b, "check: %s\n", summary(m.problems, m.objects))
	switch n, failed := len(m.tests.Results), m.tests.Failed(); {
	case n == 0:
		b.WriteString("test: not run, as nothing is known of the platform; name its manifests with -f or -k\n")
	case failed > 0 && m.exempt:
		fmt.Fprintf(&b, "test: %d of %s fail until the path is exempt\n", failed, count(n, "test"))
	case failed > 0:
		fmt.Fprintf(&b, "test: %d of %s fail\n", failed, count(n, "test"))
	default:
		fmt.Fprintf(&b, "test: %s pass\n", count(n, "test"))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// addition is a new file as a patch.
func addition(name, text string, colour bool) string {
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1] // every file ends with a newline
	var b strings.Builder
	fmt.Fprintf(&b, "--- /dev/null\n+++ %s\n@@ -0,0 +1,%d @@\n", name, len(lines))
	for _, l := range lines {
		if colour {
			b.WriteString("\x1b[32m+" + strings.TrimSuffix(l, "\n") + "\x1b[0m\n")
		} else {
			b.WriteString("+" + l)
		}
	}
	return b.String()
}

// next tells what is left to do.
func (m *made) next(app *scaffold.App, dir, target string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "written: %s below %s\n", count(len(m.files), "file"), target)
	if len(m.edits) > 0 {
		fmt.Fprintf(&b, "edited: %s\n", strings.Join(names(m.edits), ", "))
	}
	list := filepath.Join(dir, "kustomization.yaml")
	if exists(list) {
		fmt.Fprintf(&b, "next: add %s/overlays/production to the resources of %s\n", app.Name, list)
	}
	if m.exempt || app.Exempt() && !m.knows {
		fmt.Fprintf(&b, "next: doorward exempt %s/  leaves it out of the gateway's two policies; until then the platform asks for its login\n", app.Prefix)
	}
	for _, note := range app.Notes() {
		fmt.Fprintf(&b, "next: %s\n", note)
	}
	for _, note := range m.limits {
		fmt.Fprintf(&b, "next: %s\n", note)
	}
	if app.Image == "" && !app.Platform.HasService {
		fmt.Fprintf(&b, "next: see that namespace %s has a Service %s with port %d\n", app.Namespace, app.Service, app.Port)
	}
	fmt.Fprintf(&b, "next: kubectl apply -k %s\n", filepath.Join(target, "overlays", "production"))
	return b.String()
}
