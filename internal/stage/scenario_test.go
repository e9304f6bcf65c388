package stage

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/server"
)

// TestScenariosOverSockets runs every scenario over real sockets: requests are
// written byte for byte, a stand-in notes what each endpoint gets. The outcomes must be
// the expected ones, and those of the walk alone in every header. Then every request is
// sent over HTTP/2 too.
func TestScenariosOverSockets(t *testing.T) {
	files, err := filepath.Glob("../scenario/testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	for _, file := range files {
		name, _ := filepath.Rel("../scenario/testdata", file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sc, err := scenario.Parse(file, data)
			if err != nil {
				t.Fatal(err)
			}
			walked, problems, err := sc.Run(t.Context())
			if err != nil {
				t.Fatalf("%v\n%v", err, problems)
			}
			st := start(t, sc)
			tokens := jwt.New(jwt.Options{Offline: true})
			for i := range sc.Requests {
				r := &sc.Requests[i]
				st.In(scenario.World{Dice: r.Chance, Tokens: tokens})
				t.Run(fmt.Sprintf("line %d", r.Line), func(t *testing.T) {
					for _, d := range st.Play(r, &walked[i]) {
						t.Error(d)
					}
				})
			}
		})
	}
}

// start starts a scenario's server.
func start(t *testing.T, sc *scenario.Scenario) *Stage {
	t.Helper()
	authorizers := map[string]http.Handler{} // by address
	n := 0
	o := Options{
		Manifests: server.Manifests{Source: sc.Source(), Compile: sc.Options(func(u scenario.Up) string {
			n++
			address := fmt.Sprintf("192.0.2.%d:80", n)
			for i := range sc.Authorizers {
				if a := &sc.Authorizers[i]; a.Namespace == u.Namespace && a.Service == u.Service && a.Port == u.Port {
					authorizers[address] = authorizer{a}
				}
			}
			return address
		})},
		Handler: func(address string) http.Handler { return authorizers[address] },
	}
	for _, r := range sc.Requests {
		o.Via = append(o.Via, r.Via)
	}
	st, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// authorizer answers as the scenario says.
type authorizer struct{ *scenario.Authorizer }

func (a authorizer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	reply := a.Answer(r.RequestURI, fieldsOf(r.Header), len(body))
	writeReply(w, reply.Status, reply.Header, reply.Text)
}

func writeReply(w http.ResponseWriter, status int, f header.Fields, text string) {
	w.Header()["Content-Type"] = nil // none is guessed
	for _, f := range f {
		w.Header()[http.CanonicalHeaderKey(f.Name)] = append(w.Header()[http.CanonicalHeaderKey(f.Name)], f.Value)
	}
	w.WriteHeader(status)
	io.WriteString(w, text)
}
