package server

import (
	"mime"
	"net/http"
)

// maxQuestion bounds a question at /explain in bytes.
const maxQuestion = 64 << 10

// explainPage answers questions about requests by the plan in force, one at a time, so
// that whoever asks much takes no more than one core. A page of another site cannot
// ask: browsers ask first whether they may send JSON there, and are told no.
func (s *Server) explainPage(w http.ResponseWriter, r *http.Request) {
	p := s.plan.Load()
	form, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		http.Error(w, "a question is sent by POST", http.StatusMethodNotAllowed)
		return
	case s.o.Explain == nil || p == nil:
		http.Error(w, "there is no plan to ask about", http.StatusServiceUnavailable)
		return
	case form != "application/json":
		http.Error(w, "a question is JSON; send it with Content-Type: application/json", http.StatusUnsupportedMediaType)
		return
	}
	s.explaining.Lock()
	defer s.explaining.Unlock()
	answer, err := s.o.Explain(Asked{Plan: p, Problems: s.status.Load().problems, Source: s.o.Source, Keys: s.tokens},
		http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, answer)
}
