package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/source"
)

// status is what the last load has come to. It never changes.
type status struct {
	problems problem.List // of the plan in force
	size     size
	since    time.Time // when the plan in force was
	err      error     // of the last load, if it failed
}

// Reload loads the manifests and puts their plan in force. When the load fails
// as a whole the plan in force stays, and the error is returned, logged, and
// told at /problems.
func (s *Server) Reload(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	began := time.Now()
	loaded, err := s.o.Load(ctx)
	if err != nil {
		s.loads.bad.Add(1)
		s.tell(loaded.Problems)
		failed := *s.status.Load()
		failed.err = err
		if s.plan.Load() == nil {
			failed.problems = loaded.Problems
		} else {
			s.log.Error("the manifests cannot be loaded; the plan in force stays", "error", err)
		}
		s.status.Store(&failed)
		return err
	}
	loaded.Problems = append(loaded.Problems, s.unserved(loaded.Plan)...)
	loaded.Problems.Sort()
	s.upstreams.Sync(loaded.Plan)
	s.tokens.Sync(loaded.Plan)
	if s.o.World == nil { // a world of its own has logins of its own
		s.logins.Sync(loaded.Plan.Logins())
	}
	s.plan.Store(loaded.Plan)
	s.loads.good.Add(1)
	st := &status{problems: loaded.Problems, size: sizeOf(loaded.Plan), since: time.Now()}
	s.status.Store(st)
	s.log.Info(st.String(), "took", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// tell logs the mistakes for which a load may have failed.
func (s *Server) tell(l problem.List) {
	for i, p := range l {
		if i == 10 {
			s.log.Error("there are more problems; doorward check prints them all", "left", len(l)-i)
			return
		}
		s.log.Error(p.Message, "severity", p.Severity, "code", p.Code, "object", p.Object, "place", p.Place())
	}
}

// watch reloads after each change of files, until ctx ends.
func (s *Server) watch(ctx context.Context, w *source.Watcher) {
	err := w.Run(ctx, func() {
		_ = s.Reload(ctx) // it tells of its failures
		debug.FreeOSMemory()
	})
	if err != nil {
		s.log.Error("files are no longer watched; SIGHUP reloads them", "error", err)
	}
}

// unserved reports the direct listeners of the command line that the plan does
// not have.
func (s *Server) unserved(p *plan.Plan) problem.List {
	var have []string
	for _, l := range p.Listeners() {
		if l.Dialect == plan.Envoy || l.Dialect == plan.Service {
			have = append(have, l.Key)
		}
	}
	var l problem.List
	for _, d := range s.o.Direct {
		if p.Listener(d.Key) != nil {
			continue
		}
		x := problem.New(problem.ListenNotServed)
		x.Object = "Service " + d.Key[:strings.LastIndexByte(d.Key, ':')]
		x.Message = "no Gateway serves " + d.Key + ", and no workload with a sidecar is behind it, so the listener on " + d.Address + " has nothing to answer with; there is " + orNone(have)
		if near, ok := problem.Nearest(d.Key, have); ok {
			x.Message += "; did you mean " + near + "?"
		}
		x.Remedy = "name a Service port that a Gateway serves, or that of a workload with a sidecar"
		l = append(l, x)
	}
	return l
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no gateway"
	}
	return strings.Join(names, ", ")
}

// size is how much a plan has.
type size struct{ listeners, hosts, routes, backends int }

func sizeOf(p *plan.Plan) size {
	n := size{listeners: len(p.Listeners()), backends: len(p.Backends())}
	for _, l := range p.Listeners() {
		for _, c := range l.Chains {
			n.hosts += len(c.Hosts)
			for _, h := range c.Hosts {
				n.routes += len(h.Routes)
			}
		}
	}
	return n
}

// String is one line: "serving 14 hosts, 61 routes; 3 problems (see /problems)".
func (st *status) String() string {
	text := fmt.Sprintf("serving %s, %s", count(st.size.hosts, "host"), count(st.size.routes, "route"))
	switch n := len(st.problems) - st.problems.Count(problem.Info); {
	case n > 0:
		text += "; " + count(n, "problem") + " (see /problems)"
	default:
		text += "; no problem"
	}
	return text
}

// count is "1 host", "2 hosts".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
