package probe

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/doorward/doorward/internal/caller"
	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/object"
	"github.com/doorward/doorward/internal/plan"
)

// Route is what the manifests do with a URL.
type Route struct {
	// Goes is where the request ends: "myapp/myapp-service:80", or "nowhere: 404, ..."
	Goes   string `json:"goes"`
	Served bool   `json:"served"` // an application gets it
	// Object, Field, File and Line are the rule's; Line is that of the rule where files
	// are at hand, and that of the object otherwise.
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	// Prefix is the path prefix that the rule is for; "" for other conditions.
	Prefix string `json:"prefix,omitempty"`
	// Rewritten tells that the application does not get the prefix.
	Rewritten bool `json:"rewritten"`
	// Forwarded is X-Forwarded-Prefix, and Proto X-Forwarded-Proto, as the application
	// gets them; Proto is "" where that is not known.
	Forwarded string `json:"forwardedPrefix,omitempty"`
	Proto     string `json:"forwardedProto,omitempty"`
}

// CatchAll tells a route of everything that no other takes.
func (r *Route) CatchAll() bool { return r.Prefix == "/" || r.Prefix == "" && !r.Served }

// Place is "vs.yaml:12", or "".
func (r *Route) Place() string { return object.Origin{File: r.File, Line: r.Line}.String() }

// somebody is who asks: a user who is logged in.
const somebody = "somebody@example.com"

// Router tells what becomes of a URL; nil where it cannot tell.
type Router interface{ Route(u *url.URL) *Route }

// Plan is a Router that walks a plan from the edge, as somebody who is logged in.
type Plan struct {
	*plan.Plan
	// Locate finds the line of a field; nil: lines are those of the objects.
	Locate func(origin object.Origin, field string) (int, bool)
}

// Route walks the plan.
func (p *Plan) Route(u *url.URL) *Route {
	edge := p.Listener(plan.Edge)
	if edge == nil {
		return nil
	}
	secure := u.Scheme == "https" || u.Scheme == "wss"
	req := &match.Request{Peer: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Secure: secure, Major: 1, Minor: 1, Method: "GET", Host: u.Host, Target: u.RequestURI()}
	if secure {
		req.SNI = u.Hostname()
	}
	asks, err := caller.New(caller.Spec{User: somebody})
	if err != nil {
		return nil
	}
	world, _ := asks.Dress(p.Plan, edge, req, caller.Options{Dice: 0.5})
	var out plan.Outcome
	p.Walk(edge, req, world, nil, &out)
	r := &Route{Goes: "nowhere: " + out.Reason}
	if out.Kind == plan.ToForward {
		r.Goes, r.Served = out.Backend.Name(), true
		r.Forwarded, _ = req.Header.Get("x-forwarded-prefix")
		r.Proto, _ = req.Header.Get("x-forwarded-proto")
	}
	for _, h := range out.Hops() {
		if h.Route != nil && !h.Route.Origin.Ref.IsZero() {
			p.read(r, h.Route, h.To)
		}
	}
	return r
}

// read takes over what a rule says. Files may not tell what runs behind a Service: the
// request goes there all the same.
func (p *Plan) read(r *Route, by *plan.Route, to *plan.Destination) {
	if to != nil && to.Backend.Missing == "" && to.Backend.Next == nil {
		r.Goes, r.Served = to.Backend.Name(), true
	}
	if r.Forwarded == "" {
		r.Forwarded = forwarded(by, to)
	}
	o := by.Origin
	r.Object, r.Field, r.File, r.Line, r.Prefix, r.Rewritten = o.Ref.String(), o.Field, o.Origin.File, o.Origin.Line, "", false
	if p.Locate != nil {
		if line, ok := p.Locate(o.Origin, rule(o.Field)); ok {
			r.Line = line
		}
	}
	if by.Rule.Path.Op == match.Prefix {
		r.Prefix = by.Rule.Path.Value
	}
	if f, ok := by.Action.(*plan.Forward); ok && f.Rewrite != nil {
		r.Rewritten = f.Rewrite.With != r.Prefix || f.Rewrite.Regex != nil
	}
}

// forwarded is the X-Forwarded-Prefix that a rule writes.
func forwarded(by *plan.Route, to *plan.Destination) string {
	var texts []string
	for _, f := range by.Filters {
		texts = append(texts, f.String())
	}
	if to != nil && to.Headers != nil {
		texts = append(texts, to.Headers.String())
	}
	return forwardedIn(texts)
}

var forwardedPrefix = regexp.MustCompile(`(?i)x-forwarded-prefix: ([^,;\s]+)`)

// forwardedIn finds the header in the words of a plan's filters.
func forwardedIn(texts []string) string {
	for _, text := range texts {
		if m := forwardedPrefix.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return ""
}

// rule is the field of a rule without that of its condition.
func rule(field string) string {
	before, _, _ := strings.Cut(field, ".match[")
	return before
}
