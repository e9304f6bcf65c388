// Package source reads manifests: files, directories, streams and
// kustomizations become one object.Set, and whatever is wrong with them
// becomes problems that say file, line, field and the nearest known name.
//
// A file is split into documents (document.go), so that one that cannot be
// parsed costs only itself. Each document is parsed once into a tree of YAML
// nodes, and the tree is decoded straight into the published API types
// (decode.go for Kubernetes' structs, message.go for Istio's messages): the
// nodes know their lines, so every unknown field, wrong type and repeated key
// is reported where it stands. Documents of kinds that Doorward does not read
// are counted without being parsed.
//
// Kustomizations are built in-process (kustomize.go), from disk only, and
// their objects are traced back to the lines of the base that they came from.
// A Watcher (watch.go) says when any of the files that a load used changes, what did
// not change is not decoded again (kept.go),
// and Locate (locate.go) finds the line of a field when someone asks for it.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/problem"
)

// Options says where manifests are.
type Options struct {
	// Files are files, directories (read recursively: .yaml, .yml and .json,
	// nothing hidden) and "-" for Stdin.
	Files []string
	// Kustomizations are directories with a kustomization.yaml.
	Kustomizations []string
	// Texts are manifests that are not in files of their own.
	Texts []Text
	// Stdin is what "-" reads. Nil reads nothing.
	Stdin io.Reader
	// FS holds the files; nil is the machine's file system. Names in an FS
	// are slash-separated and relative.
	FS fs.FS
	// Edited is what files are taken to hold instead, by name: an edit is tried before
	// it is written. The files must be there.
	Edited map[string][]byte
	// Kept, unless nil, spares loads with the same Kept what they would decode again.
	Kept *Kept
}

// Text is a piece of manifests inside of something else.
type Text struct {
	Name string // the file it is in, for origins
	Line int    // the line of that file on which Data begins; 0 is 1
	Data []byte
}

// Load reads everything that the options name.
//
// A mistake in a manifest is a problem, and everything else is still loaded.
// The error is for a load that fails as a whole: a path that does not exist, a
// kustomization that does not build, or no object at all. The problems found
// so far come with it.
func Load(ctx context.Context, opts Options) (*object.Set, problem.List, error) {
	l := newLoading(nil, false)
	if k := opts.Kept; k != nil {
		k.loading.Lock()
		defer k.loading.Unlock()
		l = newLoading(k.files, true)
	}
	err := l.load(ctx, opts)
	l.problems.Sort()
	if err != nil {
		return nil, l.problems, err
	}
	if opts.Kept != nil {
		opts.Kept.files = l.now
	}
	if l.documents == 0 {
		return nil, l.problems, nothing(opts)
	}
	return l.builder.Build(), l.problems, nil
}

func (l *loading) load(ctx context.Context, opts Options) error {
	d := newDisk(opts)
	seen := make(map[string]bool)
	for _, name := range opts.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == "-" {
			if err := l.read(func(r *reader) error { return r.readStdin(opts.Stdin) }); err != nil {
				return err
			}
			continue
		}
		files, err := d.manifests(name)
		if err != nil {
			return fmt.Errorf("read manifests: %w", err)
		}
		for _, f := range files {
			if key := filepath.Clean(f.name); !seen[key] {
				seen[key] = true
				l.readFile(d, f)
			}
		}
	}
	for _, t := range opts.Texts {
		_ = l.read(func(r *reader) error { r.readText(t.Name, max(t.Line, 1), t.Data, true); return nil })
	}
	for _, dir := range opts.Kustomizations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.read(func(r *reader) error { return r.readKustomization(d, dir) }); err != nil {
			return err
		}
	}
	return nil
}

// nothing is the error of a load that found no object.
func nothing(opts Options) error {
	var asked []string
	for _, f := range opts.Files {
		asked = append(asked, "-f "+f)
	}
	for _, k := range opts.Kustomizations {
		asked = append(asked, "-k "+k)
	}
	if len(asked) == 0 {
		return errors.New("no manifests named; give files with -f or a kustomization with -k")
	}
	hint := ""
	for _, f := range opts.Files {
		if isKustomization(filepath.Base(f)) {
			hint = "; a kustomization is built with -k " + filepath.Dir(f)
		}
	}
	return fmt.Errorf("no object in %s%s", strings.Join(asked, " "), hint)
}
