// Package archtest holds the rooms of ARCHITECTURE.md to their doors: which package may
// import which. It has no code of its own, only this test over go list.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/doorward/doorward/"

// A room is a package with all packages below it. It may import the rooms it names.
type room struct {
	imports []string
	pure    bool // no sockets, files, processes or logs, and nothing from outside but API types
}

// rooms is the table of ARCHITECTURE.md. A new package gets its line in both.
func rooms() map[string]room {
	all := []string{"api", "internal/apikey", "internal/header", "internal/problem", "internal/object", "internal/match", "internal/plan",
		"internal/compile", "internal/check", "internal/scenario", "internal/scaffold", "internal/source",
		"internal/http1", "internal/proxy", "internal/upstream", "internal/jwt", "internal/login", "internal/extauthz",
		"internal/pki", "internal/mesh", "internal/kube", "internal/telemetry", "internal/dashboard", "internal/statefile", "internal/meter", "internal/htpasswd"}
	return map[string]room{
		"api":                {pure: true},
		"cmd/doorward":       {imports: []string{"internal/cli"}},
		"examples":           {},
		"hack/bench":         {},
		"internal/demo":      {},
		"internal/archtest":  {},
		"internal/peer":      {},
		"internal/devidp":    {imports: []string{"internal/statefile"}},
		"internal/cli":       {imports: append([]string{"examples", "internal/witness", "internal/diff", "internal/probe", "internal/exempt", "internal/demo", "internal/devidp", "internal/server", "internal/caller", "internal/explain", "internal/stage", "internal/suite"}, all...)},
		"internal/server":    {imports: all},
		"internal/header":    {pure: true},
		"internal/problem":   {pure: true},
		"internal/apikey":    {pure: true},
		"internal/object":    {pure: true, imports: []string{"api"}},
		"internal/match":     {pure: true, imports: []string{"internal/header"}},
		"internal/plan":      {pure: true, imports: []string{"internal/apikey", "internal/match", "internal/object", "internal/header"}},
		"internal/compile":   {pure: true, imports: []string{"api", "internal/apikey", "internal/object", "internal/problem", "internal/match", "internal/plan", "internal/header"}},
		"internal/check":     {pure: true, imports: []string{"internal/object", "internal/compile", "internal/problem", "internal/match", "internal/plan", "internal/witness", "internal/header"}},
		"internal/witness":   {pure: true, imports: []string{"internal/match", "internal/plan", "internal/header"}}, // for tools alone, as caller
		"internal/diff":      {pure: true, imports: []string{"internal/object", "internal/match", "internal/plan", "internal/witness", "internal/header"}},
		"internal/exempt":    {pure: true, imports: []string{"internal/object", "internal/match", "internal/plan", "internal/witness", "internal/diff"}},
		"internal/probe":     {imports: []string{"internal/match", "internal/plan", "internal/object", "internal/problem", "internal/caller"}},
		"internal/source":    {imports: []string{"api", "internal/object", "internal/problem"}},
		"internal/scenario":  {imports: []string{"internal/object", "internal/compile", "internal/plan", "internal/match", "internal/problem", "internal/source", "internal/header", "internal/jwt", "internal/htpasswd"}},
		"internal/stage":     {imports: []string{"internal/server", "internal/scenario", "internal/plan", "internal/match", "internal/header", "internal/pki"}},
		"internal/suite":     {imports: []string{"internal/object", "internal/compile", "internal/plan", "internal/match", "internal/problem", "internal/source", "internal/header", "internal/http1", "internal/jwt", "internal/scenario", "internal/caller", "internal/explain", "internal/apikey", "internal/server", "internal/stage", "internal/witness"}},
		"internal/caller":    {imports: []string{"internal/apikey", "internal/plan", "internal/match", "internal/header", "internal/jwt", "internal/htpasswd"}}, // for tools alone: nobody may say in a request who they are
		"internal/explain":   {imports: []string{"internal/caller", "internal/scenario", "internal/source", "internal/object", "internal/problem", "internal/plan", "internal/match", "internal/header", "internal/http1"}},
		"internal/scaffold":  {imports: []string{"api", "internal/object", "internal/plan"}},
		"internal/http1":     {imports: []string{"internal/header"}},
		"internal/proxy":     {imports: []string{"internal/plan", "internal/match", "internal/http1", "internal/upstream", "internal/login", "internal/telemetry", "internal/header", "internal/object"}},
		"internal/upstream":  {imports: []string{"internal/plan", "internal/object", "internal/http1", "internal/header"}},
		"internal/jwt":       {imports: []string{"internal/plan", "internal/match", "internal/statefile"}},
		"internal/login":     {imports: []string{"internal/plan", "internal/match", "internal/header", "internal/statefile"}},
		"internal/extauthz":  {imports: []string{"internal/plan", "internal/match", "internal/header", "internal/http1", "internal/upstream"}},
		"internal/pki":       {imports: []string{"internal/statefile"}},
		"internal/statefile": {},
		"internal/meter":     {},
		"internal/htpasswd":  {},
		"internal/mesh":      {imports: []string{"internal/object", "internal/plan", "internal/pki"}},
		"internal/kube":      {imports: []string{"internal/object", "internal/problem"}},
		"internal/telemetry": {imports: []string{"internal/apikey", "internal/plan", "internal/object"}},
		"internal/dashboard": {imports: []string{"internal/object", "internal/plan", "internal/problem", "internal/telemetry", "internal/match"}},
	}
}

// effects are the standard library's doors to the world. What is pure has none of them: it
// answers the same for the same input, so that what explain shows is what the server does.
var effects = []string{"log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "os/signal", "syscall"}

// apis are the published types of the manifests, the only modules that pure rooms may use.
var apis = []string{"k8s.io/api/", "k8s.io/apimachinery/", "istio.io/", "google.golang.org/protobuf/", "sigs.k8s.io/gateway-api/"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsStayWithinTheTable(t *testing.T) {
	touchSources(t)
	table := rooms()
	for _, p := range list(t, "./...") {
		at := roomOf(p.ImportPath, table)
		if at == "" {
			t.Errorf("%s is in no room: add it to the table in ARCHITECTURE.md and to rooms() in this test, with what it may import", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if why := refuse(at, imported, table); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
}

func TestTableHasNoCycleAndNoUnknownRoom(t *testing.T) {
	table := rooms()
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if slices.Contains(path, name) {
			t.Fatalf("rooms import each other in a circle: %s", strings.Join(append(path, name), " -> "))
		}
		for _, next := range table[name].imports {
			if _, ok := table[next]; !ok {
				t.Fatalf("%s may import %s, which is no room", name, next)
			}
			if table[name].pure && !table[next].pure {
				t.Errorf("%s is pure and may import %s, which is not", name, next)
			}
			visit(next, append(path, name))
		}
	}
	for name := range table {
		visit(name, nil)
	}
}

func TestRefuse(t *testing.T) {
	table := rooms()
	for _, c := range []struct {
		from, imported string
		allowed        bool
	}{
		{"internal/plan", module + "internal/match", true},
		{"internal/plan", module + "internal/plan/sub", true},
		{"internal/login", module + "internal/plan", true},
		{"internal/plan", "strings", true},
		{"internal/object", "k8s.io/api/core/v1", true},
		{"internal/proxy", "net", true},
		{"internal/server", module + "internal/http1", true},
		{"internal/server", module + "internal/caller", false},
		{"internal/server", module + "internal/explain", false},
		{"internal/server", module + "internal/suite", false}, // which imports it
		{"internal/proxy", module + "internal/caller", false},
		{"internal/telemetry", module + "internal/http1", false},
		{"internal/match", module + "internal/plan", false},
		{"internal/compile", "net/http", false},
		{"internal/plan", "github.com/prometheus/client_golang/prometheus", false},
		{"internal/header", "k8s.io/client-go/kubernetes", false},
	} {
		if why := refuse(c.from, c.imported, table); (why == "") != c.allowed {
			t.Errorf("%s importing %s: got %q, want allowed: %v", c.from, c.imported, why, c.allowed)
		}
	}
}

// refuse says why the room at must not import the package, or nothing if it may.
func refuse(at, imported string, table map[string]room) string {
	r := table[at]
	if strings.HasPrefix(imported, module) {
		to := roomOf(imported, table)
		if to == at || slices.Contains(r.imports, to) {
			return ""
		}
		return at + " may import only " + strings.Join(append([]string{"itself"}, r.imports...), ", ")
	}
	if !r.pure {
		return ""
	}
	if slices.Contains(effects, imported) {
		return at + " is pure: it may not reach the world"
	}
	outside := strings.Contains(strings.Split(imported, "/")[0], ".")
	if outside && !slices.ContainsFunc(apis, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }) {
		return at + " is pure: of other modules it may import only published API types"
	}
	return ""
}

// roomOf finds the room of a package: itself, or the nearest folder above that is one.
func roomOf(importPath string, table map[string]room) string {
	name := strings.TrimPrefix(importPath, module)
	for {
		if _, ok := table[name]; ok {
			return name
		}
		cut := strings.LastIndexByte(name, '/')
		if cut < 0 {
			return ""
		}
		name = name[:cut]
	}
}

// touchSources looks at every source file. go test reuses an old result while the files that the
// test itself looked at stay the same, and those that go list reads do not count.
func touchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".go") {
			_, err = os.Stat(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// list returns the module's packages; test files and their imports are not part of it.
func list(t *testing.T, pattern string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", pattern)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pattern, err, stderr.String())
	}
	var packages []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list %s: %v", pattern, err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 5 {
		t.Fatalf("go list %s found %d packages: is it run in the module?", pattern, len(packages))
	}
	return packages
}
