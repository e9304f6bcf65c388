package server

import "testing"

func TestSmallHeapsAreCollectedLess(t *testing.T) {
	for live, want := range map[uint64]int{0: 2400, 1 << 20: 2400, 4 << 20: 600, 24 << 20: 100, 1 << 30: 100} {
		if got := collectAt(live); got != want {
			t.Errorf("%d bytes: got %d %%, want %d %%", live, got, want)
		}
	}
}
