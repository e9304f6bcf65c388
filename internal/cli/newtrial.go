package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/exempt"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
	"github.com/doorward/doorward/internal/suite"
)

// site is the platform that a new application joins.
type site struct {
	source   source.Options // its manifests; nothing if they are not at hand
	set      *object.Set
	plan     *plan.Plan
	problems problem.List
	people   scaffold.Platform // through the gateway for people
	programs scaffold.Platform
}

// of is what is known of the platform for an application with some answers.
func (s *site) of(a answers) *scaffold.Platform {
	if a.get("access") == string(scaffold.Programs) {
		return &s.programs
	}
	return &s.people
}

func (s *site) known() bool { return len(s.source.Files)+len(s.source.Kustomizations) > 0 }

// platform reads the platform's manifests: those of the flags, else those beside.
func (b *birth) platform(ctx context.Context) (*site, error) {
	s := &site{people: scaffold.NewPlatform(scaffold.DefaultGateway), programs: scaffold.NewPlatform(scaffold.DefaultProgramsGateway)}
	s.source = source.Options{Files: b.files, Kustomizations: b.kustomizations}
	if !s.known() {
		for _, dir := range []string{"platform/overlays/production", "platform"} {
			if exists(filepath.Join(b.dir, dir, "kustomization.yaml")) {
				s.source.Kustomizations = []string{filepath.Join(b.dir, dir)}
				break
			}
		}
	}
	if !s.known() {
		return s, nil
	}
	loaded, err := s.manifests().Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("the platform's manifests: %w", err)
	}
	s.plan, s.problems = loaded.Plan, loaded.Problems
	set, _, err := source.Load(ctx, s.source)
	if err != nil {
		return nil, err
	}
	s.set = set
	if err := s.people.LookAt(set, s.plan); err != nil {
		return nil, err
	}
	_ = s.programs.LookAt(set, s.plan) // a platform need not have that gateway, unless it is asked for
	return s, nil
}

// manifests are the platform's, as check reads them.
func (s *site) manifests() server.Manifests {
	return server.Manifests{Source: s.source, Compile: compile.Options{UndeclaredClasses: true, AssumePods: true}, Partial: true}
}

// app is the application that the answers describe.
func (b *birth) app(s *site) (*scaffold.App, error) {
	a := b.answers
	app := &scaffold.App{
		Name: b.name, Namespace: a.get("namespace"), Access: scaffold.Access(a.get("access")), Sidecar: a.get("sidecar") == "yes",
		Service: b.name + "-service", Port: 80, Model: a.get("model"), Platform: *s.of(a),
	}
	if a["preset"] != "other" {
		app.Preset = a["preset"]
	}
	if a.get("place") == "host" {
		app.Host = a.get("host")
		app.Platform.Issuer = a.get("issuer")
	} else {
		app.Prefix, app.Told = a.get("prefix"), scaffold.Told(a.get("told"))
		app.Platform.Host = a.get("platform-host")
	}
	if a.get("runs") == "image" {
		app.Image = a.get("image")
		app.TargetPort, _ = strconv.Atoi(a.get("container-port")) // it has been checked
	} else {
		name, number, _ := strings.Cut(a.get("service"), ":")
		app.Service = name
		app.Port, _ = strconv.Atoi(number)
	}
	if err := app.Validate(); err != nil {
		return nil, usageError{err}
	}
	return app, nil
}

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

// try makes the files in a place where nobody looks, and checks and tests them there
// together with the platform.
func try(ctx context.Context, app *scaffold.App, s *site, target string) (*made, error) {
	if s.plan != nil {
		app.Platform.Login = asksLogin(app, s.plan)
		_, app.Platform.HasService = s.set.Services.Get(app.Namespace, app.Service)
	}
	files, err := app.Files()
	if err != nil {
		return nil, err
	}
	trial := app.Tests() // which name the application alone
	for _, name := range append(slices.Clone(s.source.Files), s.source.Kustomizations...) {
		name, err := named(name, filepath.Join(target, scaffold.TestsIn))
		if err != nil {
			return nil, err
		}
		app.Platform.Manifests = append(app.Platform.Manifests, name)
	}
	temp, err := os.MkdirTemp("", "doorward-new")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	if err := scaffold.WriteIn(temp, append(files, trial...)); err != nil {
		return nil, err
	}
	m := s.manifests()
	m.Source.Kustomizations = append(slices.Clone(m.Source.Kustomizations), filepath.Join(temp, "overlays", "production"))
	if name := filepath.Join(temp, scaffold.TestsIn, "service.yaml"); exists(name) {
		m.Source.Files = append(slices.Clone(m.Source.Files), name)
	}
	out := &made{files: append(files, app.Tests()...), knows: s.known()}
	if app.Exempt() && app.Platform.Login {
		if err := out.exemption(ctx, app, m); err != nil {
			return nil, err
		}
		m.Source.Edited = after(out.edits)
		out.edited = strings.ReplaceAll(out.edited, temp, target)
	}
	loaded, err := m.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("what is made does not load: %w", err) // our own mistake
	}
	out.problems, out.objects, out.limits = s.brought(loaded.Problems, temp, target), loaded.Objects, narrow(app, loaded.Plan)
	return out, out.test(ctx, app, s, temp, target)
}

// test runs the tests of the application. Without the platform those of a prefix have
// nothing to ask.
func (m *made) test(ctx context.Context, app *scaffold.App, s *site, temp, target string) error {
	if !s.known() && app.Host == "" {
		return nil
	}
	file, err := suite.Read(filepath.Join(temp, filepath.FromSlash(app.TestFile())))
	if err != nil {
		return fmt.Errorf("the tests that are made cannot be read: %w", err) // our own mistake
	}
	src := s.source
	src.Edited = after(m.edits)
	report := suite.Run(ctx, []*suite.File{file}, suite.Options{Source: src})
	m.tests = report.Files[0]
	if m.tests.Err != nil {
		return m.tests.Err
	}
	if m.tests.Failed() > 0 {
		var text strings.Builder
		err = writeTests(&text, report, false, false)
		m.failed = strings.ReplaceAll(text.String(), temp, target)
	}
	return err
}

// exemption finds the edit of the platform's policies that leaves the application out of its
// login. Where there is none that can be made, it is left to a person.
func (m *made) exemption(ctx context.Context, app *scaffold.App, with server.Manifests) error {
	path, err := exempt.NewPath(app.Prefix)
	if err != nil {
		return usageError{err}
	}
	var text strings.Builder
	e := &editing{path: path, src: with.Source, compile: with.Compile, out: &text}
	if m.edits, err = e.plan(ctx); err != nil {
		fmt.Fprintf(&text, "%s is not exempt yet: %v\n", path, err)
	}
	m.exempt, m.edited = len(m.edits) == 0, text.String()
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

// asksLogin tells whether the platform refuses those who have not logged in, at the
// application's prefix: guards come before routes, so the application need not be there.
func asksLogin(app *scaffold.App, p *plan.Plan) bool {
	out := visit(app, p)
	if out == nil || out.Kind == plan.ToForward || out.Last().Dialect != plan.Envoy {
		return false
	}
	switch out.Reply.Status {
	case 302, 401, 403:
		return true
	}
	return false
}

// visit asks for the application's first page, from outside and without a login; nil if
// the platform's edge is not at hand.
func visit(app *scaffold.App, p *plan.Plan) *plan.Outcome {
	edge := p.Listener(plan.Edge)
	if edge == nil || app.Prefix == "" {
		return nil
	}
	host := app.Platform.Host
	req := &match.Request{Peer: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Secure: true, SNI: host, Major: 1, Minor: 1, Method: "GET", Host: host, Target: app.Prefix + "/"}
	out := new(plan.Outcome)
	p.Walk(edge, req, nobody{}, nil, out)
	return out
}

// narrow tells which limits of the platform's edge are too narrow for a preset.
func narrow(app *scaffold.App, p *plan.Plan) []string {
	preset, out := scaffold.PresetOf(app.Preset), visit(app, p)
	if preset == nil || out == nil || out.Hops()[0].Route == nil {
		return nil
	}
	route := out.Hops()[0].Route
	forward, ok := route.Action.(*plan.Forward)
	if !ok {
		return nil
	}
	var all []string
	for _, g := range route.Guards {
		if b, ok := g.(*plan.BodyLimit); ok && b.Bytes < preset.BodyBytes() {
			all = append(all, fmt.Sprintf("%s lets bodies of %d bytes through, and uploads are larger: annotate it with nginx.ingress.kubernetes.io/proxy-body-size: %q", route.Origin.Ref, b.Bytes, preset.Body))
		}
	}
	if d := forward.Limits.Read; d > 0 && d < preset.Silence {
		all = append(all, fmt.Sprintf("%s waits %s for the next byte, and an answer may take longer: annotate it with nginx.ingress.kubernetes.io/proxy-read-timeout: \"%d\"", route.Origin.Ref, d, int(preset.Silence.Seconds())))
	}
	return all
}

// nobody is the world of those who have not logged in and show no token.
type nobody struct{ plan.Closed }

func (nobody) Now() time.Time  { return time.Unix(0, 0).UTC() }
func (nobody) Chance() float64 { return 0 }
func (nobody) ID() [16]byte    { return [16]byte{} }
