package server

import (
	"time"

	"github.com/doorward/doorward/internal/problem"
)

// unfetched are the key sets that cannot be fetched, as problems. Where earlier
// keys are in use nobody is refused for it yet.
func (s *Server) unfetched() problem.List {
	var l problem.List
	for _, f := range s.tokens.Failures() {
		p := problem.New(problem.JWKSUnreachable)
		p.Object, p.File, p.Line, p.Field = f.Origin.Ref.String(), f.Origin.Origin.File, f.Origin.Origin.Line, f.Origin.Field
		p.Message = "the keys of issuer " + f.Issuer + " cannot be had: " + f.Err.Error()
		if !f.Since.IsZero() {
			p.Message += "; so since " + f.Since.UTC().Format(time.RFC3339)
		}
		p.Remedy = "see that the issuer can be reached from here, or write jwks into the rule"
		if f.Kept {
			p.Severity = problem.Warning
			p.Message += "; the keys fetched before are used"
		}
		l = append(l, p)
	}
	return l
}
