package problem

// Nearest finds the known name that was most likely meant by want: the one
// with the smallest edit distance, letters compared without case, provided
// that no more than a third of the letters (and at least one may) differ. Of
// equally near names the first in have wins. The answer is false when nothing
// is near, or when want itself is known.
func Nearest(want string, have []string) (string, bool) {
	if len(want) == 0 || len(want) > 256 {
		return "", false
	}
	best, bestDistance := "", max(1, len(want)/3)+1
	for _, name := range have {
		if name == want {
			return "", false
		}
		if d := distance(want, name, bestDistance); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best, best != ""
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b out of a; any answer of limit or more is limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before := make([]int, len(b)+1) // the row two above
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			x, y := lower(a[i-1]), lower(b[j-1])
			cost := 1
			if x == y {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x == lower(b[j-2]) && lower(a[i-2]) == y {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
