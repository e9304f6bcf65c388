package witness

import (
	"slices"
	"strings"

	"github.com/doorward/doorward/internal/match"
	"github.com/doorward/doorward/internal/plan"
)

// Kind is what an example shows of its rule.
type Kind uint8

const (
	// Takes comes to the route.
	Takes Kind = iota
	// Beside just does not, by one of its conditions.
	Beside
	// Within is of those that a policy's rule is about.
	Within
	// Outside is of those that it leaves out.
	Outside
)

func (k Kind) String() string { return [...]string{"takes", "beside", "within", "outside"}[k] }

// Example is a request, who sends it, and what it is an example of.
type Example struct {
	Request
	Caller Caller
	Kind   Kind
	// Of is the rule that it was made from, Route the route if it is one.
	Of    plan.Origin
	Route *plan.Route
}

// most bounds the examples of one plan.
const most = 200_000

// examples are those that were found, each once.
type examples struct {
	*Finder
	all     []Example
	seen    map[same]bool
	callers []Caller // who asks everywhere
}

// same is what examples that need not be told twice have in common.
type same struct {
	request, caller string
	route           *plan.Route
}

// Examples are those of every route that a client can reach, and of every policy's rule.
// Equal plans have equal examples, in the same order.
func Examples(p *plan.Plan) []Example { return New(p).Examples() }

// Examples is Examples of the finder's plan.
func (f *Finder) Examples() []Example {
	x := &examples{Finder: f, seen: map[same]bool{}, callers: everybody(f.Plan)}
	x.routes()
	x.guards()
	return x.all
}

// everybody is who may ask for anything: those whom the guards of a plan tell apart.
func everybody(p *plan.Plan) []Caller {
	all := []Caller{Anonymous()}
	logins, tokens := false, false
	for _, l := range p.Listeners() {
		for g := range Guards(l) {
			switch g.(type) {
			case *plan.Login, *plan.External, *plan.EdgeAuth:
				logins = true
			case *plan.Tokens:
				tokens = true
			}
		}
	}
	if logins {
		all = append(all, Member())
	}
	if tokens {
		all = append(all, Bearer())
	}
	return all
}

// add keeps an example, unless there is one like it.
func (x *examples) add(e Example) {
	if len(x.all) == most {
		return
	}
	key := same{e.String(), e.Caller.Name, e.Route}
	if x.seen[key] {
		return
	}
	x.seen[key] = true
	x.all = append(x.all, e)
}

// routes makes the examples of routes, at the listeners that clients come to.
func (x *examples) routes() {
	for _, l := range x.Plan.Listeners() {
		if l.Dialect == plan.Sidecar || l.Dialect == plan.Service {
			continue
		}
		eachRoute(l, func(_ *plan.Chain, h *plan.Host, r *plan.Route) { x.route(l, h, r) })
	}
}

// route makes the examples of one route: for two paths that it takes, for one that it
// just does not, and for each other condition that is not met.
func (x *examples) route(l *plan.Listener, h *plan.Host, r *plan.Route) {
	q, ok := x.Route(l, h, r)
	if !ok {
		return // no request comes here
	}
	all := []Example{{Request: q, Kind: Takes}}
	for _, path := range paths(&r.Rule.Path) {
		if path == q.path() {
			continue
		}
		if deeper, ok := x.reach(l, h, r, path); ok {
			all = append(all, Example{Request: deeper, Kind: Takes})
			break
		}
	}
	if l.Dialect == plan.NGINX && q.Secure {
		plain := q
		plain.Secure = false
		all = append(all, Example{Request: plain, Kind: Takes})
	}
	for _, from := range clients(r) {
		client := q
		client.From = from
		all = append(all, Example{Request: client, Kind: Takes})
	}
	for _, path := range besides(&r.Rule.Path) {
		_, query, has := strings.Cut(q.Target, "?")
		near := q
		near.Target = path
		if has {
			near.Target += "?" + query
		}
		all = append(all, Example{Request: near, Kind: Beside})
	}
	for i := range r.Rule.All {
		if near, ok := lacking(q, &r.Rule.All[i]); ok {
			all = append(all, Example{Request: near, Kind: Beside})
		}
	}
	_, who := Meet(q, r)
	for _, e := range all {
		e.Of, e.Route = r.Origin, r
		for _, e.Caller = range x.callers {
			if !who.IsAnonymous() {
				e.Kind = Beside // it lacks the claims
			}
			x.add(e)
		}
	}
	if !who.IsAnonymous() {
		x.add(Example{Request: q, Kind: Takes, Of: r.Origin, Route: r, Caller: who.named()})
	}
}

// lacking is a request that does not meet one condition that it has met.
func lacking(q Request, c *match.Condition) (Request, bool) {
	if c.Not {
		some := texts(&c.Text)
		if len(some) == 0 || c.Attr == match.Claim {
			return q, false
		}
		return give(q, c, some[0]), true
	}
	switch {
	case c.Attr == match.Method || c.Attr == match.Header && c.Name == ":method":
		q.Method = "GET"
		if c.Text.Match("GET", true) {
			q.Method = "POST"
		}
		return q, !c.Text.Match(q.Method, true)
	case c.Attr == match.Header && q.Header.Has(c.Name):
		q.Header = q.Header.Clone()
		q.Header.Del(c.Name)
		return q, true
	case c.Attr == match.Query:
		path, query, _ := strings.Cut(q.Target, "?")
		pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
			return strings.HasPrefix(pair, c.Name+"=")
		})
		q.Target = path
		if len(pairs) > 0 {
			q.Target += "?" + strings.Join(pairs, "&")
		}
		return q, true
	}
	return q, false
}
