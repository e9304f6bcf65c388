package scaffold

import (
	"fmt"
	"strings"
)

// around is how many lines of a unified diff stand around what changes.
const around = 3

// Unified is the difference of two texts of a file as diff -u prints it; "" if there is
// none. It is for edits: where many lines change at once it shows them as one change.
func Unified(name string, before, after []byte) string {
	a, b := lines(before), lines(after)
	ops := changed(a, b)
	if len(ops) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for i := 0; i < len(ops); {
		j := i + 1
		for j < len(ops) && ops[j].a-ops[j-1].aEnd <= 2*around {
			j++
		}
		hunk(&out, a, b, ops[i:j])
		i = j
	}
	return out.String()
}

// op replaces lines [a, aEnd) of the first text by lines [b, bEnd) of the second.
type op struct{ a, aEnd, b, bEnd int }

// lines are those of a text, with their ends.
func lines(text []byte) []string {
	var all []string
	for line := range strings.Lines(string(text)) {
		all = append(all, line)
	}
	return all
}

// changed are the changes from a to b, by their longest common subsequence.
func changed(a, b []string) []op {
	begin := 0
	for begin < len(a) && begin < len(b) && a[begin] == b[begin] {
		begin++
	}
	aEnd, bEnd := len(a), len(b)
	for aEnd > begin && bEnd > begin && a[aEnd-1] == b[bEnd-1] {
		aEnd--
		bEnd--
	}
	if begin == aEnd && begin == bEnd {
		return nil
	}
	const most = 4 << 20 // of the table
	if (aEnd-begin+1)*(bEnd-begin+1) > most {
		return []op{{begin, aEnd, begin, bEnd}}
	}
	long := common(a[begin:aEnd], b[begin:bEnd])
	var ops []op
	i, j := begin, begin
	for i < aEnd || j < bEnd {
		if i < aEnd && j < bEnd && a[i] == b[j] {
			i++
			j++
			continue
		}
		o := op{a: i, b: j}
		for (i < aEnd || j < bEnd) && (i == aEnd || j == bEnd || a[i] != b[j]) {
			if j == bEnd || i < aEnd && long[i+1-begin][j-begin] >= long[i-begin][j+1-begin] {
				i++
			} else {
				j++
			}
		}
		o.aEnd, o.bEnd = i, j
		ops = append(ops, o)
	}
	return ops
}

// common holds the length of the longest common subsequence of each pair of ends.
func common(a, b []string) [][]int32 {
	long := make([][]int32, len(a)+1)
	for i := range long {
		long[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			long[i][j] = max(long[i+1][j], long[i][j+1])
			if a[i] == b[j] {
				long[i][j] = long[i+1][j+1] + 1
			}
		}
	}
	return long
}

// hunk writes changes that are near each other.
func hunk(out *strings.Builder, a, b []string, ops []op) {
	first, last := ops[0], ops[len(ops)-1]
	from, to := max(first.a-around, 0), min(last.aEnd+around, len(a))
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(from, to), span(first.b-(first.a-from), last.bEnd+(to-last.aEnd)))
	at := from
	for _, o := range ops {
		write(out, ' ', a[at:o.a])
		write(out, '-', a[o.a:o.aEnd])
		write(out, '+', b[o.b:o.bEnd])
		at = o.aEnd
	}
	write(out, ' ', a[at:to])
}

// span is "12,3": the first line, from 1, and the number of lines.
func span(from, to int) string {
	if from == to { // of none: the line before
		return fmt.Sprintf("%d,0", from)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

func write(out *strings.Builder, mark byte, lines []string) {
	for _, line := range lines {
		out.WriteByte(mark)
		out.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
