package explain

import (
	"strings"

	"github.com/doorward/doorward/internal/problem"
)

// pathNear is how near the path of a rule is to the one asked for: the letters of the
// parts that they begin with alike. A part that looks like the other mistyped counts
// as alike; of the first one that does not, the letters that it begins with.
func pathNear(rule, asked string) int {
	near := 0
	for {
		a, restA, moreA := strings.Cut(rule, "/")
		b, restB, moreB := strings.Cut(asked, "/")
		switch {
		case a == b:
			near += len(a)
		case mistyped(a, b):
			near += max(len(a), len(b))
		default:
			return near + common(a, b)
		}
		if !moreA || !moreB {
			return near
		}
		near++
		rule, asked = restA, restB
	}
}

// meant is the path that was meant by asked if it is a rule's path mistyped; false if
// it is not.
func meant(rule, asked string) (string, bool) {
	parts, wanted := strings.Split(rule, "/"), strings.Split(asked, "/")
	wrong := false
	for i, part := range parts {
		switch {
		case part == "" && i == len(parts)-1: // what is below a prefix
			if i == len(wanted) {
				wanted = append(wanted, "")
			}
		case i == len(wanted) || part != wanted[i] && !mistyped(part, wanted[i]):
			return "", false
		case part != wanted[i]:
			wanted[i], wrong = part, true
		}
	}
	return strings.Join(wanted, "/"), wrong
}

func mistyped(a, b string) bool {
	_, near := problem.Nearest(a, []string{b})
	return near
}

// common is how many letters two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
