package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/apikey"
	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/jwt"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scenario"
	"github.com/doorward/doorward/internal/source"
)

// Set is a set of manifests, compiled once for all files that name it.
type Set struct {
	Source  source.Options
	Compile compile.Options
	Plan    *plan.Plan
	// Problems are what is wrong with the manifests.
	Problems problem.List

	keys   []string      // of APIKeySets, as callers name them
	tokens plan.Verifier // knows the keys that the manifests have
}

// key is equal for files with the same manifests and settings.
func (f *File) key() string {
	return fmt.Sprintf("%q", []any{f.Manifests, f.Kustomizations, f.Classes, f.Endpoints})
}

// load loads and compiles what a file names.
func load(ctx context.Context, f *File, o Options) (*Set, error) {
	src, opts := o.Source, o.Compile
	src.Files = slices.Concat(src.Files, without(f.Manifests, src.Files))
	src.Kustomizations = slices.Concat(src.Kustomizations, without(f.Kustomizations, src.Kustomizations))
	if len(src.Files)+len(src.Kustomizations)+len(src.Texts) == 0 {
		return nil, errors.New("it names no manifests; write manifests: [../overlays/production], or give them with -f or -k")
	}
	opts.AssumePods, opts.UndeclaredClasses = true, true
	opts.IngressClasses = slices.Concat(opts.IngressClasses, f.Classes)
	opts.Endpoints = slices.Clone(opts.Endpoints)
	for i, up := range f.Endpoints {
		opts.Endpoints = append(opts.Endpoints, compile.Attached{
			Namespace: up.Namespace, Service: up.Service, Port: up.Port, Labels: up.Labels,
			Address: fmt.Sprintf("192.0.2.%d:%d", i%254+1, 1024+i/254), // RFC 5737: of nobody
		})
	}
	s := &Set{Source: src, tokens: jwt.New(jwt.Options{Offline: true})}
	opts.StandIn = func(namespace, set, key string) apikey.Digest {
		s.keys = append(s.keys, namespace+"/"+set+"/"+key)
		return caller.StandIn(namespace, set, key)
	}
	s.Compile = opts
	objects, problems, err := source.Load(ctx, src)
	if err != nil {
		return nil, err
	}
	s.Plan, s.Problems = compile.Compile(objects, opts)
	s.Problems = append(problems, s.Problems...)
	return s, nil
}

// without leaves out of paths those in have.
func without(paths, have []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return slices.Contains(have, p) })
}

// Explain is the command line that asks the same of doorward explain.
func (s *Set) Explain(t *Test) string {
	words := []string{"doorward explain", quote(t.URL)}
	add := func(flag, value, usual string) {
		if value != usual {
			words = append(words, flag, quote(value))
		}
	}
	add("-X", t.Method, "GET")
	add("--via", t.Via, plan.Edge)
	if t.From.IsValid() {
		add("--from", t.From.String(), "")
	}
	var asked scenario.Request
	if _ = asked.SetURL(t.URL); asked.Host != t.Host {
		add("-H", "host: "+t.Host, "")
	}
	if t.Navigate {
		words = append(words, "--navigate")
	}
	for _, f := range t.Header {
		add("-H", f.Name+": "+f.Value, "")
	}
	if t.As != nil {
		words = append(words, t.As.flags()...)
	}
	return strings.Join(words, " ") + " " + s.Flags()
}

// Flags are the flags that name the manifests to other verbs.
func (s *Set) Flags() string {
	var words []string
	add := func(flag, value string) { words = append(words, flag, quote(value)) }
	for _, k := range s.Source.Kustomizations {
		add("-k", k)
	}
	for _, f := range s.Source.Files {
		add("-f", f)
	}
	for _, c := range s.Compile.IngressClasses {
		add("--ingress-class", c)
	}
	for _, a := range s.Compile.Endpoints {
		labels := ""
		for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
			labels += "," + k + "=" + a.Labels[k]
		}
		add("--endpoint", a.Namespace+"/"+a.Service+":"+a.Port+"="+a.Address+labels)
	}
	return strings.Join(words, " ")
}

// flags are those by which explain asks as the caller.
func (c *Caller) flags() []string {
	switch {
	case c.Claims != nil:
		data, _ := json.Marshal(c.Claims) // they were read as JSON
		return []string{"--claims", quote(string(data))}
	case c.ServiceAccount != "":
		return []string{"--as", "system:serviceaccount:" + strings.Replace(c.ServiceAccount, "/", ":", 1)}
	case c.APIKey != "":
		return []string{"--as", "apikey:" + quote(c.APIKey)}
	case len(c.Groups) > 0:
		return []string{"--as", quote(c.User), "--groups", quote(strings.Join(c.Groups, ","))}
	}
	return []string{"--as", quote(c.User)}
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=@%+", c)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
