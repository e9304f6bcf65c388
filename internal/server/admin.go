package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/problem"
)

// serveAdmin serves the admin pages, if there is a socket for them.
func (s *Server) serveAdmin() {
	for _, socket := range s.sockets {
		if socket.key != "" {
			continue
		}
		s.admin = &http.Server{
			Handler:           s.adminPages(socket.Addr()),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       10 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		}
		s.work.Go(func() {
			if err := s.admin.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
				s.fail(fmt.Errorf("serve admin pages: %w", err))
			}
		})
		s.log.Info("listening", "as", "admin", "address", socket.Addr().String())
	}
}

const adminIndex = `doorward
/healthz   200 while the process lives
/readyz    200 while the first plan or a later one serves; 503 before, and while draining
/metrics   for Prometheus
/problems  what is wrong with the manifests (JSON)
/plan      what is served: listeners, hosts and routes in their final order (JSON)
/explain   what becomes of a request: POST a question, as doorward explain --admin does (JSON; this machine only)
`

// adminPages are the pages of the admin socket bound to address. They can only
// be read (a question at /explain changes nothing), and by no page of another site: there is no CORS, and on loopback
// the Host must be one of this machine, so that no name can be rebound to it.
func (s *Server) adminPages(address net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, adminIndex) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("/readyz", s.readyPage)
	mux.Handle("/metrics", s.metricsPage())
	mux.HandleFunc("/problems", s.problemsPage)
	mux.HandleFunc("/plan", s.planPage)
	mux.Handle("/explain", forLoopback(http.HandlerFunc(s.explainPage)))
	if isLoopback(address) {
		mux.Handle("/debug/pprof/", forLoopback(http.HandlerFunc(pprof.Index)))
		mux.Handle("/debug/pprof/cmdline", forLoopback(http.HandlerFunc(pprof.Cmdline)))
		mux.Handle("/debug/pprof/profile", forLoopback(http.HandlerFunc(pprof.Profile)))
		mux.Handle("/debug/pprof/symbol", forLoopback(http.HandlerFunc(pprof.Symbol)))
		mux.Handle("/debug/pprof/trace", forLoopback(http.HandlerFunc(pprof.Trace)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		switch local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr); {
		case r.URL.Path == "/explain" && r.Method == http.MethodPost && ownName(r.Host):
			mux.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the admin pages can only be read", http.StatusMethodNotAllowed)
		case isLoopback(local) && !ownName(r.Host):
			http.Error(w, "the Host is no name of this machine; use localhost or the address", http.StatusMisdirectedRequest)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// ownName tells whether a Host header names this machine for sure: an address,
// or localhost. Any other name could be made to lead here by whoever owns it.
func ownName(host string) bool {
	name := match.HostName(host)
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// forLoopback hides a page from clients that are not on this machine.
func forLoopback(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().Unmap().IsLoopback() {
			http.NotFound(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

func (s *Server) readyPage(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}

// problemsPage tells the problems of the plan in force and those that came up
// while it serves, in the form of check -o json, and why the last load failed,
// if it did.
func (s *Server) problemsPage(w http.ResponseWriter, _ *http.Request) {
	st := s.status.Load()
	page := struct {
		Findings []problem.Problem `json:"findings"`
		Error    string            `json:"error,omitempty"`
	}{Findings: slices.Concat(st.problems, s.unfetched(), s.undiscovered())}
	if page.Findings == nil {
		page.Findings = []problem.Problem{}
	}
	if st.err != nil {
		page.Error = st.err.Error()
	}
	writeJSON(w, page)
}

func (s *Server) planPage(w http.ResponseWriter, _ *http.Request) {
	p := s.plan.Load()
	if p == nil {
		http.Error(w, "no plan is in force", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, viewPlan(p))
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client has gone
}
