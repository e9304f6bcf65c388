package server

import "testing"

func TestCores(t *testing.T) {
	var c cores
	step := func(name string, used float64, looks int, one bool) {
		t.Helper()
		for range looks {
			c.see(used)
		}
		if c.one != one {
			t.Errorf("%s: one processor %v, want %v", name, c.one, one)
		}
	}
	step("at the start", 0, quietLooks, false)
	step("quiet for long enough", 0, 1, true)
	step("some load", 0.5, 100, true)
	step("one does not suffice", 0.7, 1, false)
	step("little to do, not for long", 0.1, quietLooks-1, false)
	step("a busy look in between", 0.4, 1, false)
	step("counted anew", 0.1, quietLooks, false)
	step("quiet", 0.1, 1, true)
}
