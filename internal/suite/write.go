package suite

import (
	"bytes"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/scenario"
)

// The form of a test file, as it is written. docs/testing.md has the fields.
type (
	fileText struct {
		Manifests      []string              `yaml:"manifests,omitempty"`
		IngressClasses []string              `yaml:"ingressClasses,omitempty,flow"`
		Endpoints      []string              `yaml:"endpoints,omitempty"`
		Callers        map[string]callerText `yaml:"callers,omitempty"`
		Tests          []testText            `yaml:"tests"`
	}
	callerText struct {
		Claims         map[string]any `yaml:"claims,omitempty"`
		User           string         `yaml:"user,omitempty"`
		Groups         []string       `yaml:"groups,omitempty,flow"`
		ServiceAccount string         `yaml:"serviceAccount,omitempty"`
		APIKey         string         `yaml:"apiKey,omitempty"`
	}
	testText struct {
		Name     string              `yaml:"name"`
		Request  string              `yaml:"request"`
		As       string              `yaml:"as,omitempty"`
		Via      string              `yaml:"via,omitempty"`
		Navigate bool                `yaml:"navigate,omitempty"`
		From     string              `yaml:"from,omitempty"`
		Headers  map[string][]string `yaml:"headers,omitempty"`
		Expect   expectText          `yaml:"expect"`
	}
	expectText struct {
		Status    any               `yaml:"status,omitempty"`
		Backend   string            `yaml:"backend,omitempty"`
		Path      string            `yaml:"path,omitempty"`
		Headers   map[string]string `yaml:"headers,omitempty"`
		Answer    map[string]string `yaml:"answer,omitempty"`
		DecidedBy string            `yaml:"decidedBy,omitempty"`
	}
)

// text writes the file, for the manifests of a set.
func (f *File) text(about string, s *Set) []byte {
	t := fileText{Manifests: append(append([]string{}, s.Source.Kustomizations...), s.Source.Files...), IngressClasses: s.Compile.IngressClasses, Callers: map[string]callerText{}}
	for _, a := range s.Compile.Endpoints {
		up := a.Namespace + "/" + a.Service + ":" + a.Port
		for k, v := range a.Labels {
			up += " " + k + "=" + v
		}
		t.Endpoints = append(t.Endpoints, up)
	}
	for _, test := range f.Tests {
		if c := test.As; c != nil { // others have been tried and were of no use
			t.Callers[c.Name] = callerText{c.Claims, c.User, c.Groups, c.ServiceAccount, c.APIKey}
		}
		t.Tests = append(t.Tests, test.text())
	}
	var b bytes.Buffer
	for line := range strings.Lines(about) {
		b.WriteString("# " + line)
	}
	b.WriteByte('\n')
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	_ = e.Encode(t) // texts and what JSON holds can be encoded
	_ = e.Close()
	return b.Bytes()
}

func (t *Test) text() testText {
	shown := testText{Name: t.Name, Request: t.Method + " " + t.URL, Navigate: t.Navigate, Headers: lists(t.Header)}
	if t.As != nil {
		shown.As = t.As.Name
	}
	if t.Via != plan.Edge {
		shown.Via = t.Via
	}
	if t.From.IsValid() {
		shown.From = t.From.String()
	}
	x := expectText{Headers: map[string]string{}, Answer: map[string]string{}}
	for _, c := range t.Checks {
		value := c.Value
		if c.No {
			value = scenario.Nothing
		}
		switch c.Kind {
		case "status":
			if n, err := strconv.Atoi(value); err == nil {
				x.Status = n
			} else {
				x.Status = value
			}
		case "backend":
			x.Backend = value
		case "path":
			x.Path = value
		case "got":
			x.Headers[c.Name] = value
		case "answer":
			x.Answer[c.Name] = value
		case "decidedBy":
			x.DecidedBy = value
		}
	}
	shown.Expect = x
	return shown
}

func lists(f header.Fields) map[string][]string {
	all := map[string][]string{}
	for _, x := range f {
		all[x.Name] = append(all[x.Name], x.Value)
	}
	return all
}
