package suite

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// maxFile bounds a test file, in bytes.
const maxFile = 16 << 20

// Read reads the test file called name. Its error has a line for each mistake, which
// begins with FILE:LINE.
func Read(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: a test file has %d MiB at most", name, maxFile>>20)
	}
	return Parse(name, data)
}

// ReadAll reads test files. Its error has the mistakes of all of them.
func ReadAll(names []string) (files []*File, err error) {
	var wrong []error
	for _, name := range names {
		f, err := Read(name)
		files, wrong = append(files, f), append(wrong, err)
	}
	return files, errors.Join(wrong...)
}

// Parse reads a test file. Paths in it are relative to name's directory.
func Parse(name string, data []byte) (*File, error) {
	root, err := source.OneDocument(name, data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, fmt.Errorf("%s: the file is empty; %s", name, anExample)
	}
	r := &reader{file: name}
	f := &File{Name: name, Callers: map[string]*Caller{}}
	var tests *yaml.Node // read last: callers may stand below them
	r.mapping(root, "the file", r.fileFields(f, &tests))
	if tests != nil {
		r.list(tests, "tests", func(n *yaml.Node) { r.test(f, n) })
	}
	if len(f.Tests) == 0 && len(r.mistakes) == 0 {
		r.wrong(root, "the file has no tests; %s", anExample)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return f, nil
}

const anExample = `write "tests: [{name: ..., request: GET https://app.example.com/, expect: {status: 200}}]"`

// fileFields are the fields of a file.
func (r *reader) fileFields(f *File, tests **yaml.Node) []field {
	return []field{
		{"manifests", func(n *yaml.Node) {
			r.list(n, "manifests", func(n *yaml.Node) { r.manifest(f, n) })
		}},
		{"ingressClasses", func(n *yaml.Node) { f.Classes = r.texts(n, "ingressClasses") }},
		{"endpoints", func(n *yaml.Node) {
			r.list(n, "endpoints", func(n *yaml.Node) { r.endpoint(f, n) })
		}},
		{"callers", func(n *yaml.Node) {
			r.entries(n, "callers", func(key, value *yaml.Node) { r.caller(f, key, value) })
		}},
		{"tests", func(n *yaml.Node) { *tests = n }},
	}
}

// manifest reads a path: of a file, a directory, or a kustomization.
func (r *reader) manifest(f *File, n *yaml.Node) {
	path := r.text(n, "a path of manifests")
	if path == "" {
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Name), filepath.FromSlash(path))
	}
	if _, err := os.Stat(path); err != nil {
		r.wrong(n, "manifests: there is no %s; paths are relative to the test file", path)
		return
	}
	if source.IsKustomization(path) {
		f.Kustomizations = append(f.Kustomizations, path)
	} else {
		f.Manifests = append(f.Manifests, path)
	}
}

// endpoint reads an endpoint that is taken to be ready.
func (r *reader) endpoint(f *File, n *yaml.Node) {
	up, err := scenario.ParseUp(r.text(n, "an endpoint"))
	if err != nil {
		r.wrong(n, "endpoints: %v; write NAMESPACE/SERVICE:PORT, as in shop/web:80, and labels of its pod after it, as in version=v1", err)
		return
	}
	f.Endpoints = append(f.Endpoints, up)
}

// testFields are the fields of a test.
func (r *reader) testFields(f *File, t *Test) []field {
	return []field{
		{"name", func(n *yaml.Node) { t.Name = r.text(n, "name") }},
		{"request", func(n *yaml.Node) { r.request(t, n) }},
		{"as", func(n *yaml.Node) { r.as(f, t, n) }},
		{"via", func(n *yaml.Node) { t.Via = r.text(n, "via") }},
		{"navigate", func(n *yaml.Node) { t.Navigate = r.truth(n, "navigate") }},
		{"from", func(n *yaml.Node) {
			a, err := netip.ParseAddr(r.text(n, "from"))
			if err != nil {
				r.wrong(n, "from: %q is no IP address; write one as in 203.0.113.7", n.Value)
			}
			t.From = a.Unmap()
		}},
		{"headers", func(n *yaml.Node) { r.headers(t, n) }},
		{"expect", func(n *yaml.Node) { r.mapping(n, "expect", r.expectFields(t)) }},
	}
}

// test reads a test.
func (r *reader) test(f *File, n *yaml.Node) {
	t := &Test{Request: scenario.Request{Line: n.Line, Via: plan.Edge, Chance: 0.5}}
	before := len(r.mistakes)
	what := "the test"
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "name" && n.Content[i+1].Kind == yaml.ScalarNode {
				what = strconv.Quote(n.Content[i+1].Value)
			}
		}
	}
	r.mapping(n, what, r.testFields(f, t))
	f.Tests = append(f.Tests, t)
	if len(r.mistakes) > before {
		return
	}
	if t.Method == "" {
		r.wrong(n, "%s has no request; write request: GET https://app.example.com/", what)
	}
	if len(t.Checks) == 0 {
		r.wrong(n, "%s expects nothing, so it cannot fail; write expect: {status: 200}, or {backend: NAMESPACE/SERVICE:PORT}", what)
	}
	if t.Name == "" {
		t.Name = t.Method + " " + t.URL
	}
}

// request reads METHOD URL.
func (r *reader) request(t *Test, n *yaml.Node) {
	text := r.text(n, "request")
	method, url, ok := strings.Cut(text, " ")
	url = strings.TrimSpace(url)
	switch {
	case text == "":
		return
	case !ok || !http1.ValidName(strings.ToLower(method)): // both are tokens (RFC 9110)
		r.wrong(n, "request: %q is not METHOD URL; write it as in GET https://app.example.com/", text)
		return
	}
	url, _, _ = strings.Cut(url, "#") // clients keep the fragment
	if err := t.SetURL(url); err != nil {
		r.wrong(n, "request: %v; write it as in GET https://app.example.com/", err)
		return
	}
	if !http1.ValidHost(t.Host) {
		r.wrong(n, "request: %q is no host", t.Host)
	}
	if i := strings.IndexFunc(t.Target, func(c rune) bool { return c <= ' ' || c == 0x7f }); i >= 0 {
		r.wrong(n, "request: a URL has no blanks or control characters; write %%%02X for the one after %q", t.Target[i], t.Target[:i])
	}
	t.Method, t.URL = method, url
}

// headers reads those of the request; a list is several lines.
func (r *reader) headers(t *Test, n *yaml.Node) {
	r.entries(n, "headers", func(key, value *yaml.Node) {
		name := strings.ToLower(key.Value)
		values := []string{value.Value}
		if value.Kind == yaml.SequenceNode {
			values = r.texts(value, "header "+name)
		} else {
			values[0] = r.text(value, "header "+name)
		}
		if !http1.ValidName(name) {
			r.wrong(key, "%q is no name of a header", key.Value)
			return
		}
		for _, v := range values {
			switch {
			case !http1.ValidValue(v):
				r.wrong(value, "header %s: %q cannot be a value", name, v)
			case name == "host" && !http1.ValidHost(v):
				r.wrong(value, "header host: %q is no host", v)
			case name == "host":
				t.Host = v
			default:
				t.Header = append(t.Header, header.Field{Name: name, Value: v})
			}
		}
	})
	http1.RemoveHopByHop(&t.Header)
}

// as finds the caller.
func (r *reader) as(f *File, t *Test, n *yaml.Node) {
	name := r.text(n, "as")
	if t.As = f.Callers[name]; t.As != nil || name == "" || name == "anonymous" {
		return
	}
	var known []string
	for k := range f.Callers {
		known = append(known, k)
	}
	slices.Sort(known)
	fix := "write it above the tests, under callers"
	if near, ok := problem.Nearest(name, known); ok {
		fix = "did you mean " + near + "?"
	}
	r.wrong(n, "there is no caller %q; %s", name, fix)
}
