package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/exempt"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/suite"
)

// made is an application's files, and what was found out about them.
type made struct {
	files    []scaffold.File
	problems problem.List // that it brings: the platform's own are not among them
	objects  int
	knows    bool        // the platform
	exempt   bool        // the path must be exempt from the platform's login, and is not yet
	edits    []rewriting // of the platform's policies, which exempt it
	edited   string      // the same, for people: the difference and what it comes to, or why not
	tests    suite.FileReport
	failed   string   // the tests that fail, for people
	limits   []string // of the platform's edge that are too narrow, for people
}

// trial is an application that is tried out in a place where nobody looks, together with
// the platform.
type trial struct {
	app          *scaffold.App
	site         *site
	temp, target string // where it is, and where it will be
	manifests    server.Manifests
	made         made
}

// try makes the files, and checks and tests them.
func try(ctx context.Context, app *scaffold.App, s *site, target string) (*made, error) {
	temp, err := os.MkdirTemp("", "doorward-new")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	if s.set != nil {
		_, app.Platform.HasService = s.set.Services.Get(app.Namespace, app.Service)
	}
	t := &trial{app: app, site: s, temp: temp, target: target, manifests: s.manifests(), made: made{knows: s.known()}}
	from := &t.manifests.Source
	from.Kustomizations = append(slices.Clone(from.Kustomizations), filepath.Join(temp, "overlays", "production"))
	if app.StandsIn() {
		from.Files = append(slices.Clone(from.Files), filepath.Join(temp, scaffold.TestsIn, "service.yaml"))
	}
	if err := t.stage(); err != nil {
		return nil, err
	}
	if err := t.login(ctx); err != nil {
		return nil, err
	}
	if err := t.exemption(ctx); err != nil {
		return nil, err
	}
	loaded, err := t.manifests.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("what is made does not load: %w", err) // our own mistake
	}
	t.made.problems, t.made.objects, t.made.limits = s.brought(loaded.Problems, temp, target), loaded.Objects, narrow(app, loaded.Plan)
	return &t.made, t.test(ctx)
}

// stage writes the files. Those of the trial name the application alone: the platform is
// added to them.
func (t *trial) stage() error {
	files, err := t.app.Files()
	if err != nil {
		return err
	}
	t.app.Platform.Manifests = nil
	if err := scaffold.WriteIn(t.temp, append(files, t.app.Tests()...)); err != nil {
		return err
	}
	for _, name := range append(slices.Clone(t.site.source.Files), t.site.source.Kustomizations...) {
		name, err := named(name, filepath.Join(t.target, scaffold.TestsIn))
		if err != nil {
			return err
		}
		t.app.Platform.Manifests = append(t.app.Platform.Manifests, name)
	}
	t.made.files = append(files, t.app.Tests()...)
	return nil
}

// test runs the tests of the application. Without the platform those of a prefix have
// nothing to ask.
func (t *trial) test(ctx context.Context) error {
	if !t.site.known() && t.app.Host == "" {
		return nil
	}
	file, err := suite.Read(filepath.Join(t.temp, filepath.FromSlash(t.app.TestFile())))
	if err != nil {
		return fmt.Errorf("the tests that are made cannot be read: %w", err) // our own mistake
	}
	src, m := t.site.source, &t.made
	src.Edited = after(m.edits)
	report := suite.Run(ctx, []*suite.File{file}, suite.Options{Source: src})
	m.tests = report.Files[0]
	if m.tests.Err != nil {
		return m.tests.Err
	}
	if m.tests.Failed() > 0 {
		var text strings.Builder
		err = writeTests(&text, report, false, false)
		m.failed = strings.ReplaceAll(text.String(), t.temp, t.target)
	}
	return err
}

// login finds out whether the platform asks for one there, and makes the files anew if it
// does: an application may leave its own then.
func (t *trial) login(ctx context.Context) error {
	if !t.site.known() {
		return nil
	}
	made, err := compiled(ctx, t.manifests.Source, t.manifests.Compile)
	if err != nil {
		return err
	}
	to := &t.app.Platform
	if to.Login = refuses(t.app, made.Plan, ""); !to.Login {
		return nil
	}
	to.Shut = refuses(t.app, made.Plan, "Basic eDp4")
	return t.stage()
}

// exemption finds the edit of the platform's policies that leaves the application out of its
// login, if it must be. Where there is none that can be made, it is left to a person.
// Headers that only the login fills are taken out of the route's requests then: a client
// could fill them.
func (t *trial) exemption(ctx context.Context) error {
	if !t.app.Exempt() || !t.app.Platform.Login {
		return nil
	}
	path, err := exempt.NewPath(t.app.Prefix)
	if err != nil {
		return usageError{err}
	}
	var text strings.Builder
	e := &editing{path: path, src: t.manifests.Source, compile: t.manifests.Compile, out: &text}
	edits, err := e.plan(ctx)
	switch {
	case err != nil:
		fmt.Fprintf(&text, "%s is not exempt yet: %v\n", path, err)
	case e.proof != nil && len(e.proof.Forgeable) > 0 && t.app.Remove == nil:
		t.app.Remove = e.proof.Forgeable
		if err := t.stage(); err != nil {
			return err
		}
		return t.exemption(ctx)
	}
	t.manifests.Source.Edited = after(edits)
	t.made.edits, t.made.exempt, t.made.edited = edits, len(edits) == 0, strings.ReplaceAll(text.String(), t.temp, t.target)
	return nil
}

// after is what files hold after edits.
func after(edits []rewriting) map[string][]byte {
	files := map[string][]byte{}
	for _, w := range edits {
		files[w.file] = w.after
	}
	return files
}

// write writes the files and makes the edits, all or nothing.
func (m *made) write(target string) error {
	if err := rewrite(m.edits); err != nil {
		return err
	}
	err := scaffold.Write(target, m.files)
	if err == nil || len(m.edits) == 0 {
		return err
	}
	back := slices.Clone(m.edits)
	for i := range back {
		back[i].before, back[i].after = back[i].after, back[i].before
	}
	return errors.Join(err, rewrite(back))
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// named is a path as files in a directory name it.
func named(name, dir string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(from, to)
	if err == nil && !utf8.ValidString(relative) {
		err = fmt.Errorf("the path %q cannot be written into a test file: it is not in UTF-8", name)
	}
	return filepath.ToSlash(relative), err
}

// brought are the problems that the platform alone has not, with the files named as they
// will be.
func (s *site) brought(all problem.List, temp, target string) problem.List {
	had := map[string]bool{}
	for _, p := range s.problems {
		had[p.Code+p.Object+p.Message] = true
	}
	var l problem.List
	for _, p := range all {
		if had[p.Code+p.Object+p.Message] {
			continue
		}
		if rest, ok := strings.CutPrefix(p.File, temp); ok {
			p.File = target + rest
		}
		p.Message = strings.ReplaceAll(p.Message, temp, target)
		l = append(l, p)
	}
	return l
}
