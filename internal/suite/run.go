package suite

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/explain"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// Options say what is run.
type Options struct {
	// Source and Compile are added to what each file names.
	Source  source.Options
	Compile compile.Options
	// Run chooses tests by their names; nil takes all.
	Run *regexp.Regexp
	// Cover notes which rules the tests touch.
	Cover bool
	// Serve plays the tests over real sockets, too.
	Serve bool
}

// Report is what came of the tests.
type Report struct {
	Files []FileReport
	// Sets are the manifests that the files name, in the order of the files.
	Sets []*Set
	// Coverage is nil unless it was asked for.
	Coverage *Coverage
}

// FileReport is what came of the tests of a file.
type FileReport struct {
	*File
	Set     *Set // nil with Err
	Results []Result
	Took    time.Duration
	// Err says why nothing could be run: manifests that cannot be loaded.
	Err error
}

// Result is what came of a test.
type Result struct {
	*Test
	Outcome     scenario.Outcome
	Differences []scenario.Difference
	// Assumed is what was taken for granted of the caller.
	Assumed []string
	// Unplayed says why the test was only walked although all should be played; "" for
	// one that was.
	Unplayed string
}

// Failed counts the tests that failed.
func (f *FileReport) Failed() int {
	n := 0
	for i := range f.Results {
		if len(f.Results[i].Differences) > 0 {
			n++
		}
	}
	return n
}

// OnlyWalked counts the tests that should have been played, too.
func (f *FileReport) OnlyWalked() int {
	n := 0
	for i := range f.Results {
		if f.Results[i].Unplayed != "" {
			n++
		}
	}
	return n
}

// Run runs the tests of files. An error is told in the report of the file that has it.
func Run(ctx context.Context, files []*File, o Options) *Report {
	r := &Report{}
	if o.Cover {
		r.Coverage = &Coverage{rules: map[ruleKey]*Rule{}}
	}
	sets := map[string]*Set{}
	for _, f := range files {
		began := time.Now()
		fr := FileReport{File: f}
		key := f.key()
		set, known := sets[key]
		if !known {
			if set, fr.Err = load(ctx, f, o); fr.Err == nil {
				sets[key] = set
				r.Sets = append(r.Sets, set)
				if o.Cover {
					r.Coverage.addPlan(set.Plan)
				}
			}
		}
		if fr.Err == nil {
			fr.Set = set
			fr.Results = set.run(f, o.Run, r.Coverage)
		}
		fr.Took = time.Since(began)
		r.Files = append(r.Files, fr)
	}
	if o.Serve {
		r.serve(ctx)
	}
	for i := range r.Files {
		if f := &r.Files[i]; f.Set != nil {
			f.Set.point(f.Results)
		}
	}
	if o.Cover {
		r.Coverage.finish(o)
	}
	return r
}

// run walks the tests of a file.
func (s *Set) run(f *File, chosen *regexp.Regexp, cover *Coverage) []Result {
	var all []Result
	var out plan.Outcome
	for _, t := range f.Tests {
		if chosen == nil || chosen.MatchString(t.Name) {
			all = append(all, s.walk(t, cover, &out))
		}
	}
	return all
}

// walk runs a test.
func (s *Set) walk(t *Test, cover *Coverage, out *plan.Outcome) Result {
	if of, got, want := s.lacks(t); of != "" {
		return Result{Test: t, Differences: []scenario.Difference{{Line: t.Line, Of: of, Got: got, Want: want}}}
	}
	l := s.Plan.Listener(t.Via)
	req := t.sent()
	world, assumed := t.who().Dress(s.Plan, l, &req, caller.Options{Dice: t.Chance, Keys: s.tokens})
	var tr *plan.Trace
	if cover != nil {
		tr = &plan.Trace{Judged: cover.judged}
	}
	s.Plan.Walk(l, &req, world, tr, out)
	if cover != nil {
		cover.walked(out, tr)
	}
	o := scenario.Decided(&req, out)
	return Result{Test: t, Outcome: o, Differences: t.Compare(&o), Assumed: append(explain.Classes(out, s.Problems), assumed...)}
}

// lacks tells what the test needs that the manifests do not have: its listener, its API
// key.
func (s *Set) lacks(t *Test) (of, got, want string) {
	if s.Plan.Listener(t.Via) == nil {
		return "via", scenario.NoListener(s.Plan, t.Via), t.Via
	}
	if t.As == nil || t.As.APIKey == "" || slices.Contains(s.keys, t.As.APIKey) {
		return "", "", ""
	}
	got = "no such API key"
	if near, ok := problem.Nearest(t.As.APIKey, s.keys); ok {
		got += "; did you mean " + near + "?"
	}
	return "as", got, t.As.APIKey
}

// sent is the request as its client sends it.
func (t *Test) sent() match.Request {
	req := t.Sent()
	if t.Navigate {
		req.Header.Set("sec-fetch-mode", "navigate")
		req.Header.Set("accept", "text/html")
	}
	return req
}

// point puts the lines of fields in the place of those of objects, in what failed tests
// tell.
func (s *Set) point(results []Result) {
	var rules []*plan.Origin
	for i := range results {
		if by := results[i].Outcome.By; by != nil && by.Ref.Kind != "" && len(results[i].Differences) > 0 {
			rules = append(rules, by)
		}
	}
	lines := make(problem.List, len(rules))
	for i, o := range rules {
		lines[i] = problem.Problem{File: o.Origin.File, Line: o.Origin.Line, Field: o.Field}
	}
	s.Source.Point(lines)
	for i, o := range rules {
		o.Origin = object.Origin{File: o.Origin.File, Line: lines[i].Line}
	}
	for i := range results {
		for j := range results[i].Differences {
			if d := &results[i].Differences[j]; d.Of == "decidedBy" && d.Got != scenario.Nothing {
				d.Got = results[i].Outcome.By.String()
			}
		}
	}
}
