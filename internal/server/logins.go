package server

import "github.com/doorward/doorward/internal/problem"

// undiscovered are the login providers that cannot be discovered, as problems. Where one
// was discovered before nobody is refused for it yet.
func (s *Server) undiscovered() problem.List {
	var l problem.List
	for _, f := range s.logins.Failures() {
		p := problem.New(problem.LoginProviderUnreachable)
		p.Object, p.File, p.Line, p.Field = f.Origin.Ref.String(), f.Origin.Origin.File, f.Origin.Origin.Line, "spec.issuer"
		p.Message = "the issuer " + f.Issuer + " cannot be discovered, so nobody new can log in: " + f.Why
		p.Remedy = "see that the issuer can be reached from here, under the very name that its tokens have"
		if f.Known {
			p.Severity = problem.Warning
			p.Message = "the issuer " + f.Issuer + " cannot be discovered again; what was found before is used: " + f.Why
		}
		l = append(l, p)
	}
	return l
}
