package check

import (
	"testing"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// The example platform is as it should be: a warning about it is a false alarm.
func TestNoFalseAlarm(t *testing.T) {
	set, problems, err := source.Load(t.Context(), source.Options{Kustomizations: []string{"../../examples/paas"}})
	if err != nil {
		t.Fatal(err)
	}
	p, more := compile.Compile(set, compile.Options{})
	problems = append(append(problems, more...), Run(set, p)...)
	if loud := problems.Least(problem.Warning); len(loud) > 0 {
		t.Error(loud)
	}
}
