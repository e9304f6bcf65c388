package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// talk is a conversation with a person: questions on one stream, answers from another, a
// line each. It needs neither colours nor cursor keys.
type talk struct {
	in     *bufio.Reader
	out    io.Writer
	person bool // somebody can answer
	bold   bool
}

// newTalk begins a conversation if in is a terminal.
func newTalk(in io.Reader, out io.Writer) *talk {
	t := &talk{in: bufio.NewReader(in), out: out, bold: onTerminal(out)}
	if f, ok := in.(*os.File); ok {
		t.person = term.IsTerminal(int(f.Fd()))
	}
	return t
}

// errEnded is the end of a conversation before its last answer.
var errEnded = errors.New("ended; nothing is written")

// ask asks those of the questions that are not answered yet, and keeps the answers.
func (t *talk) ask(questions []*asking, a answers, s *site) error {
	var before []*asking // those that were asked, for going back
	for i := 0; i < len(questions); i++ {
		q := questions[i]
		if _, ok := a[q.key]; ok || !q.asked(a) {
			continue
		}
		answer, err := t.question(q, a, s, len(before) > 0)
		if err != nil {
			return err
		}
		if answer == "<" {
			last := before[len(before)-1]
			before = before[:len(before)-1]
			for i > 0 && questions[i] != last {
				i--
			}
			i-- // to ask it next
			delete(a, last.key)
			continue
		}
		a[q.key] = answer
		before = append(before, q)
	}
	return nil
}

// question asks one until the answer is good. It returns "<" to go back.
func (t *talk) question(q *asking, a answers, s *site, back bool) (string, error) {
	def := q.def(a, s)
	text := strings.NewReplacer("%(name)", a["name"], "%(site)", "https://"+s.of(a).Host).Replace(q.text)
	if t.bold {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Fprintf(t.out, "\n%s\n", text)
	for i, c := range q.choices {
		fmt.Fprintf(t.out, "  %d %-9s %s\n", i+1, c.word, c.means)
	}
	for {
		if def != "" {
			fmt.Fprintf(t.out, "[%s] ", def)
		}
		fmt.Fprint(t.out, "> ")
		line, err := t.in.ReadString('\n')
		if err != nil {
			fmt.Fprintln(t.out)
			return "", errEnded
		}
		answer := strings.TrimSpace(line)
		switch {
		case answer == "?":
			fmt.Fprintln(t.out, q.reason)
			continue
		case answer == "<" && back:
			return answer, nil
		case answer == "<":
			fmt.Fprintln(t.out, "This is the first question.")
			continue
		case answer == "" && def != "":
			return def, nil
		case answer == "":
			fmt.Fprintln(t.out, "There is no default; "+q.usage+".")
			continue
		}
		answer = q.meant(answer)
		if err := q.valid(answer); err != nil {
			fmt.Fprintln(t.out, err)
			continue
		}
		return answer, nil
	}
}

// meant is the choice that an answer names: by its number, its word, or the beginning of
// that, and by yes or no where a choice begins so. Any other answer is left as it is.
func (q *asking) meant(answer string) string {
	var fits []string
	for i, c := range q.choices {
		word, says := strings.ToLower(answer), strings.Split(c.means, ":")[0]
		switch {
		case word == c.word || word == fmt.Sprint(i+1):
			return c.word
		case strings.HasPrefix(c.word, word), (says == "yes" || says == "no") && strings.HasPrefix(says, word):
			fits = append(fits, c.word)
		}
	}
	if len(fits) == 1 {
		return fits[0]
	}
	return answer
}

// agree asks for a yes.
func (t *talk) agree(text string) bool {
	fmt.Fprintf(t.out, "\n%s [y/N] ", text)
	line, _ := t.in.ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
