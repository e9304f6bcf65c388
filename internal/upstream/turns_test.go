package upstream

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzSchedule holds every round to: each endpoint has its turns, in proportion
// to its weight and never in a lump, and no round is longer than the bound.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0})
	f.Add([]byte{100, 0, 0, 0, 50, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Add([]byte{7, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var weights []uint32
		for ; len(data) >= 4 && len(weights) < 12; data = data[4:] {
			weights = append(weights, max(binary.LittleEndian.Uint32(data), 1)) // as update makes them
		}
		if len(weights) == 0 {
			return
		}
		w, total := reduced(weights)
		turns := schedule(weights)
		if int64(len(turns)) != total || total > maxTurns+int64(len(weights)) {
			t.Fatalf("weights %v: a round of %d turns, want %d and no more than %d", weights, len(turns), total, maxTurns)
		}
		sum := 0.0
		for _, x := range weights {
			sum += float64(x)
		}
		had := make([]int64, len(weights))
		for n, i := range turns {
			had[i]++
			// After each turn nobody is further than the number of endpoints from its due.
			due := float64(n+1) * float64(w[i]) / float64(total)
			if math.Abs(float64(had[i])-due) > float64(len(weights)) {
				t.Fatalf("weights %v: after turn %d endpoint %d has had %d turns, due are %.1f", weights, n, i, had[i], due)
			}
		}
		for i, x := range weights {
			if had[i] != w[i] || had[i] < 1 {
				t.Errorf("weights %v: endpoint %d has %d turns, want %d", weights, i, had[i], w[i])
			}
			// Reduction keeps the share, to within the rounding of one turn for each.
			share, want := float64(w[i])/float64(total), float64(x)/sum
			if math.Abs(share-want) > float64(len(weights))/float64(min(total, maxTurns)) {
				t.Errorf("weights %v: endpoint %d has the share %.5f, want %.5f", weights, i, share, want)
			}
		}
	})
}

func TestScheduleSpreadsTurns(t *testing.T) {
	got := schedule([]uint32{10, 2, 2})
	want := []int32{0, 0, 1, 0, 2, 0, 0}
	if len(got) != len(want) {
		t.Fatalf("schedule: got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("schedule: got %v, want %v", got, want)
		}
	}
}
