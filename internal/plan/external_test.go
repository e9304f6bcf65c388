package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorward/doorward/internal/header"
	"github.com/doorward/doorward/internal/match"
)

func exactly(names ...string) (list []match.Text) {
	for _, n := range names {
		list = append(list, match.Text{Op: match.Exact, Value: n})
	}
	return list
}

func TestJudge(t *testing.T) {
	f := header.Fields{
		{Name: "x-user", Value: "a"}, {Name: "x-user", Value: "b"}, {Name: "location", Value: "/l"}, {Name: "www-authenticate", Value: "w"},
		{Name: "set-cookie", Value: "1"}, {Name: "set-cookie", Value: "2"}, {Name: "content-length", Value: "4"}, {Name: "host", Value: "h"},
		{Name: "x-envoy-auth-headers-to-remove", Value: "X-Drop , y"},
	}
	for _, c := range []struct {
		p      Provider
		status int
		want   string // allowed, status, header, set, remove, answer
	}{
		{Provider{}, 200, "true 200 [] [] [x-drop y] []"},
		{Provider{UpstreamOnAllow: exactly("x-user", "host", "content-length"), DownstreamOnAllow: exactly("set-cookie")}, 200,
			"true 200 [] [{x-user b}] [x-drop y] [{set-cookie 1} {set-cookie 2}]"},
		{Provider{UpstreamOnAllow: exactly("x-user")}, 302, "false 302 [{x-user a} {x-user b} {location /l} {www-authenticate w} {set-cookie 1} {set-cookie 2}] [] [] []"},
		{Provider{DownstreamOnDeny: exactly("x-user")}, 403, "false 403 [{x-user a} {x-user b} {location /l} {www-authenticate w}] [] [] []"},
		{Provider{}, 201, "false 201 [{x-user a} {x-user b} {location /l} {www-authenticate w} {set-cookie 1} {set-cookie 2}] [] [] []"},
	} {
		v := c.p.Judge(c.status, f, "body")
		if got := fmt.Sprint(v.Allowed, v.Status, v.Header, v.Set, v.Remove, v.AnswerAdd); got != c.want || v.Err != nil {
			t.Errorf("%d: got  %s %v\nwant %s", c.status, got, v.Err, c.want)
		}
	}
	for _, status := range []int{500, 503, 599} {
		if v := new(Provider).Judge(status, f, "body"); v.Err == nil || v.Allowed || v.Body != "" || len(v.Header) > 0 {
			t.Errorf("%d: got %+v", status, v)
		}
	}
}

func TestAVerdictEdits(t *testing.T) {
	v := Verdict{
		Set:    header.Fields{{Name: "x-set", Value: "new"}, {Name: ":path", Value: "/admin"}, {Name: "host", Value: "h"}, {Name: "transfer-encoding", Value: "chunked"}},
		Add:    header.Fields{{Name: "x-set", Value: "more"}},
		Append: header.Fields{{Name: "x-there", Value: "b"}, {Name: "x-absent", Value: "b"}},
		Remove: []string{"x-drop", ":path", "host"},
	}
	f := header.Fields{{Name: "x-set", Value: "old"}, {Name: "x-set", Value: "older"}, {Name: "x-there", Value: "a"}, {Name: "x-drop", Value: "d"}}
	v.edit(&f)
	if got, want := fmt.Sprint(f), "[{x-set new} {x-there a,b} {x-set more}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// answering is a world whose authorizer gives one verdict, and notes the checks.
type answering struct {
	still
	verdict Verdict
	asked   []*Check
}

func (a *answering) Ask(_ *Provider, c *Check) Verdict {
	a.asked = append(a.asked, c)
	return a.verdict
}

// asking is a gateway that asks p about every request.
func asking(g *External, routes ...*Route) (*Plan, *Listener) {
	rule := &PolicyRule{Origin: Origin{Field: "the policy"}}
	g.When = NewPolicySet(1, []*PolicyRule{rule}, 0, nil)
	l := &Listener{Key: "istio-system/gw:80", Dialect: Envoy, Form: match.FormBase, Guards: []Guard{g}, Identity: "mesh/ns/a/sa/b",
		Chains: []*Chain{{Hosts: []*Host{{Name: "app.example.com", Routes: routes}}}}}
	var b Builder
	b.Add(l)
	return b.Build(), l
}

func TestWhatBecomesOfAVerdict(t *testing.T) {
	app := &Route{Action: &Forward{To: []Destination{{Backend: &Backend{Key: "app", Endpoints: []Endpoint{{Address: "192.0.2.1:80"}}}}}}}
	broken := errors.New("broken")
	for _, c := range []struct {
		name    string
		g       External
		verdict Verdict
		host    string
		want    string // kind, status, body, unauthorized, asked
	}{
		{"allowed", External{Provider: &Provider{}}, Verdict{Allowed: true}, "app.example.com", "forward 0  false 1"},
		{"refused", External{Provider: &Provider{FailOpen: true}}, Verdict{Status: 302, Body: "b"}, "app.example.com", "respond 302 b true 1"},
		{"no verdict", External{Provider: &Provider{StatusOnError: 403}}, Verdict{Err: broken, Allowed: true, Status: 200, Body: "b"}, "app.example.com", "respond 403  true 1"},
		{"no verdict, another status", External{Provider: &Provider{StatusOnError: 503}}, Verdict{Err: broken}, "app.example.com", "respond 503  true 1"},
		{"fail open", External{Provider: &Provider{FailOpen: true}}, Verdict{Err: broken}, "app.example.com", "forward 0  false 1"},
		{"too large a body", External{Provider: &Provider{FailOpen: true}}, Verdict{Err: ErrBodyTooLarge}, "app.example.com", "respond 413 Payload Too Large false 1"},
		{"no route", External{Provider: &Provider{}}, Verdict{Status: 302}, "ghost.example.com", "respond 404  false 0"},
		{"nobody to ask", External{Broken: "no provider"}, Verdict{Allowed: true}, "app.example.com", "respond 403 RBAC: access denied false 0"},
		{"nobody to ask, no route", External{Broken: "no provider"}, Verdict{Allowed: true}, "ghost.example.com", "respond 403 RBAC: access denied false 0"},
	} {
		for _, tr := range []*Trace{nil, {}} {
			p, l := asking(&c.g, app)
			w := &answering{verdict: c.verdict}
			r := request()
			r.Host = c.host
			var out Outcome
			p.Walk(l, r, w, tr, &out)
			if got := fmt.Sprintf("%v %d %s %v %d", out.Kind, out.Reply.Status, out.Reply.Body, out.Unauthorized, len(w.asked)); got != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			if refused := out.Kind == ToRespond && out.Reply.Status != 404; refused != (out.By.Field == "the policy") {
				t.Errorf("%s: decided by %q", c.name, out.By.Field)
			}
		}
	}
}

// A trace tells of the route where it is taken, once, and not where a guard refuses
// before.
func TestTraceOfAVerdict(t *testing.T) {
	for _, c := range []struct {
		verdict Verdict
		want    string
	}{
		{Verdict{Status: 403}, "hop policy verdict answer guard"},
		{Verdict{Allowed: true, Set: header.Fields{{Name: "x-a", Value: "b"}}}, "hop policy verdict guard host route answer"},
	} {
		for _, reroute := range []bool{false, true} {
			p, l := asking(&External{Provider: &Provider{Reroute: reroute}}, &Route{Action: &Direct{Status: 200}})
			r, tr := request(), new(Trace)
			r.Host = "app.example.com"
			var out Outcome
			p.Walk(l, r, &answering{verdict: c.verdict}, tr, &out)
			var kinds []string
			for _, s := range tr.Steps {
				kinds = append(kinds, s.Kind)
			}
			if got := strings.Join(kinds, " "); got != c.want {
				t.Errorf("reroute %v: got %s, want %s", reroute, got, c.want)
			}
		}
	}
}

// What an authorizer adds to the answer comes whoever answers.
func TestHeadersOnAllow(t *testing.T) {
	for _, action := range []Action{&Direct{Status: 404}, &Forward{To: []Destination{{Backend: &Backend{Missing: "gone"}}}}} {
		p, l := asking(&External{Provider: &Provider{}}, &Route{Action: action})
		w := &answering{verdict: Verdict{Allowed: true, AnswerAdd: header.Fields{{Name: "x-a", Value: "1"}}, AnswerSet: header.Fields{{Name: "x-b", Value: "2"}}}}
		var out Outcome
		r := request()
		r.Host = "app.example.com"
		p.Walk(l, r, w, nil, &out)
		f := header.Fields{{Name: "x-a", Value: "0"}, {Name: "x-b", Value: "0"}}
		out.EditResponse(out.Reply.Status, &f, 0, false)
		if a, _ := f.Joined("x-a", ","); a != "0,1" || f.Value("x-b") != "2" {
			t.Errorf("got %v", f)
		}
	}
}

// The route is that of the request as it came, unless the provider asks for another.
func TestAVerdictAndTheRoute(t *testing.T) {
	to := func(name string, all ...match.Condition) *Route {
		return &Route{Rule: match.Rule{All: all}, Action: &Direct{Status: 200, Body: name}}
	}
	admin := match.Condition{Attr: match.Header, Name: "x-role", Text: match.Text{Op: match.Exact, Value: "admin"}}
	for reroute, want := range map[bool]string{false: "user", true: "admin"} {
		p, l := asking(&External{Provider: &Provider{Reroute: reroute}}, to("admin", admin), to("user"))
		w := &answering{verdict: Verdict{Allowed: true, Set: header.Fields{{Name: "x-role", Value: "admin"}}}}
		var out Outcome
		r := request()
		r.Host = "app.example.com"
		p.Walk(l, r, w, nil, &out)
		if out.Reply.Body != want || r.Header.Value("x-role") != "admin" {
			t.Errorf("reroute %v: got %s, want %s", reroute, out.Reply.Body, want)
		}
	}
}

// An HTTP check holds no field that nobody has listed; a gRPC check holds all.
func TestQuestion(t *testing.T) {
	for _, c := range []struct {
		p    Provider
		want string
	}{
		{Provider{PathPrefix: "/auth"}, "POST app.example.com /auth/x?q=1 [{authorization a,b}]"},
		{Provider{SendHeaders: []match.Text{{Op: match.Prefix, Value: "x-l"}, {Op: match.Exact, Value: "cookie"}}, AddHeaders: header.Fields{{Name: "x-l", Value: "ours"}, {Name: "x-n", Value: "n"}}},
			"POST app.example.com /x?q=1 [{authorization a,b} {x-l ours} {cookie c; d} {x-n n}]"},
	} {
		p, l := asking(&External{Provider: &c.p}, &Route{Action: &Direct{Status: 200}})
		w := &answering{verdict: Verdict{Allowed: true}}
		r := request()
		r.Method, r.Host, r.Target = "POST", "app.example.com", "/a/../x?q=1"
		r.Header = header.Fields{{Name: "authorization", Value: "a"}, {Name: "x-l", Value: "forged"}, {Name: "cookie", Value: "c"}, {Name: "cookie", Value: "d"},
			{Name: "authorization", Value: "b"}, {Name: "x-secret", Value: "s"}, {Name: "x-envoy-auth-partial-body", Value: "true"}}
		var out Outcome
		p.Walk(l, r, w, nil, &out)
		q := w.asked[0]
		if got := fmt.Sprint(q.Method, " ", q.Host, " ", q.Target, " ", q.Header); got != c.want || q.Identity != l.Identity || q.Request != r {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		c.p.GRPC = true
		p.Walk(l, r, w, nil, &out)
		if q := w.asked[1]; q.Target != "/x?q=1" || !q.Header.Has("x-secret") {
			t.Errorf("over gRPC: got %s %v", q.Target, q.Header)
		}
	}
}
