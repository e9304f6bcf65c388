package stage

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/scenario"
)

// Play sends a request over HTTP/1.1 and then over HTTP/2. It tells everything that is
// not as the request wants it and, of the first, everything that is not as the walk
// said, every header included.
func (st *Stage) Play(r *scenario.Request, walked *scenario.Outcome) []scenario.Difference {
	got, err := st.send(r, protocol{"http/1.1", exchange1})
	if strings.HasPrefix(walked.Reason, "no server of ") {
		// Between layers this is the outer layer's answer; a client sees the connection fail.
		if err == nil && (got.Backend != "" || got.Status < 400) {
			return []scenario.Difference{{Line: r.Line, Of: "connection that no server takes", Got: got.String(), Want: scenario.Nothing}}
		}
		return nil
	}
	if walked.Closed {
		return st.closed(r, got, err)
	}
	if err != nil {
		return []scenario.Difference{{Line: r.Line, Of: "exchange over HTTP/1.1", Got: err.Error(), Want: walked.String()}}
	}
	bad := st.compare(r, got, walked)
	bad = append(bad, differ(r.Line, got, walked)...)
	if got, err = st.send(r, protocol{"h2", exchange2}); err != nil {
		return append(bad, scenario.Difference{Line: r.Line, Of: "exchange over HTTP/2", Got: err.Error(), Want: walked.String()})
	}
	for _, d := range st.compare(r, got, walked) {
		d.Of += " over HTTP/2"
		bad = append(bad, d)
	}
	return bad
}

// closed tells whether the connection ended without an answer: got and err are what
// came of the request over HTTP/1.1.
func (st *Stage) closed(r *scenario.Request, got *scenario.Outcome, err error) (bad []scenario.Difference) {
	for _, over := range []string{"HTTP/1.1", "HTTP/2"} {
		if over == "HTTP/2" {
			got, err = st.send(r, protocol{"h2", exchange2})
		}
		if err == nil {
			bad = append(bad, scenario.Difference{Line: r.Line, Of: "connection over " + over, Got: got.String(), Want: "closed"})
		}
	}
	return bad
}

// compare compares an outcome over sockets with the expected one.
func (st *Stage) compare(r *scenario.Request, got, walked *scenario.Outcome) []scenario.Difference {
	if got.Backend != "" {
		got.Backend = st.backendName(got.Backend, walked.Backend)
	}
	return r.Compare(got)
}

// differ compares an outcome over sockets with that of the walk.
func differ(line int, socket, walked *scenario.Outcome) (bad []scenario.Difference) {
	add := func(of, got, want string) {
		if got != want {
			bad = append(bad, scenario.Difference{Line: line, Of: of + " over sockets", Got: got, Want: want + " as by the walk"})
		}
	}
	add("outcome", socket.String(), walked.String())
	add("Host of the upstream", socket.Host, walked.Host)
	add("body", socket.Body, walked.Body)
	for _, side := range []struct {
		of           string
		socket, walk header.Fields
	}{{"header", socket.Got, walked.Got}, {"answer's header", socket.Answer, walked.Answer}} {
		for _, name := range names(append(side.socket.Clone(), side.walk...)) {
			add(side.of+" "+name, valueOf(side.socket, name), valueOf(side.walk, name))
		}
	}
	return bad
}

// framing are the fields that belong to a connection or to the moment, which a walk
// knows nothing of.
var framing = [...]string{"connection", "content-length", "transfer-encoding", "date"}

func valueOf(f header.Fields, name string) string {
	v, ok := f.Joined(name, ",")
	switch {
	case !ok:
		return scenario.Nothing
	case name == "x-envoy-upstream-service-time":
		return "(some)"
	}
	return v
}

// names are those of the fields that are compared, sorted.
func names(f header.Fields) []string {
	var all []string
	for i := range f {
		if !slices.Contains(framing[:], f[i].Name) {
			all = append(all, f[i].Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
