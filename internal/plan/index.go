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
	longest  int              // of these suffixes: a Host of dots alone must cost little
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
			if x.any == nil {
				x.any = h
			}
		case strings.HasPrefix(h.Name, "*."):
			keepFirst(x.wildcard, h.Name[1:], h)
			x.longest = max(x.longest, len(h.Name)-1)
		default:
			keepFirst(x.exact, h.Name, h)
		}
	}
}

func keepFirst(m map[string]*Host, key string, h *Host) {
	if m[key] == nil {
		m[key] = h
	}
}

// find returns the host for a name in lower case, without port, or nil.
func (x *hostIndex) find(name string) *Host {
	if x.oneLabel {
		name = strings.TrimSuffix(name, ".")
	}
	if h := x.exact[name]; h != nil {
		return h
	}
	if len(x.wildcard) > 0 {
		from := 1
		if !x.oneLabel {
			from = max(1, len(name)-x.longest)
		}
		for i := from; i < len(name); i++ {
			if name[i] != '.' {
				continue
			}
			if h := x.wildcard[name[i:]]; h != nil && (!x.oneLabel || isLabel(name[:i])) {
				return h
			}
			if x.oneLabel {
				break
			}
		}
	}
	return x.any
}

// isLabel tells what a wildcard of ingress-nginx covers: [\w-]+.
func isLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		c := match.Lower(s[i])
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != ""
}

// routeIndex finds the first route of a host that takes a request, without
// looking at routes of other paths. A route hangs in a tree by what its path
// condition says of the beginning of the path; those of which nothing is known
// hang at the root. It must agree with the plain scan; a fuzz test holds it to
// that.
type routeIndex struct {
	root *prefixNode // nil: scan
	fold *prefixNode // of conditions that ignore letter case, in lower case
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
	x.root = &prefixNode{}
	for i, r := range routes {
		lead, fold := r.Rule.Path.Lead()
		if !fold || !isASCII(lead) {
			if fold {
				lead = ""
			}
			x.root.insert(lead, int32(i))
			continue
		}
		if x.fold == nil {
			x.fold = &prefixNode{}
		}
		x.fold.insert(strings.ToLower(lead), int32(i))
	}
}

func (x *routeIndex) find(routes []*Route, req *match.Request) *Route {
	if x.root == nil || x.fold != nil && !isASCII(req.Path) {
		for _, r := range routes {
			if r.Rule.Match(req) {
				return r
			}
		}
		return nil
	}
	best := x.root.first(req.Path, routes, req, len(routes))
	if x.fold != nil {
		best = x.fold.first(strings.ToLower(req.Path), routes, req, best)
	}
	if best == len(routes) {
		return nil
	}
	return routes[best]
}

// first returns the number of the first route along path that takes req, or
// best if none before best does.
func (n *prefixNode) first(path string, routes []*Route, req *match.Request, best int) int {
	for n != nil {
		for _, i := range n.routes {
			if int(i) >= best {
				break
			}
			if routes[i].Rule.Match(req) {
				best = int(i)
				break
			}
		}
		n, path = n.child(path)
	}
	return best
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
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
