package plan

import (
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// Trace records the steps of a walk. A nil Trace records nothing and costs
// nothing.
type Trace struct {
	Steps []Step `json:"steps"`
	// Judged, if set, is told of each rule of a policy that the walk looks at, with the
	// request as it is then, and whether the rule matches.
	Judged func(rule *PolicyRule, r *match.Request, matches bool) `json:"-"`
	hop    int
}

// Step is one thing that the walk looked at.
type Step struct {
	Hop     int    `json:"hop"` // from 0
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Origin  string `json:"origin,omitempty"`
	OK      bool   `json:"ok"` // it matched, passed or was done
	Why     string `json:"why,omitempty"`
}

func (t *Trace) add(kind, subject string, origin Origin, ok bool, why string) {
	s := Step{Hop: t.hop, Kind: kind, Subject: subject, OK: ok, Why: why}
	if origin.Ref.Kind != "" {
		s.Origin = origin.String()
	}
	t.Steps = append(t.Steps, s)
}

// String prints the steps for a terminal, one a line, indented by hop.
func (t *Trace) String() string {
	var b strings.Builder
	for _, s := range t.Steps {
		b.WriteString(strings.Repeat("  ", s.Hop))
		mark := "- "
		if s.OK {
			mark = "+ "
		}
		b.WriteString(mark + s.Kind + " " + s.Subject)
		if s.Why != "" {
			b.WriteString(": " + s.Why)
		}
		if s.Origin != "" {
			b.WriteString("  [" + s.Origin + "]")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
