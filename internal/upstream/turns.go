package upstream

// maxTurns bounds the length of a round; finer weights than that are rounded.
const maxTurns = 4096

// schedule returns the order of one round in which each endpoint has as many
// turns as its weight says, spread as evenly as can be: each turn everybody
// gains its weight in credit, and the richest pays for the turn.
func schedule(weights []uint32) []int32 {
	w, total := reduced(weights)
	credit := make([]int64, len(w))
	turns := make([]int32, 0, total)
	for range total {
		best := 0
		for i := range w {
			credit[i] += w[i]
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		turns = append(turns, int32(best))
	}
	return turns
}

// reduced returns the weights in smaller numbers, and their sum.
func reduced(weights []uint32) (w []int64, total int64) {
	div := uint32(0)
	for _, x := range weights {
		total += int64(x)
		for a := x; a != 0; {
			div, a = a, div%a
		}
	}
	total /= int64(div)
	scale := 1.0
	if total > maxTurns {
		scale = float64(maxTurns) / float64(total)
	}
	total = 0
	for _, x := range weights {
		n := max(1, int64(float64(x/div)*scale+0.5))
		w = append(w, n)
		total += n
	}
	return w, total
}
