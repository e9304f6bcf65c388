package plan

import (
	"slices"

	"github.com/doorward/doorward/internal/header"
)

// Believed tells whether a trailer called name could be taken by an application for
// something that a hop says: it has the name of a header that some guard fills, or of
// one that the request is sent on with. There are applications that put trailers among
// the headers (RFC 9110 section 6.5.1 forbids it for such names). name is in lower
// case; all punctuation counts as "-".
func (o *Outcome) Believed(name string, sent header.Fields) bool {
	for i := range sent {
		if len(sent[i].Name) == len(name) && sameHeader(sent[i].Name, name) {
			return true
		}
	}
	return slices.ContainsFunc(o.Hops(), func(h Hop) bool {
		return fillsOne(h.Listener.Guards, name) || h.Route != nil && fillsOne(h.Route.Guards, name)
	})
}

func fillsOne(guards []Guard, name string) bool {
	return slices.ContainsFunc(guards, func(g Guard) bool { return fills(g, name) })
}

// fills tells whether a guard writes the header.
func fills(g Guard, name string) bool {
	switch g := g.(type) {
	case *Tokens:
		return isOutput(g.outputs, name)
	case *APIKeys:
		return isOutput(g.outputs, name) || isOutput(g.Ring.headers, name)
	case *Login:
		return isUserHeader(name)
	case *EdgeAuth:
		return isOutput(g.Headers, name)
	case *AnyOf:
		return fillsOne(g.Guards, name)
	case *External:
		return g.Provider != nil && listed(g.Provider.UpstreamOnAllow, name)
	}
	return false
}
