package cli

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/compile"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
	"github.com/doorward/doorward/internal/problem"
	"github.com/doorward/doorward/internal/scaffold"
	"github.com/doorward/doorward/internal/server"
	"github.com/doorward/doorward/internal/source"
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

// refuses tells whether the application's gateway refuses those who have not logged in,
// with an Authorization header or none.
func refuses(app *scaffold.App, p *plan.Plan, authorization string) bool {
	out := visit(app, p, authorization)
	if out == nil || out.Kind == plan.ToForward || out.Last().Dialect != plan.Envoy {
		return false
	}
	switch out.Reply.Status {
	case 302, 401, 403:
		return true
	}
	return false
}

// visit asks for the application's first page, as its tests come in, without a login;
// nil if that way is not at hand.
func visit(app *scaffold.App, p *plan.Plan, authorization string) *plan.Outcome {
	host := app.Platform.Host
	req := &match.Request{Peer: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Secure: true, SNI: host, Major: 1, Minor: 1, Method: "GET", Host: host, Target: app.Prefix + "/"}
	if authorization != "" {
		req.Header.Add("authorization", authorization)
	}
	in := p.Listener(plan.Edge)
	if app.Platform.Via != "" {
		in, req.Secure, req.SNI = p.Listener(app.Platform.Via), false, ""
	}
	if in == nil || app.Prefix == "" {
		return nil
	}
	out := new(plan.Outcome)
	p.Walk(in, req, nobody{}, nil, out)
	return out
}

// narrow tells which limits of the platform's edge are too narrow for a preset.
func narrow(app *scaffold.App, p *plan.Plan) []string {
	preset, out := scaffold.PresetOf(app.Preset), visit(app, p, "")
	if preset == nil || out == nil || out.Hops()[0].Route == nil {
		return nil
	}
	route := out.Hops()[0].Route
	if out.Hops()[0].Listener.Dialect != plan.NGINX {
		return nil // the edge is elsewhere
	}
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

// Ask lets nobody in, as external authorizers do that are a login.
func (nobody) Ask(*plan.Provider, *plan.Check) plan.Verdict { return plan.Verdict{Status: 403} }
