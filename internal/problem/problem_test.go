package problem

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
)

func TestString(t *testing.T) {
	p := New(GatewayNotFound)
	p.Object, p.File, p.Line, p.Field = "VirtualService myapp/myapp-vs", "paas/myapp/base/virtualservice.yaml", 12, "spec.gateways[0]"
	p.Message, p.Remedy = "no gateway myapp/kubeflow-gateway; there is kubeflow/kubeflow-gateway", "kubeflow/kubeflow-gateway"
	want := "error gateway-not-found  VirtualService myapp/myapp-vs  paas/myapp/base/virtualservice.yaml:12 spec.gateways[0]: " +
		"no gateway myapp/kubeflow-gateway; there is kubeflow/kubeflow-gateway\n  fix: kubeflow/kubeflow-gateway"
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if p.Istio != "IST0101" {
		t.Errorf("got Istio code %q, want the table's", p.Istio)
	}
	short := Problem{Code: "x", Severity: Info, Message: "m"}
	if got, want := short.String(), "info x: m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestList(t *testing.T) {
	want := List{
		{Code: "b", Severity: Error, Object: "A n/a", Message: "m"},
		{Code: "a", Severity: Error, Object: "B n/a", File: "f", Line: 2, Message: "m"},
		{Code: "a", Severity: Error, Object: "B n/a", File: "f", Line: 10, Message: "m"},
		{Code: "a", Severity: Warning, Object: "A n/a", Message: "m"},
		{Code: "a", Severity: Info, Object: "A n/a", Message: "m"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		got := append(slices.Clone(want), want[1])
		random.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		got.Sort()
		if !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	}
	if want.Count(Error) != 3 || !want.HasErrors() || want[3:].HasErrors() {
		t.Error("errors are counted wrongly")
	}
}

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		list List
		want string
	}{
		{nil, `{"findings":[]}`},
		{List{{Code: "c", Istio: "IST0101", Severity: Error, Object: "A n/a", Message: "m"}},
			`{"findings":[{"code":"c","istio":"IST0101","severity":"error","object":"A n/a","message":"m"}]}`},
		{List{{Code: "c", Severity: Info, Object: "A a", Field: "spec", File: "f", Line: 3, Message: "m", Remedy: "r"}},
			`{"findings":[{"code":"c","severity":"info","object":"A a","field":"spec","file":"f","line":3,"message":"m","remedy":"r"}]}`},
	} {
		got, err := json.Marshal(c.list)
		if err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
		var back List
		if err := json.Unmarshal(got, &back); err != nil || !slices.Equal(back, c.list) {
			t.Errorf("read back: got %v, %v, want %v", back, err, c.list)
		}
	}
}

func TestTable(t *testing.T) {
	slug, istio := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), regexp.MustCompile(`^(IST\d{4})?$`)
	seen := make(map[string]bool)
	for _, c := range Codes() {
		if !slug.MatchString(c.Slug) || !istio.MatchString(c.Istio) || c.Title == "" || seen[c.Slug] || c.Severity.rank() > 2 {
			t.Errorf("not a good row: %+v", c)
		}
		seen[c.Slug] = true
		if got, ok := Lookup(c.Slug); !ok || got != c {
			t.Errorf("Lookup(%s): got %v, %v", c.Slug, got, ok)
		}
	}
	if _, ok := Lookup("no-such-code"); ok {
		t.Error("found a code that is not in the table")
	}
}

func TestNearest(t *testing.T) {
	have := []string{"exact", "prefix", "regex", "kubeflow/kubeflow-gateway", "timeout"}
	for _, c := range []struct {
		want, nearest string
	}{
		{"perfix", "prefix"},
		{"Prefix", "prefix"},
		{"timeOut", "timeout"},
		{"regx", "regex"},
		{"kubeflow/kubeflow-gatway", "kubeflow/kubeflow-gateway"},
		{"prefix", ""}, // known
		{"something", ""},
		{"", ""},
		{"x", ""},
	} {
		got, ok := Nearest(c.want, have)
		if got != c.nearest || ok != (c.nearest != "") {
			t.Errorf("Nearest(%q): got %q, %v, want %q", c.want, got, ok, c.nearest)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "A", 0}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"abcdef", "uvwxyz", 6}, {"", "abc", 3},
	} {
		if got := distance(c.a, c.b, 10); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a, 10); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
	if got := distance("abcdef", "uvwxyz", 3); got != 3 {
		t.Errorf("beyond the limit: got %d, want the limit", got)
	}
}
