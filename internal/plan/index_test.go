package plan

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

func hostsOf(names ...string) []*Host {
	hosts := make([]*Host, len(names))
	for i, n := range names {
		hosts[i] = &Host{Name: n}
	}
	return hosts
}

func TestHostIndex(t *testing.T) {
	hosts := hostsOf("example.com", "*.example.com", "*.a.example.com", "*", "[::1]", "192.0.2.1")
	for _, c := range []struct{ host, envoy, nginx string }{
		{"example.com", "example.com", "example.com"},
		{"EXAMPLE.com:8080", "example.com", "example.com"},
		{"b.example.com", "*.example.com", "*.example.com"},
		{"c.b.example.com", "*.example.com", "*"}, // a wildcard of the edge is one label
		{"x.a.example.com", "*.a.example.com", "*.a.example.com"},
		{"a.example.com", "*.example.com", "*.example.com"},
		{".example.com", "*", "*"},
		{"b!.example.com", "*.example.com", "*"},
		{"b_1.example.com", "*.example.com", "*.example.com"},
		{"example.com.", "*", "example.com"}, // another name to Envoy
		{"b.example.com.", "*", "*.example.com"},
		{"notexample.com", "*", "*"},
		{"[::1]:80", "[::1]", "[::1]"},
		{"192.0.2.1:80", "192.0.2.1", "192.0.2.1"},
		{"", "*", "*"},
		{"*", "*", "*"},
	} {
		for d, want := range map[Dialect]string{Envoy: c.envoy, NGINX: c.nginx} {
			var x hostIndex
			x.build(hosts, d)
			if got := x.find(match.HostName(c.host)); got.Name != want {
				t.Errorf("%v: %q: got host %s, want %s", d, c.host, got.Name, want)
			}
		}
	}
	var none hostIndex
	none.build(hostsOf("example.com"), Envoy)
	if h := none.find("other.com"); h != nil {
		t.Errorf("got host %s, want none", h.Name)
	}
}

// scanHosts is what hostIndex means: the longest name that fits, exact before
// wildcards, the first of equal ones.
func scanHosts(hosts []*Host, d Dialect, name string) *Host {
	if d == NGINX {
		name = strings.TrimSuffix(name, ".")
	}
	var best *Host
	score := -1
	for _, h := range hosts {
		s := -1
		switch suffix, wild := strings.CutPrefix(h.Name, "*"); {
		case h.Name == "*":
			s = 0
		case wild && strings.HasPrefix(suffix, "."):
			covered, fits := strings.CutSuffix(name, suffix)
			if fits && covered != "" && (d == Envoy || isLabel(covered)) {
				s = len(suffix)
			}
		case h.Name == name:
			s = 1 << 30
		}
		if s > score {
			best, score = h, s
		}
	}
	return best
}

func FuzzHostIndex(f *testing.F) {
	f.Add("example.com *.example.com * *.com", "a.example.com", false)
	f.Add("*.b.c *.c b.c", "a.b.c.", true)
	f.Add("*.x *. .", "..x", false)
	f.Fuzz(func(t *testing.T, names, name string, edge bool) {
		d := Envoy
		if edge {
			d = NGINX
		}
		hosts := hostsOf(strings.Fields(names)...)
		var x hostIndex
		x.build(hosts, d)
		if got, want := x.find(name), scanHosts(hosts, d, name); got != want {
			t.Errorf("%v, hosts %q: %q: got %v, want %v", d, names, name, got, want)
		}
	})
}

// randomRoutes makes n routes over a small alphabet, so that prefixes nest and
// repeat, of every kind of condition.
func randomRoutes(rng *rand.Rand, n int) []*Route {
	routes := make([]*Route, n)
	for i := range routes {
		r := &Route{Name: strconv.Itoa(i)}
		path := randomPath(rng)
		switch rng.IntN(9) {
		case 0:
			r.Rule.Path = match.Text{Op: match.Exact, Value: path}
		case 1, 2:
			r.Rule.Path = match.Text{Op: match.Prefix, Value: path}
		case 3:
			r.Rule.Path = match.Text{Op: match.Prefix, Value: path, IgnoreCase: true}
		case 4:
			r.Rule.Path = match.Text{Op: match.Exact, Value: path, IgnoreCase: true}
		case 5:
			r.Rule.Path = match.Text{Op: match.Suffix, Value: path}
		case 6:
			r.Rule.Path = mustRegex(randomRegex(rng, path))
		case 7:
			var err error
			if r.Rule.Path, err = match.NewPattern(randomRegex(rng, path)); err != nil {
				panic(err)
			}
		}
		if rng.IntN(3) == 0 {
			r.Rule.All = []match.Condition{{Attr: match.Header, Name: "x", Text: match.Text{Op: match.Exact, Value: strconv.Itoa(rng.IntN(3))}}}
		}
		routes[i] = r
	}
	return routes
}

func mustRegex(expr string) match.Text {
	t, err := match.NewRegex(expr)
	if err != nil {
		panic(err)
	}
	return t
}

func randomPath(rng *rand.Rand) string {
	const letters = "aAbBkK/ſ\u212aä" // some fold to ASCII letters
	runes := []rune(letters)
	b := strings.Builder{}
	b.WriteByte('/')
	for range rng.IntN(5) {
		b.WriteRune(runes[rng.IntN(len(runes))])
	}
	return b.String()
}

func randomRegex(rng *rand.Rand, path string) string {
	forms := [...]string{"%.*", "(?i)%.*", "^%$", "%(/.*)?", "%|/b.*", "(?i)^%(a|b)?", "[/]%.", ".*"}
	return strings.ReplaceAll(forms[rng.IntN(len(forms))], "%", path)
}

func randomRequest(rng *rand.Rand) *match.Request {
	path := randomPath(rng) + randomPath(rng)
	return &match.Request{Target: path, Path: path, Header: header.Fields{{Name: "x", Value: strconv.Itoa(rng.IntN(3))}}}
}

func FuzzRouteIndex(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, uint8(seed*7))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		routes := randomRoutes(rng, int(n))
		var x routeIndex
		x.build(routes)
		for range 20 {
			req := randomRequest(rng)
			if got, want := x.find(routes, req), (&routeIndex{}).find(routes, req); got != want {
				t.Fatalf("path %q: got %v, want %v", req.Path, ruleOf(got), ruleOf(want))
			}
		}
	})
}

func ruleOf(r *Route) string {
	if r == nil {
		return "no route"
	}
	return r.Name + " " + r.Rule.String()
}

func TestRouteIndexKeepsTheOrder(t *testing.T) {
	prefix := func(p string) *Route { return &Route{Rule: match.Rule{Path: match.Text{Op: match.Prefix, Value: p}}} }
	exact := func(p string) *Route { return &Route{Rule: match.Rule{Path: match.Text{Op: match.Exact, Value: p}}} }
	routes := []*Route{
		prefix("/app"), prefix("/app/admin"), exact("/app/exact"), exact("/x"), prefix("/x"), {},
		prefix("/late"), exact("/late"), prefix("/y"), prefix("/z"),
	}
	var x routeIndex
	x.build(routes)
	for path, want := range map[string]int{
		"/app": 0, "/application": 0, "/app/admin": 0, "/app/exact": 0, "/x": 3, "/xy": 4, "/other": 5, "/late": 5, "": 5,
	} {
		if got := x.find(routes, &match.Request{Path: path}); got != routes[want] {
			t.Errorf("%q: got %v, want %v", path, ruleOf(got), ruleOf(routes[want]))
		}
	}
}
