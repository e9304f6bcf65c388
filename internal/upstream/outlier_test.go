package upstream

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/doorward/doorward/internal/plan"
)

// detecting returns n endpoints under an outlier rule, and what is ejected.
func detecting(t *testing.T, n int, o plan.Outlier) (c *Cluster, all []*Endpoint, at *clock, told *[]Ejection) {
	at, told = new(clock), new([]Ejection)
	m := newManager(t, Options{Now: at.now, Ejected: func(e Ejection) { *told = append(*told, e) }})
	b := weighted(plan.RoundRobin, slices.Repeat([]uint32{1}, n)...)
	b.Key, b.Outlier = "outbound|80||app", &o
	c = clusterOf(m, b)
	for range n {
		all = append(all, pick(t, c))
	}
	return c, all, at, told
}

func done(e *Endpoint, results ...Result) {
	for _, r := range results {
		e.Begin()
		e.Done(r)
	}
}

// chosen returns the endpoints that get requests now.
func chosen(t *testing.T, c *Cluster) map[*Endpoint]bool {
	t.Helper()
	got := map[*Endpoint]bool{}
	for range 20 {
		e, err := c.Pick(context.Background(), 0, false, nil)
		if err == ErrNoneHealthy {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		got[e] = true
	}
	return got
}

func TestOutlierEjects(t *testing.T) {
	for _, test := range []struct {
		name    string
		rule    plan.Outlier
		results []Result
		want    string // the reason, "" for none
	}{
		{"5xx in a row", plan.Outlier{Consecutive5xx: 3}, []Result{500, 503, 599}, "3 consecutive 5xx"},
		{"too few", plan.Outlier{Consecutive5xx: 3}, []Result{500, 500}, ""},
		{"not in a row", plan.Outlier{Consecutive5xx: 3}, []Result{500, 500, 200, 500, 500, 404, 500}, ""},
		{"no result says nothing", plan.Outlier{Consecutive5xx: 3}, []Result{500, 500, NoResult, 500}, "3 consecutive 5xx"},
		{"off", plan.Outlier{}, []Result{500, 500, 500, 500, 500, 500}, ""},
		{"gateway", plan.Outlier{ConsecutiveGateway: 2}, []Result{502, 504}, "2 consecutive gateway errors (502, 503, 504)"},
		{"500 ends a row of gateway errors", plan.Outlier{ConsecutiveGateway: 2}, []Result{502, 500, 503}, ""},
		{"no connection is a 503", plan.Outlier{ConsecutiveGateway: 2}, []Result{ConnectFailed, WasReset}, "2 consecutive gateway errors (502, 503, 504)"},
		{"a timeout is a 504", plan.Outlier{Consecutive5xx: 2}, []Result{TimedOut, TimedOut}, "2 consecutive 5xx"},
		{"split: ours are no status", plan.Outlier{SplitLocal: true, Consecutive5xx: 2}, []Result{ConnectFailed, TimedOut, WasReset}, ""},
		{"split: ours count apart", plan.Outlier{SplitLocal: true, ConsecutiveLocal: 2, Consecutive5xx: 2}, []Result{ConnectFailed, TimedOut},
			"2 consecutive connection failures, resets or timeouts"},
		{"split: theirs end a row of ours", plan.Outlier{SplitLocal: true, ConsecutiveLocal: 2}, []Result{ConnectFailed, 500, ConnectFailed}, ""},
		{"split: ours do not end a row of theirs", plan.Outlier{SplitLocal: true, Consecutive5xx: 2}, []Result{500, ConnectFailed, 500}, "2 consecutive 5xx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.rule.MaxEjectionPercent = 50
			c, all, _, told := detecting(t, 2, test.rule)
			done(all[0], test.results...)
			got := ""
			if len(*told) > 0 {
				got = (*told)[0].Reason
			}
			if got != test.want {
				t.Errorf("ejected for %q, want %q", got, test.want)
			}
			if out := !chosen(t, c)[all[0]]; out != (test.want != "") {
				t.Errorf("the endpoint gets no requests: %t, want %t", out, test.want != "")
			}
			if !chosen(t, c)[all[1]] {
				t.Error("the other endpoint gets no requests")
			}
		})
	}
}

// Each ejection in a row is longer by the base time, up to 300 s; each interval
// in good health makes the next one shorter.
func TestEjectionBacksOff(t *testing.T) {
	c, all, at, told := detecting(t, 2, plan.Outlier{
		Consecutive5xx: 1, MaxEjectionPercent: 50, BaseEjection: 100 * time.Second, Interval: 10 * time.Second,
	})
	last := func() Ejection { return (*told)[len(*told)-1] }
	for i, want := range []time.Duration{100, 200, 300, 300, 300, 300} {
		done(all[0], 500)
		if got := last().For; len(*told) != i+1 || got != want*time.Second {
			t.Fatalf("ejection %d: got %d, the last for %v, want %v", i+1, len(*told), got, want*time.Second)
		}
		at.advance(want*time.Second - 1)
		if chosen(t, c)[all[0]] {
			t.Fatalf("ejection %d: the endpoint is back too early", i+1)
		}
		at.advance(1)
		if !chosen(t, c)[all[0]] {
			t.Fatalf("ejection %d: the endpoint is not back in time", i+1)
		}
	}
	at.advance(30 * time.Second)
	done(all[0], 500)
	if got := last(); got.For != 200*time.Second || got.Times != 2 {
		t.Errorf("after three intervals in good health: got %v (%d times), want 200 s (2)", got.For, got.Times)
	}
	want := Ejection{"outbound|80||app", "outbound|80||app", "10.0.0.1:80", "1 consecutive 5xx", 200 * time.Second, 2}
	if got := last(); got != want {
		t.Errorf("Ejected was told %+v, want %+v", got, want)
	}
}

func TestEjectionIsDefaulted(t *testing.T) {
	_, all, _, told := detecting(t, 10, plan.Outlier{Consecutive5xx: 1})
	done(all[0], 500)
	done(all[1], 500)
	if len(*told) != 1 || (*told)[0].For != 30*time.Second {
		t.Errorf("ejections %+v, want one of ten for 30 s", *told)
	}
}

func TestEjectionsAreBounded(t *testing.T) {
	for _, test := range []struct{ endpoints, percent, want int }{
		{10, 10, 1}, {10, 25, 2}, {3, 10, 0}, {3, 33, 0}, {3, 34, 1}, {1, 100, 1}, {4, 100, 4}, {2, 500, 2},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			c, all, _, told := detecting(t, test.endpoints, plan.Outlier{Consecutive5xx: 1, MaxEjectionPercent: test.percent})
			for _, e := range all {
				done(e, 500)
			}
			if len(*told) != test.want {
				t.Errorf("%d ejections, want %d", len(*told), test.want)
			}
			if got := len(chosen(t, c)); got != test.endpoints-test.want {
				t.Errorf("%d endpoints get requests, want %d", got, test.endpoints-test.want)
			}
		})
	}
}

// Below minHealthPercent all endpoints get requests, the ejected ones too; at 0,
// Istio's default, never: with all ejected there is none.
func TestPanicThreshold(t *testing.T) {
	for _, test := range []struct{ minHealth, ejected, want int }{
		{0, 3, 1}, {0, 4, 0}, {50, 2, 2}, {50, 3, 4}, {51, 2, 4}, {100, 1, 4},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			c, all, at, _ := detecting(t, 4, plan.Outlier{Consecutive5xx: 1, MaxEjectionPercent: 100, MinHealthPercent: test.minHealth})
			for _, e := range all[:test.ejected] {
				done(e, 500)
			}
			if got := len(chosen(t, c)); got != test.want {
				t.Errorf("%d endpoints get requests, want %d", got, test.want)
			}
			at.advance(30 * time.Second)
			if got := len(chosen(t, c)); got != 4 {
				t.Errorf("after the ejection %d endpoints get requests, want all 4", got)
			}
		})
	}
}

// The state of health outlives plans, and ends with the rule.
func TestEjectionOutlivesSync(t *testing.T) {
	rule := plan.Outlier{Consecutive5xx: 1, MaxEjectionPercent: 100}
	c, all, _, _ := detecting(t, 2, rule)
	done(all[0], 500)
	b := weighted(plan.RoundRobin, 1, 1, 1)
	b.Key, b.Outlier = c.Key(), &rule
	c.m.Sync(planOf(b))
	if got := chosen(t, c); len(got) != 2 || got[all[0]] {
		t.Errorf("after Sync %d endpoints get requests, want the two that are not ejected", len(got))
	}
	b = weighted(plan.RoundRobin, 1, 1)
	b.Key = c.Key()
	c.m.Sync(planOf(b))
	if got := chosen(t, c); len(got) != 2 {
		t.Errorf("without a rule %d endpoints get requests, want 2", len(got))
	}
}

func TestHealthyTrafficDoesNotAllocate(t *testing.T) {
	_, all, _, _ := detecting(t, 2, plan.Outlier{Consecutive5xx: 5})
	if n := testing.AllocsPerRun(100, func() { done(all[0], 200) }); n != 0 {
		t.Errorf("Begin and Done: %v allocations, want 0", n)
	}
}
