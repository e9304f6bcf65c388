package server

import (
	"context"
	"time"

	"github.com/doorward/doorward/internal/check"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// Manifests say what is served: where the objects are, and what the command
// line adds to them.
type Manifests struct {
	Source  source.Options
	Compile compile.Options
	// Suppress leaves out problems, beside those that annotations do.
	Suppress []check.Suppression
	// Partial says that the manifests may be part of a whole (check.Partial).
	Partial bool
}

// Compiled is what manifests have become.
type Compiled struct {
	Plan     *plan.Plan
	Problems problem.List
	Objects  int // that were read
}

// Load reads, compiles and checks the manifests. The error is that of source.Load, for
// a load that fails as a whole; the problems come with it, and no plan.
func (m Manifests) Load(ctx context.Context) (Compiled, error) {
	set, problems, err := source.Load(ctx, m.Source)
	if err != nil {
		return Compiled{Problems: problems}, err
	}
	if m.Compile.Now.IsZero() {
		m.Compile.Now = time.Now()
	}
	p, more := compile.Compile(set, m.Compile)
	more = append(more, check.Run(set, p)...)
	check.Locate(more, set, p)
	m.Source.Point(more)
	if m.Partial {
		more = check.Partial(more, set)
	}
	problems = check.Suppress(append(problems, more...), set, m.Suppress)
	problems.Sort()
	return Compiled{Plan: p, Problems: problems, Objects: set.Len()}, nil
}
