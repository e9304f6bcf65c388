package source

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doorward/doorward/internal/problem"
)

// report notes a problem at a node and the field at hand.
func (d *decoder) report(n *yaml.Node, p problem.Problem) {
	if d.quiet {
		return
	}
	p.Object = d.object
	p.Field = string(d.path)
	p.File, p.Line = d.place(n, p.Field)
	d.problems = append(d.problems, p)
}

// unknown notes a field that the API does not have. The API server drops it,
// and so does the decoder.
func (d *decoder) unknown(n *yaml.Node, name string, known []string) {
	p := problem.New(problem.UnknownField)
	p.Message = fmt.Sprintf("there is no field %s here; the API server drops it, with everything below it", name)
	if near, ok := problem.Nearest(name, known); ok {
		p.Message = fmt.Sprintf("there is no field %s here; the nearest is %s. The API server drops it, with everything below it", name, near)
		p.Remedy = fmt.Sprintf("write %s instead of %s", near, name)
	} else if len(known) <= 24 {
		p.Remedy = "delete it; the fields here are " + strings.Join(known, ", ")
	} else {
		p.Remedy = "delete it, or move it to where it belongs"
	}
	d.report(n, p)
}

// refuse notes a value that the API server would refuse, and the object with it.
func (d *decoder) refuse(n *yaml.Node, message, remedy string) {
	if d.quiet {
		return
	}
	d.broken = true
	p := problem.New(problem.Schema)
	p.Message = message + "; the API server refuses the object"
	p.Remedy = remedy
	d.report(n, p)
}

// mistyped notes a value of the wrong type.
func (d *decoder) mistyped(n *yaml.Node, want string) {
	n = follow(n)
	if n == nil {
		return
	}
	what := "a list"
	var s scalar
	switch n.Kind {
	case yaml.MappingNode:
		what = "a mapping"
	case yaml.ScalarNode:
		s = read(n)
		what = s.String()
	}
	remedy := "write " + want + " here"
	if n.Kind == yaml.ScalarNode {
		switch bare := plain(s.text); {
		case want == "a string" && s.kind != isString && s.kind != isNull:
			remedy = fmt.Sprintf("put it in quotes: %q", s.text)
		case s.kind == isString && bare.kind != isString && strings.Contains(want, "number") && bare.kind != isBool,
			s.kind == isString && bare.kind == isBool && want == "true or false":
			remedy = "write it without quotes: " + s.text
		}
	} else if want == "a list" {
		remedy = "put \"- \" before it, to make it the entry of a list"
	}
	d.refuse(n, fmt.Sprintf("%s is wanted, and this is %s", want, what), remedy)
}

// notAValue notes a word that is none of those allowed.
func (d *decoder) notAValue(n *yaml.Node, word string, allowed []string) {
	remedy := "write one of " + strings.Join(allowed, ", ")
	if near, ok := problem.Nearest(word, allowed); ok {
		remedy = fmt.Sprintf("write %s; the values are %s", near, strings.Join(allowed, ", "))
	}
	d.refuse(n, fmt.Sprintf("%q is no value of this field", shorten(word)), remedy)
}
