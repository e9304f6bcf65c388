package scenario

import (
	"os"
	"path/filepath"
	"testing"
)

// TestScenariosByTheWalk runs every scenario by the walk alone; package stage
// runs the same files over sockets.
func TestScenariosByTheWalk(t *testing.T) {
	files, _ := filepath.Glob("testdata/*/*.txtar")
	if len(files) == 0 {
		t.Fatal("there are no scenarios in testdata")
	}
	for _, f := range files {
		t.Run(f, func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(f, data)
			if err != nil {
				t.Fatal(err)
			}
			outcomes, problems, err := s.Run(t.Context())
			if err != nil {
				t.Fatalf("%v\n%v", err, problems)
			}
			for i := range s.Requests {
				for _, bad := range s.Requests[i].Compare(&outcomes[i]) {
					t.Errorf("%s %s: %s\n\treason: %s", s.Requests[i].Method, s.Requests[i].Target, bad, outcomes[i].Reason)
				}
			}
		})
	}
}
