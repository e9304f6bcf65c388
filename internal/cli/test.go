package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/source"
	"github.com/doorward/doorward/internal/suite"
)

// testForms are those of doorward test.
func testForms() []string { return []string{"text", "json", "junit"} }

// testRun is what test is asked.
type testRun struct {
	manifests
	form, run, log                     string
	verbose, coverage, serve, generate bool
}

func newTest() *cobra.Command {
	var q testRun
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the tests that stand beside manifests",
		Long: "Test runs test files: which request, of whom, should come to what. It finds NAME_test.yaml, and any\n" +
			"YAML in a directory called tests, below the paths that are given, or below the current directory. It\n" +
			"walks the plan of the manifests that a file names, as serve does, and opens no connection. It exits\n" +
			"with 1 if a test fails, and with 2 if there is none or a file cannot be understood.\n\n" +
			"docs/testing.md has every field of a test file.",
		Example: "  doorward test\n" +
			"  doorward test paas/myapp -v\n" +
			"  doorward test paas/myapp/tests/myapp_test.yaml --run prefix -k paas/platform/overlays/production\n" +
			"  doorward test -o junit > doorward.xml",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return q.do(cmd, args) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.StringVarP(&q.form, "output", "o", "text", strings.Join(testForms(), ", "))
	f.StringVar(&q.run, "run", "", "only tests whose name this regular expression matches")
	f.BoolVarP(&q.verbose, "verbose", "v", false, "name every test, not only those that fail")
	f.BoolVar(&q.coverage, "coverage", false, "tell which routes and rules of the manifests no test touches")
	f.BoolVar(&q.serve, "serve", false, "play the tests through a real server, too; a difference from the walk is a failure")
	f.BoolVar(&q.generate, "generate", false, "propose tests of the manifests that -f and -k name, on standard output")
	f.StringVar(&q.log, "from-log", "", "propose tests of the requests in an access log: NGINX's combined form, or Envoy's JSON; - is standard input")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(testForms(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (q *testRun) do(cmd *cobra.Command, paths []string) error {
	if !slices.Contains(testForms(), q.form) {
		return misused("-o %s: there is no such form; there is %s", q.form, strings.Join(testForms(), ", "))
	}
	o, err := q.options(cmd)
	if err != nil {
		return err
	}
	if q.generate || q.log != "" {
		return q.propose(cmd, paths, o)
	}
	files, err := readTests(paths)
	if err != nil {
		return err
	}
	report := suite.Run(cmd.Context(), files, o)
	switch out := cmd.OutOrStdout(); q.form {
	case "json":
		err = writeJSON(out, testReport(report))
	case "junit":
		err = writeJUnit(out, report)
	default:
		err = writeTests(out, report, q.verbose, onTerminal(out))
	}
	if err != nil {
		return err
	}
	return q.verdict(report)
}

// propose prints tests that are generated.
func (q *testRun) propose(cmd *cobra.Command, paths []string, o suite.Options) error {
	if len(paths) > 0 {
		return misused("--generate takes manifests with -f and -k, and there is %q; as in %s --generate -k %s", paths[0], cmd.CommandPath(), paths[0])
	}
	if len(q.files)+len(q.kustomizations) == 0 {
		return misused("--generate needs manifests; give files or directories with -f, or a kustomization with -k")
	}
	var log io.Reader
	if q.log == "-" {
		log = cmd.InOrStdin()
	} else if q.log != "" {
		f, err := os.Open(q.log)
		if err != nil {
			return usageError{fmt.Errorf("--from-log: %w", err)}
		}
		defer f.Close()
		log = f
	}
	text, err := suite.Generate(cmd.Context(), o, log)
	if err != nil {
		return usageError{err}
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// options are what the flags add to the files.
func (q *testRun) options(cmd *cobra.Command) (o suite.Options, err error) {
	if len(q.files)+len(q.kustomizations) > 0 || len(q.endpoints) > 0 {
		m, err := q.read(cmd)
		if err != nil {
			return o, err
		}
		if o.Source, err = keepStdin(m.Source); err != nil {
			return o, err
		}
		o.Compile = m.Compile
	}
	o.Compile.IngressClasses, o.Cover, o.Serve = q.classes, q.coverage, q.serve
	if q.run != "" {
		if o.Run, err = regexp.Compile(q.run); err != nil {
			return o, misused("--run: %w", err)
		}
	}
	return o, nil
}

// readTests finds and reads test files.
func readTests(paths []string) ([]*suite.File, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	names, err := source.Tests(paths)
	if err != nil {
		return nil, usageError{err}
	}
	if len(names) == 0 {
		return nil, misused("there is no test in %s; tests are in NAME_test.yaml, or in any YAML of a directory called tests (docs/testing.md)", strings.Join(paths, ", "))
	}
	files, err := suite.ReadAll(names)
	if err != nil {
		return nil, usageError{err}
	}
	return files, nil
}

// verdict is the exit code.
func (q *testRun) verdict(r *suite.Report) error {
	ran, failed := 0, 0
	for i := range r.Files {
		if r.Files[i].Err != nil {
			return exitError(exitMisused)
		}
		ran += len(r.Files[i].Results)
		failed += r.Files[i].Failed()
	}
	switch {
	case ran == 0:
		return misused("--run %s: no test has such a name", q.run)
	case failed > 0:
		return exitError(exitFailed)
	}
	return nil
}

// keepStdin reads the standard input, where it is manifests: several loads need it.
func keepStdin(src source.Options) (source.Options, error) {
	i := slices.Index(src.Files, "-")
	if i < 0 {
		return src, nil
	}
	data, err := io.ReadAll(src.Stdin)
	if err != nil {
		return src, fmt.Errorf("read manifests from stdin: %w", err)
	}
	src.Files = slices.Delete(slices.Clone(src.Files), i, i+1)
	src.Texts = append(src.Texts, source.Text{Name: "stdin", Data: data})
	return src, nil
}
