package suite

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/http1"
	"github.com/doorward/doorward/internal/scenario"
)

// expectFields are what can be expected of a request. Each becomes a check of the
// scenarios' form.
func (r *reader) expectFields(t *Test) []field {
	return []field{
		{"status", func(n *yaml.Node) {
			text := r.text(n, "status")
			if s, err := strconv.Atoi(text); text != closed && (err != nil || s < 100 || s > 599) {
				r.wrong(n, "status: %q is none; write one as in 200, or closed where the connection ends without an answer", text)
			}
			t.expect(n, "status", text)
		}},
		{"backend", func(n *yaml.Node) { r.backend(t, n) }},
		{"method", func(n *yaml.Node) { t.expect(n, "method", r.text(n, "method")) }},
		{"path", func(n *yaml.Node) {
			text := r.text(n, "path")
			if !strings.HasPrefix(text, "/") {
				r.wrong(n, "path: %q does not begin with /; it is the path and query that the application gets, as in /x?y=1", text)
			}
			t.expect(n, "path", text)
		}},
		{"host", func(n *yaml.Node) { t.expect(n, "host", r.text(n, "host")) }},
		{"headers", func(n *yaml.Node) { r.expectHeaders(t, n, "headers", "got") }},
		{"noHeaders", func(n *yaml.Node) { r.expectNone(t, n, "noHeaders", "got") }},
		{"answer", func(n *yaml.Node) { r.expectHeaders(t, n, "answer", "answer") }},
		{"noAnswer", func(n *yaml.Node) { r.expectNone(t, n, "noAnswer", "answer") }},
		{"decidedBy", func(n *yaml.Node) { r.decidedBy(t, n) }},
		{"because", func(n *yaml.Node) { t.expect(n, "because", r.text(n, "because")) }},
	}
}

// closed is the status of who gets no answer.
const closed = "closed"

func (t *Test) expect(n *yaml.Node, kind, value string) {
	t.Checks = append(t.Checks, scenario.Check{Line: n.Line, Kind: kind, Value: value})
}

// backend reads NAMESPACE/SERVICE:PORT[/SUBSET], or "none".
func (r *reader) backend(t *Test, n *yaml.Node) {
	text := r.text(n, "backend")
	if text == scenario.Nothing {
		t.Checks = append(t.Checks, scenario.Check{Line: n.Line, Kind: "backend", No: true})
		return
	}
	if ns, rest, ok := strings.Cut(text, "/"); text != "" && (!ok || ns == "" || !strings.Contains(rest, ":")) {
		r.wrong(n, "backend: %q is not NAMESPACE/SERVICE:PORT; write it as in shop/web:80 or shop/web:80/SUBSET, or none where no application may get the request", text)
	}
	t.expect(n, "backend", text)
}

// decidedBy reads KIND NAMESPACE/NAME [FIELD], or "none".
func (r *reader) decidedBy(t *Test, n *yaml.Node) {
	text := r.text(n, "decidedBy")
	if text != "" && text != scenario.Nothing && len(strings.Fields(text)) < 2 {
		r.wrong(n, "decidedBy: %q is not KIND NAMESPACE/NAME; write it as in VirtualService shop/web, with a field after it if need be, as in spec.http[0]", text)
	}
	t.expect(n, "decidedBy", text)
}

// expectHeaders reads headers with their values. Several lines of one name are joined
// by commas.
func (r *reader) expectHeaders(t *Test, n *yaml.Node, what, kind string) {
	r.entries(n, what, func(key, value *yaml.Node) {
		if name, ok := r.headerName(key); ok {
			t.Checks = append(t.Checks, scenario.Check{Line: key.Line, Kind: kind, Name: name, Value: r.text(value, what+": "+name)})
		}
	})
}

// expectNone reads the names of headers that must not be there.
func (r *reader) expectNone(t *Test, n *yaml.Node, what, kind string) {
	r.list(n, what, func(n *yaml.Node) {
		if name, ok := r.headerName(n); ok {
			t.Checks = append(t.Checks, scenario.Check{Line: n.Line, Kind: kind, Name: name, No: true})
		}
	})
}

func (r *reader) headerName(n *yaml.Node) (string, bool) {
	name := strings.ToLower(r.text(n, "the name of a header"))
	if !http1.ValidName(name) {
		r.wrong(n, "%q is no name of a header", name)
		return "", false
	}
	return name, true
}
