package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/scenario"
)

// What explain tells is what is enforced: on every scenario of the repository, which
// package server runs over sockets as well.
func TestExplanationsAreWhatIsEnforced(t *testing.T) {
	files, _ := filepath.Glob("../scenario/testdata/*/*.txtar")
	if len(files) < 100 {
		t.Fatalf("there are %d scenarios", len(files))
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s, err := scenario.Parse(f, data)
			if err != nil {
				t.Fatal(err)
			}
			enforced, _, err := s.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, problems, err := s.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Requests {
				compare(t, Ground{Plan: p, Problems: problems, Source: s.Source()}, s, i, &enforced[i])
			}
		})
	}
}

func compare(t *testing.T, g Ground, s *scenario.Scenario, i int, enforced *scenario.Outcome) {
	t.Helper()
	r := &s.Requests[i]
	req := r.Sent()
	nobody, err := caller.New(caller.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	x := asking{ground: g, who: nobody,
		world: s.World(r, jwt.New(jwt.Options{Offline: true})), req: &req, sni: req.SNI}
	told := x.walk(g.Plan.Listener(r.Via))
	line := fmt.Sprintf("line %d", r.Line)

	if told.Reason != enforced.Reason {
		t.Errorf("%s: the reason is %q, and %q is enforced", line, told.Reason, enforced.Reason)
	}
	switch f, a := told.Forward, told.Answer; {
	case f != nil && a != nil || f == nil && a == nil:
		t.Fatalf("%s: forward is %v, and answer %v", line, f, a)
	case f != nil:
		if f.Backend != enforced.Backend || f.Method != enforced.Method || f.Target != enforced.Target || f.Host != enforced.Host || !reflect.DeepEqual(fieldsOf(f.Headers), enforced.Got) {
			t.Errorf("%s: told %+v, enforced %+v", line, f, enforced)
		}
		if !told.Served || told.Outcome != "served" || len(told.Fixes) > 0 {
			t.Errorf("%s: it is forwarded, and told to be %s, with %v", line, told.Outcome, told.Fixes)
		}
	default:
		if enforced.Backend != "" || a.Status != enforced.Status || a.Body != enforced.Body || !reflect.DeepEqual(fieldsOf(a.Headers), enforced.Answer) {
			t.Errorf("%s: told %+v, enforced %+v", line, a, enforced)
		}
		if told.Served != (told.Outcome == "served" || told.Outcome == "redirected") || told.Served && a.Status >= 400 {
			t.Errorf("%s: %d is told to be %s", line, a.Status, told.Outcome)
		}
	}
	for _, f := range told.Fixes {
		if f.What == "" || f.Proven && f.YAML == "" {
			t.Errorf("%s: an edit that says nothing: %+v", line, f)
		}
	}
}

func fieldsOf(shown []Field) (f header.Fields) {
	for _, x := range shown {
		f.Add(x.Name, x.Value)
	}
	return f
}
