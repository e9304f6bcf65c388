// Package suite holds the tests that users write for their manifests: YAML files beside
// them that say which request, of whom, should come to what.
//
//	file ─ read ─▶ File ─┐
//	                     ├─ Run ─▶ Report     walks of one plan for each set of manifests
//	manifests ─ compile ─┘                    no connection is opened
//
// A test is a scenario.Request, and is judged as those are. docs/testing.md is the
// manual.
package suite

import (
	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/scenario"
)

// File is a test file, read.
type File struct {
	Name string
	// Manifests and Kustomizations are paths from the working directory on.
	Manifests, Kustomizations []string
	// Classes are ingress classes that need no IngressClass object.
	Classes []string
	// Endpoints are ready although the manifests bring none.
	Endpoints []scenario.Up
	Callers   map[string]*Caller
	Tests     []*Test
}

// Caller is somebody who asks.
type Caller struct {
	Name string
	Line int
	caller.Spec
	who *caller.Caller
}

// Test is one request and what is expected of it.
type Test struct {
	scenario.Request
	Name string
	URL  string  // as written
	As   *Caller // nil: nobody has logged in
	// Navigate says that a browser opens a page.
	Navigate bool
}
