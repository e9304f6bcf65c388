package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/exempt"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
	"github.com/doorward/doorward/internal/source"
)

// exemptRun is what exempt is asked.
type exemptRun struct {
	manifests
	path            exempt.Path
	undo, yes, show bool
}

func newExempt() *cobra.Command {
	var q exemptRun
	cmd := &cobra.Command{
		Use:   "exempt PATH",
		Short: "Take a path out of the gateway's login, in both of its policies",
		Long: "Exempt lets anybody come to PATH and all below it: it adds both to notPaths of the policy that sends people\n" +
			"to log in, and of the one that refuses whoever has no token, which must agree. It finds them through the plan,\n" +
			"by walking PATH, and edits them in the files where they stand, comments and layout kept. Before anything is\n" +
			"written it shows the difference and proves it: PATH no longer meets either rule, and nothing else changes.\n\n" +
			"Name the whole platform with -f and -k, so that the application behind PATH is known. On a terminal it asks\n" +
			"before it writes. It exits with 0 if PATH is exempt in the end, with 1 if it is not, or nothing was written.",
		Example: "  doorward exempt /mlflow -k paas/platform/overlays/production -k paas/mlflow/overlays/production\n" +
			"  doorward exempt /mlflow -f paas --dry-run\n" +
			"  doorward exempt /mlflow --undo -f paas --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused("exempt takes one path, and there is %s; as in %s /mlflow -f paas", count(len(args), "argument"), cmd.CommandPath())
			}
			path, err := exempt.NewPath(args[0])
			if err != nil {
				return usageError{err}
			}
			q.path = path
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	q.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&q.undo, "undo", false, "take PATH out of the lists again, so that it meets the login")
	f.BoolVarP(&q.yes, "yes", "y", false, "write without asking")
	f.BoolVar(&q.show, "dry-run", false, "show what would be written, and write nothing")
	return cmd
}

func (q *exemptRun) run(cmd *cobra.Command) error {
	opts, err := q.read(cmd)
	if err != nil {
		return err
	}
	if slices.Contains(q.files, "-") {
		return misused("standard input cannot be edited; name the files with -f")
	}
	e := &editing{path: q.path, undo: q.undo, src: opts.Source, compile: opts.Compile, out: cmd.OutOrStdout()}
	edits, err := e.plan(cmd.Context())
	if err != nil || len(edits) == 0 {
		return err
	}
	switch talk := newTalk(cmd.InOrStdin(), e.out); {
	case q.show:
		fmt.Fprintln(e.out, "nothing is written (--dry-run)")
		return nil
	case q.yes:
	case !talk.person:
		return errors.New("nothing is written: nobody can be asked; --yes writes, --dry-run only shows")
	case !talk.agree("Write " + strings.Join(names(edits), " and ") + "?"):
		return errors.New("nothing is written")
	}
	if err := rewrite(edits); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "written: %s\n", strings.Join(names(edits), ", "))
	return nil
}

// editing is an exemption on its way into files.
type editing struct {
	path    exempt.Path
	undo    bool
	src     source.Options
	compile compile.Options
	out     io.Writer
	proof   *exempt.Proof // of the edits
}

// plan finds out what is to be edited, tells of it, and proves it. No edits and no error
// say that nothing is to be done.
func (e *editing) plan(ctx context.Context) ([]rewriting, error) {
	before, err := compiled(ctx, e.src, e.compile)
	if err != nil {
		return nil, err
	}
	found, err := exempt.Find(before.Plan, e.path)
	if errors.Is(err, exempt.ErrNotRouted) {
		return nil, e.notRouted(before.Plan)
	}
	if err != nil {
		return nil, err
	}
	if len(found.Rules) == 0 {
		return nil, fmt.Errorf("nothing to edit: no gateway that %s comes to has an AuthorizationPolicy with action CUSTOM, which asks people to log in, nor one with action DENY for notRequestPrincipals [\"*\"], which asks for a token; looked at %s", e.path, strings.Join(gateways(found), ", "))
	}
	wanted := e.wanted(found)
	if len(wanted) == 0 {
		return nil, e.nothing(found)
	}
	edits, after, err := e.edit(ctx, found, wanted)
	if err != nil {
		return nil, err
	}
	proof, err := found.Prove(before.Side, after.Side, e.undo)
	if err != nil {
		return nil, fmt.Errorf("nothing is written: %w", err)
	}
	e.proof = proof
	for _, w := range edits {
		io.WriteString(e.out, scaffold.Unified(w.file, w.before, w.after))
	}
	e.tell(found, proof)
	return edits, nil
}

// wants is the edit of a rule.
type wants struct {
	rule       *exempt.Rule
	operations []exempt.Operation
}

// wanted are the rules to edit, and how.
func (e *editing) wanted(f *exempt.Finding) []wants {
	var all []wants
	for _, r := range f.Rules {
		ops := r.Operations
		if e.undo {
			ops = r.Undo(e.path)
		}
		if len(ops) > 0 && (e.undo || r.Met) {
			all = append(all, wants{r, ops})
		}
	}
	return all
}

// nothing tells why there is nothing to do.
func (e *editing) nothing(f *exempt.Finding) error {
	var by []string
	for _, r := range f.Rules {
		for _, p := range r.Others(e.path) {
			by = append(by, p+" of "+r.Origin.Ref.String())
		}
	}
	switch {
	case e.undo && len(by) > 0:
		return fmt.Errorf("nothing is written: %s is exempt by %s, which exempt has not written; edit that by hand", e.path, strings.Join(by, " and "))
	case e.undo:
		fmt.Fprintf(e.out, "%s is not exempt: there is nothing to undo in %s\n", e.path, list(f.Policies()))
	case len(by) > 0:
		fmt.Fprintf(e.out, "%s is exempt already, by %s\n", e.path, strings.Join(by, " and "))
	default:
		fmt.Fprintf(e.out, "%s is exempt already in %s\n", e.path, list(f.Policies()))
	}
	return nil
}

// edit makes the edits in the texts of files, each where it has an effect, and compiles
// what comes of it.
func (e *editing) edit(ctx context.Context, f *exempt.Finding, all []wants) ([]rewriting, *side, error) {
	src := e.src
	src.Edited = map[string][]byte{}
	var edits []rewriting
	var after *side
	for _, policy := range f.Policies() {
		of := slices.DeleteFunc(slices.Clone(all), func(w wants) bool { return w.rule.Origin.Ref != policy })
		if len(of) == 0 {
			continue
		}
		var err error
		if edits, after, err = e.policy(ctx, src, of, edits); err != nil {
			return nil, nil, err
		}
	}
	return edits, after, nil
}

// policy edits one policy, in the first of the files that may hold it where that has an
// effect.
func (e *editing) policy(ctx context.Context, src source.Options, of []wants, edits []rewriting) ([]rewriting, *side, error) {
	origin := of[0].rule.Origin
	var tried []string
	for _, at := range src.Holders(origin.Ref, origin.Origin) {
		w, err := openEdit(at.File, edits)
		if err == nil {
			x := e.exemption(of, at)
			w.after, err = x.Edit(w.after)
		}
		var made *side
		if err == nil {
			before := src.Edited[w.file]
			src.Edited[w.file] = w.after
			if made, err = compiled(ctx, src, e.compile); err == nil && !e.effective(made.Plan, origin.Ref) {
				err = errors.New("the edit has no effect there: something else writes the list")
			}
			if err != nil {
				restore(src.Edited, w.file, before)
			}
		}
		if err == nil {
			return keep(edits, w), made, nil
		}
		tried = append(tried, at.File+": "+err.Error())
	}
	return nil, nil, fmt.Errorf("nothing is written: %s cannot be edited where it stands.\n  %s\n%s", origin.Ref, strings.Join(tried, "\n  "), e.byHand(of))
}

// exemption is the edit of a policy's document at a place.
func (e *editing) exemption(of []wants, at object.Origin) *scaffold.Exemption {
	x := &scaffold.Exemption{Name: of[0].rule.Origin.Ref.Name, Line: at.Line, Undo: e.undo}
	for _, w := range of {
		for _, o := range w.operations {
			x.Operations = append(x.Operations, scaffold.Operation{Rule: ruleIndex(w.rule.Origin), To: o.To, Paths: o.Paths})
		}
	}
	return x
}

// ruleIndex is the number in "spec.rules[1]".
func ruleIndex(o plan.Origin) int {
	n := 0
	_, _ = fmt.Sscanf(o.Field, "spec.rules[%d]", &n)
	return n
}

// effective tells whether a policy leaves out the path now, or with undo does not.
func (e *editing) effective(p *plan.Plan, policy object.Ref) bool {
	found, err := exempt.Find(p, e.path)
	if err != nil {
		return false
	}
	for _, r := range found.Rules {
		if r.Origin.Ref != policy {
			continue
		}
		if e.undo && len(r.Undo(e.path)) > 0 || !e.undo && r.Met {
			return false
		}
	}
	return true
}

// byHand tells what to write where nothing can be edited.
func (e *editing) byHand(of []wants) string {
	var b strings.Builder
	for _, w := range of {
		for _, o := range w.operations {
			to, verb := "", "add to"
			if o.To >= 0 {
				to = fmt.Sprintf(".to[%d].operation.notPaths", o.To)
			} else {
				to = ".to: [{operation: {notPaths: [...]}}]"
			}
			if e.undo {
				verb = "take out of"
			}
			fmt.Fprintf(&b, "fix: %s %s%s of %s, where your kustomization or patch writes it: %s\n", verb, w.rule.Origin.Field, to, w.rule.Origin.Ref, strings.Join(o.Paths, ", "))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// tell prints what was proved.
func (e *editing) tell(f *exempt.Finding, p *exempt.Proof) {
	const most = 4
	verb := "no longer meets"
	if e.undo {
		verb = "meets again:"
	}
	fmt.Fprintf(e.out, "\n%s %s %s\n", e.path, verb, list(f.Policies()))
	for i, w := range p.Ways {
		if i == most {
			fmt.Fprintf(e.out, "  and %d more\n", len(p.Ways)-most)
			break
		}
		fmt.Fprintf(e.out, "  %s: %s -> %s\n", w.Request, &w.Before, &w.After)
	}
	if len(p.Public) > 0 {
		fmt.Fprintf(e.out, "public now, whether or not it has a login of its own: %s\n", strings.Join(p.Public, ", "))
	}
	if len(p.Forgeable) > 0 {
		fmt.Fprintf(e.out, "clients can fill %s there themselves: take them out of the route's requests (headers: {request: {remove: [%s]}}), or see that nobody believes them\n",
			strings.Join(p.Forgeable, ", "), strings.Join(p.Forgeable, ", "))
	}
	for _, w := range p.Still[:min(len(p.Still), most)] {
		fmt.Fprintf(e.out, "still refused: %s: %s, by %s\n", w.Request, w.After.Reason, w.After.By)
	}
	fmt.Fprintf(e.out, "nothing else changes: %s walked, before and after\n", count(p.Examples, "example request"))
}

// notRouted tells that nothing takes the path, and what is near.
func (e *editing) notRouted(p *plan.Plan) error {
	var have []string
	for _, l := range p.Listeners() {
		if l.Dialect != plan.Envoy {
			continue
		}
		for _, c := range l.Chains {
			for _, h := range c.Hosts {
				for _, r := range h.Routes {
					if lead, _ := r.Rule.Path.Lead(); len(lead) > 1 {
						have = append(have, strings.TrimSuffix(lead, "/"))
					}
				}
			}
		}
	}
	near := ""
	if name, ok := problem.Nearest(string(e.path), have); ok {
		near = "; did you mean " + name + "?"
	}
	return fmt.Errorf("nothing is routed at %s by a gateway of these manifests (with -f and -k, name those of the application too)%s", e.path, near)
}

// gateways are the listeners that a path comes to.
func gateways(f *exempt.Finding) []string {
	var all []string
	for _, q := range f.Requests {
		if s := q.String(); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all[:min(len(all), 3)]
}

func list(refs []object.Ref) string {
	all := make([]string, len(refs))
	for i, r := range refs {
		all[i] = r.String()
	}
	return strings.Join(all, " and ")
}

// openEdit is an edit of a file, on top of one that is made already.
func openEdit(file string, edits []rewriting) (rewriting, error) {
	for _, w := range edits {
		if w.file == file {
			return w, nil
		}
	}
	text, err := os.ReadFile(file)
	return rewriting{file, text, text}, err
}

// keep puts an edit in the place of one of the same file.
func keep(edits []rewriting, w rewriting) []rewriting {
	for i := range edits {
		if edits[i].file == w.file {
			edits = slices.Clone(edits)
			edits[i] = w
			return edits
		}
	}
	return append(edits, w)
}

func restore(edited map[string][]byte, file string, before []byte) {
	if before == nil {
		delete(edited, file)
		return
	}
	edited[file] = before
}
