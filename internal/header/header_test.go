package header

import (
	"slices"
	"testing"
)

func TestFields(t *testing.T) {
	start := Fields{{"host", "a"}, {"x", "1"}, {"y", "2"}, {"x", "3"}}
	for _, c := range []struct {
		name string
		edit func(*Fields)
		want Fields
	}{
		{"set replaces the first line and removes the rest", func(f *Fields) { f.Set("x", "9") }, Fields{{"host", "a"}, {"x", "9"}, {"y", "2"}}},
		{"set of a new name appends", func(f *Fields) { f.Set("z", "9") }, append(slices.Clone(start), Field{"z", "9"})},
		{"add keeps what is there", func(f *Fields) { f.Add("x", "4") }, append(slices.Clone(start), Field{"x", "4"})},
		{"del removes every line", func(f *Fields) { f.Del("x") }, Fields{{"host", "a"}, {"y", "2"}}},
		{"del of a missing name changes nothing", func(f *Fields) { f.Del("q") }, start},
	} {
		got := start.Clone()
		c.edit(&got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJoined(t *testing.T) {
	f := Fields{{"x", "1"}, {"y", "2"}, {"x", ""}, {"x", "3"}}
	if got, ok := f.Joined("x", ","); got != "1,,3" || !ok {
		t.Errorf("Joined(x) = %q, %v", got, ok)
	}
	if got, ok := f.Joined("none", ","); got != "" || ok {
		t.Errorf("Joined(none) = %q, %v", got, ok)
	}
	if n := testing.AllocsPerRun(100, func() { f.Joined("y", ",") }); n != 0 {
		t.Errorf("Joined of a single line allocates %v times", n)
	}
}
