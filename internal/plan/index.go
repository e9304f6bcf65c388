package plan

import (
	"sort"
	"strings"

	"github.com/doorward/doorward/internal/match"
)

// hostIndex finds the virtual host of a name: exact, then the longest wildcard,
// then "*". The one that is found is final.
type hostIndex struct {
	exact    map[string]*Host
	wildcard map[string]*Host // by ".suffix"
	any      *Host
	// oneLabel says that a wildcard covers exactly one label (the edge),
	// otherwise any number of them (Envoy).
	oneLabel bool
}

func (x *hostIndex) build(hosts []*Host, d Dialect) {
	x.exact = make(map[string]*Host, len(hosts))
	x.wildcard = map[string]*Host{}
	x.oneLabel = d == NGINX
	for _, h := range hosts {
		switch {
		case h.Name == "*":
			x.any = h
		case strings.HasPrefix(h.Name, "*."):
			x.wildcard[h.Name[1:]] = h
		default:
			x.exact[h.Name] = h
		}
	}
}

func (x *hostIndex) find(name string) *Host {
	if h := x.exact[name]; h != nil {
		return h
	}
	if len(x.wildcard) > 0 {
		for i := 1; i < len(name); i++ {
			if name[i] != '.' {
				continue
			}
			if h := x.wildcard[name[i:]]; h != nil {
				return h
			}
			if x.oneLabel {
				break
			}
		}
	}
	return x.any
}

// routeIndex finds the first route of a host that takes a request, without
// looking at routes of other paths. It must agree with the plain scan; a fuzz
// test holds it to that.
type routeIndex struct {
	exact map[string][]int32 // by path, numbers of routes in order
	// prefixes by their bytes, sorted; prefix[i] holds routes[i].
	root *prefixNode
	rest []int32 // routes whose path condition is neither
}

// prefixNode is a node of a radix tree over prefixes.
type prefixNode struct {
	label    string // bytes from the parent to here
	routes   []int32
	children []*prefixNode // sorted by the first byte of label
}

// scanBelow is the number of routes up to which a plain scan is as cheap.
const scanBelow = 8

func (x *routeIndex) build(routes []*Route) {
	if len(routes) <= scanBelow {
		return
	}
	x.exact, x.root = map[string][]int32{}, &prefixNode{}
	for i, r := range routes {
		switch p := r.Rule.Path; {
		case p.Op == match.Exact && !p.IgnoreCase:
			x.exact[p.Value] = append(x.exact[p.Value], int32(i))
		case p.Op == match.Prefix && !p.IgnoreCase:
			x.root.insert(p.Value, int32(i))
		default:
			x.rest = append(x.rest, int32(i))
		}
	}
}

func (x *routeIndex) find(routes []*Route, req *match.Request) *Route {
	if x.root == nil {
		for _, r := range routes {
			if r.Rule.Match(req) {
				return r
			}
		}
		return nil
	}
	best := int32(len(routes))
	best = first(x.exact[req.Path], routes, req, best, false)
	n, path := x.root, req.Path
	for n != nil {
		best = first(n.routes, routes, req, best, false)
		n, path = n.child(path)
	}
	best = first(x.rest, routes, req, best, true)
	if int(best) == len(routes) {
		return nil
	}
	return routes[best]
}

// first returns the first of the numbered routes that takes req, or best if
// none before best does.
func first(numbers []int32, routes []*Route, req *match.Request, best int32, path bool) int32 {
	for _, i := range numbers {
		if i >= best {
			return best
		}
		rule := &routes[i].Rule
		if path && rule.Match(req) || !path && rule.MatchRest(req) {
			return i
		}
	}
	return best
}

func (n *prefixNode) insert(prefix string, route int32) {
	for {
		if prefix == "" {
			n.routes = append(n.routes, route)
			return
		}
		i := sort.Search(len(n.children), func(i int) bool { return n.children[i].label[0] >= prefix[0] })
		if i == len(n.children) || n.children[i].label[0] != prefix[0] {
			n.children = append(n.children, nil)
			copy(n.children[i+1:], n.children[i:])
			n.children[i] = &prefixNode{label: prefix, routes: []int32{route}}
			return
		}
		c := n.children[i]
		common := 0
		for common < len(c.label) && common < len(prefix) && c.label[common] == prefix[common] {
			common++
		}
		if common < len(c.label) {
			mid := &prefixNode{label: c.label[:common], children: []*prefixNode{c}}
			c.label = c.label[common:]
			n.children[i], c = mid, mid
		}
		n, prefix = c, prefix[common:]
	}
}

// child returns the child whose label begins path, and the rest of path.
func (n *prefixNode) child(path string) (*prefixNode, string) {
	if path == "" {
		return nil, ""
	}
	lo, hi := 0, len(n.children)
	for lo < hi {
		m := (lo + hi) / 2
		if n.children[m].label[0] < path[0] {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == len(n.children) || !strings.HasPrefix(path, n.children[lo].label) {
		return nil, ""
	}
	return n.children[lo], path[len(n.children[lo].label):]
}
